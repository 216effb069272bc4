#pragma once

#include <cstdint>
#include <string_view>

#include "culprit/rca/method.h"

namespace culprit {

/// What a method may promise beyond what all of them keep.
enum class Promise : std::uint8_t {
    column_order,  ///< the same scores when the metric columns stand in another order
    units,         ///< the same scores when every metric is given in another unit
    answer,        ///< a ranking of a small incident that has all kinds of data
};

/// Why a method does not promise it; empty when it does. A new method promises all, unless it is
/// listed in promises.cpp with its reason.
std::string_view exemption(Promise promise, std::string_view method, Variant variant);

}  // namespace culprit
