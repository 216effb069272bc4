#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/base/stop.h"

namespace culprit {

/// What to simulate, how to spoil it, and how to run the method.
struct ScorecardOptions {
    std::vector<std::string> kinds;  ///< empty = every kind
    std::uint64_t first_seed = 0;  ///< seeds below 1000 are for development, from 1000 on for test
    std::size_t count = 10;        ///< seeds per kind
    double alert_delay_seconds = 0.0;
    double scrape_seconds = 5.0;
    double baseline_seconds = 285.0;
    double drop_share = 0.0;    ///< of the metric series, taken away at random
    double blur_seconds = 0.0;  ///< moving average over this time, as a rate window does
    bool drop_logs = false;
    bool drop_gpu = false;  ///< every DCGM series
    bool drop_mesh = false;
    bool hold_out = false;  ///< the method does not know the fault's family
    std::map<std::string, double> method_options;
    unsigned num_threads = 1;  ///< incidents side by side; 0 = all
};

/// Answers on one fault kind.
struct KindScore {
    std::string kind;
    std::size_t num_cases = 0;
    std::size_t component_first = 0;
    std::size_t component_in_three = 0;
    std::size_t fault_first = 0;
    std::map<std::string, std::size_t> mistaken_for;
};

struct Scorecard {
    std::vector<KindScore> kinds;
    std::size_t num_cases = 0;
    std::size_t num_broken = 0;       ///< cases in which some component is to blame
    std::size_t component_first = 0;  ///< of the broken ones
    std::size_t component_in_three = 0;
    std::size_t fault_first = 0;  ///< of all cases
    std::size_t num_sound = 0;    ///< cases in which none is
    std::size_t blamed_falsely = 0;
    double brier = 0.0;  ///< mean squared error of the first answer's probability
    struct Bin {
        std::size_t count = 0;
        double probability = 0.0;  ///< mean stated
        std::size_t right = 0;
    };
    std::array<Bin, 10> reliability;  ///< by tenths of the stated probability of the component
    double seconds_per_case = 0.0;    ///< of the method
};

/// Simulates, diagnoses and scores. A component counts as right when the most probable answer names
/// it; "no component is broken" is an answer and is right when only the load changed or nothing
/// happened. Deterministic but for the time.
Result<Scorecard> score_on_simulator(const ScorecardOptions& options, const Stop& stop = {});

std::string scorecard_text(const Scorecard& card);
std::string scorecard_json(const Scorecard& card);

}  // namespace culprit
