#include "culprit/readers/case_split.h"

#include <algorithm>
#include <filesystem>

namespace culprit {

std::string_view to_string(Split split) {
    switch (split) {
        case Split::all:
            return "all";
        case Split::dev:
            return "dev";
        case Split::test:
            break;
    }
    return "test";
}

Split split_named(std::string_view name) {
    for (const Split split : {Split::dev, Split::test})
        if (name == to_string(split)) return split;
    return Split::all;
}

Split split_of(const CaseLocation& location) {
    // "<set>/test/<service>_<fault>/<n>": the folder two above the case.
    const auto side = std::filesystem::absolute(location.path)
                          .lexically_normal()
                          .parent_path()
                          .parent_path()
                          .filename();
    if (side == "dev") return Split::dev;
    if (side == "test") return Split::test;
    std::uint64_t h = 0xcbf29ce484222325U;
    for (const char c : location.id) {
        h ^= static_cast<unsigned char>(c);
        h *= 0x100000001b3U;
    }
    h ^= h >> 33U;
    h *= 0xff51afd7ed558ccdU;
    h ^= h >> 33U;
    return (h & 1U) == 0 ? Split::dev : Split::test;
}

std::vector<CaseLocation> cases_of(std::vector<CaseLocation> cases, Split split) {
    if (split != Split::all)
        std::erase_if(cases, [&](const CaseLocation& c) { return split_of(c) != split; });
    return cases;
}

}  // namespace culprit
