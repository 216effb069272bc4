#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "culprit/base/result.h"

namespace culprit {

/// Where in the stack the cause lies.
enum class FaultLayer : std::uint8_t {
    infrastructure,
    platform,
    toolkit,
    framework,
    model,
    load,
    none
};
std::string_view to_string(FaultLayer layer);

/// What a fault may be aimed at.
enum class FaultTarget : std::uint8_t {
    any_component,
    replica,
    proxy,
    traffic,  ///< the clients: no component is broken
};

/// One number that sets how hard a fault hits.
struct FaultParameter {
    std::string_view name;
    std::string_view unit;
    double default_value = 0;
    double value_min = 0;
    double value_max = 0;
};

/// One kind of fault. A kind with `breaks_component` false changes only the load, or nothing that
/// matters: the right answer of a diagnosis is that no component is broken.
struct FaultKind {
    std::string_view name;
    FaultLayer layer = FaultLayer::platform;
    FaultTarget target = FaultTarget::any_component;
    bool breaks_component = true;
    FaultParameter parameters[3] = {};  ///< those with a name
    std::string_view catalogue;         ///< number in the fault catalogue, "F01"
    std::string_view summary;

    std::span<const FaultParameter> used_parameters() const;
};

/// Every kind, in the order of the documentation.
std::span<const FaultKind> fault_kinds();
/// invalid_input lists what there is.
Result<const FaultKind*> find_fault_kind(std::string_view name);

}  // namespace culprit
