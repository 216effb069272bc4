#include "culprit/methods/catalog.h"

#include <fmt/format.h>

namespace culprit {

std::unique_ptr<Method> make_nsigma();

namespace {

constexpr CatalogEntry entries[] = {
    {"nsigma", make_nsigma},
};

}  // namespace

std::span<const CatalogEntry> catalog() { return entries; }

Result<std::unique_ptr<Method>> make_method(std::string_view name) {
    for (const CatalogEntry& entry : entries)
        if (entry.name == name) return entry.make();
    std::string known;
    for (const CatalogEntry& entry : entries) {
        known += known.empty() ? "" : ", ";
        known += entry.name;
    }
    return fail(ErrorCode::invalid_input,
                fmt::format("no method \"{}\"; there are: {}", name, known));
}

}  // namespace culprit
