#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "culprit/base/result.h"

namespace culprit::testbed {

/// One request of an open-loop load: sent at its time whether or not earlier ones were answered.
struct Arrival {
    double time_s = 0;  ///< after the start
    int prompt_tokens = 0;
    int output_tokens = 0;
};

enum class ArrivalProcess : std::uint8_t { constant, poisson };

struct SyntheticLoad {
    ArrivalProcess process = ArrivalProcess::poisson;
    double rate_per_s = 1;
    double duration_s = 60;
    int prompt_tokens = 64;
    int output_tokens = 32;
    /// Token counts are drawn uniformly from mean * [1 - spread, 1 + spread].
    double length_spread = 0;
    std::uint64_t seed = 1;
};

/// Arrival times of a Poisson process or one every 1/rate seconds. invalid_input on rates or
/// durations that are not positive.
Result<std::vector<Arrival>> make_arrivals(const SyntheticLoad& load);

struct ReplayOptions {
    double time_scale = 1;    ///< 2 = twice as fast
    double token_scale = 1;   ///< 0.1 = a tenth of the tokens, at least 1
    double duration_s = 300;  ///< of the replay; later arrivals are left out
    int prompt_tokens_max = 3000;
    int output_tokens_max = 512;
};

/// Reads a recorded trace: CSV with the columns arrival_time_s, prompt_tokens and output_tokens
/// (others are ignored). malformed_data names the line.
Result<std::vector<Arrival>> read_arrivals(std::string_view csv, const ReplayOptions& options);

}  // namespace culprit::testbed
