#pragma once

#include <string>
#include <string_view>

#include "culprit/rca/method.h"

namespace culprit {

/// Why a method may answer otherwise when the metric columns stand in another order; empty when it
/// may not. A new method promises not to, unless it is listed here with its reason.
std::string column_order_excuse(std::string_view method, Variant variant);

/// Whether a method promises the same bytes when every metric is given in another unit.
bool promises_unit_freedom(std::string_view method, Variant variant);

/// Whether a method promises to rank something in a small incident that has all kinds of data.
bool promises_answer(std::string_view method);

}  // namespace culprit
