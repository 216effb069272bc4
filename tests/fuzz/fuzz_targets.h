#pragma once

#include <span>
#include <string_view>

namespace culprit::fuzz {

/// One entry point that must answer any bytes with a result or an Error, never with a crash, an
/// exception, or a broken promise (`run` aborts on one).
struct Target {
    std::string_view name;  ///< also the folder of its seeds, tests/fuzz/corpus/<name>
    void (*run)(std::string_view input);
};

std::span<const Target> targets();

/// Those of telemetry; part of `targets()`.
std::span<const Target> telemetry_targets();

/// Stops the process with a message: the fuzzer then keeps the input.
void require(bool condition, const char* promise);

}  // namespace culprit::fuzz
