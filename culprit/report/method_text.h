#pragma once

#include <span>
#include <string>

#include "culprit/rca/method.h"
#include "culprit/report/style.h"

namespace culprit {

/// One line per method: name, family, what it reads, variants, summary.
std::string methods_table(std::span<const MethodInfo> methods, const Style& style);
/// Everything about one method, for a terminal.
std::string method_page(const MethodInfo& method, const Style& style);
/// One section per method, for the documentation.
std::string methods_markdown(std::span<const MethodInfo> methods);
/// An array of objects, or with `as_array` false the only one.
std::string methods_json(std::span<const MethodInfo> methods, bool as_array);

}  // namespace culprit
