// libFuzzer's entry: CULPRIT_FUZZ_TARGET names the target.
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/fuzz_targets.h"

namespace {

const culprit::fuzz::Target* chosen_target() {
    const char* name = std::getenv("CULPRIT_FUZZ_TARGET");
    for (const auto& target : culprit::fuzz::targets())
        if (name != nullptr && target.name == name) return &target;
    std::fputs("set CULPRIT_FUZZ_TARGET to one of:", stderr);
    for (const auto& target : culprit::fuzz::targets())
        std::fprintf(stderr, " %.*s", static_cast<int>(target.name.size()), target.name.data());
    std::fputs("\n", stderr);
    std::exit(2);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(  // NOLINT(readability-identifier-naming): libFuzzer's name
    const unsigned char* data, std::size_t size) {
    static const culprit::fuzz::Target* const target = chosen_target();
    target->run({reinterpret_cast<const char*>(data), size});
    return 0;
}
