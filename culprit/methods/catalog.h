#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/rca/method.h"

namespace culprit {

/// What `culprit diagnose` runs when no method is named.
inline constexpr std::string_view default_method_name = "culprit";

struct CatalogEntry {
    std::string_view name;
    std::unique_ptr<Method> (*make)();
};

/// Every method, in the order of the study, then the baselines and what came after. An explicit
/// list: a static library would drop self-registering objects.
std::span<const CatalogEntry> catalog();

/// invalid_input with the nearest names when there is no such method.
Result<std::unique_ptr<Method>> make_method(std::string_view name);

}  // namespace culprit
