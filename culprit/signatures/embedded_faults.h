#pragma once

#include <span>
#include <string_view>

namespace culprit {

struct EmbeddedFile {
    std::string_view name;
    std::string_view text;
};

/// data/faults/*.json as they were at build time, by name.
std::span<const EmbeddedFile> embedded_faults();

/// data/effects.json as it was at build time.
std::string_view embedded_effects();

}  // namespace culprit
