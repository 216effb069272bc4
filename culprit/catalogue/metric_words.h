#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "culprit/catalogue/catalogue.h"

namespace culprit {

/// Which number of a distribution a series holds.
enum class Statistic : std::uint8_t { none, mean, p50, p90, p95, p99 };

/// What a name that no exporter owns says in words: "gpu_power_watts", "ttft_p95_ms".
struct NamedByHand {
    std::string signal;  ///< quantity or canonical name in the catalogue; empty: says nothing known
    std::string unit;    ///< as the name states it, else the catalogue's; may be empty
    SignalType type = SignalType::gauge;  ///< untyped: may be a running total or a rate already
    bool is_rate = false;                 ///< the name says per second
    Statistic statistic = Statistic::none;
};

/// Words of a name in lower case: "gpuPowerWatts", "GPU power (W)" -> gpu power watts, gpu power w.
/// Digits stay with the letters before them ("p95"); other signs separate.
std::vector<std::string> words_of(std::string_view name);

/// Reads a metric name written by hand. The name may not contain the component's.
NamedByHand read_metric_words(std::string_view metric);

/// Does every word of the name speak of a measurement ("e2e_latency_p95"), so that none of it is
/// likely to name a component ("front-end")?
bool is_all_metric_words(std::string_view metric);

/// The same, and beside such words those that say where it was measured ("proxy_latency_ms").
bool is_readable_metric(std::string_view metric);

/// Does it say in what unit, how often or which number of a distribution ("(%)", "p95 (ms)", "per
/// second"), but not what is measured? Empty names do.
bool says_only_how(std::string_view metric);

/// Takes "_p95", ":p99", "_avg", "_mean", "_median", "-90" and the like off the end of a name; what
/// is left is the name of the distribution. Statistic::none leaves the name as it is.
Statistic strip_statistic(std::string_view& metric);

}  // namespace culprit
