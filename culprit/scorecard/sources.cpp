#include "culprit/scorecard/sources.h"

#include <fmt/format.h>

#include <optional>
#include <set>

#include "culprit/base/parallel.h"
#include "culprit/simulator/stack_simulator.h"

namespace culprit {
namespace {

Result<Outcome> judge_simulated(const std::string& kind, std::uint64_t seed,
                                const SimulatedCases& cases, const ScoringOptions& options,
                                const Stop& stop) {
    simulator::StackConfig config = simulator::random_config(kind, seed);
    if (cases.num_replicas > 0) config.resize(cases.num_replicas);
    config.load_factor = cases.load_factor;
    ScoringOptions rest = options;
    config.alert_delay_seconds = std::exchange(rest.spoiling.alert_delay_seconds, 0.0);
    config.fault_seconds += config.alert_delay_seconds;  // it lasts until it is noticed
    if (const double s = std::exchange(rest.spoiling.scrape_seconds, 0.0); s > 0.0)
        config.scrape_seconds = s;
    if (const double b = std::exchange(rest.spoiling.baseline_seconds, 0.0); b > 0.0)
        config.baseline_seconds = b;
    CULPRIT_TRY(Case made, simulator::simulate(config, stop));
    made.id = fmt::format("{}/{}", kind, seed);
    made.truth->fault = kind;
    return judge(made, rest, config.seed, stop);
}

Result<Outcome> judge_recorded(const CaseLocation& location, const ScoringOptions& options,
                               const Stop& stop) {
    CULPRIT_TRY(const Case read, read_case(location.path, {.num_threads = 1}));
    if (!read.truth)
        return fail(ErrorCode::missing_input,
                    fmt::format("{}: expected a label (case.json or a folder "
                                "<service>_<fault>/<n>), found none",
                                location.path));
    return judge(read, options, 0, stop);
}

template <class JudgeOne>
Result<std::vector<Outcome>> judge_all(std::size_t count, const ScoringOptions& options,
                                       const Stop& stop, JudgeOne judge_one) {
    std::vector<std::optional<Result<Outcome>>> judged(count);
    parallel_for(count, options.num_threads, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            if (stop.requested()) return;
            judged[i] = judge_one(i);
            if (options.on_judged) options.on_judged(count);
        }
    });
    CULPRIT_TRY_STATUS(stop.check());
    std::vector<Outcome> outcomes;
    for (auto& outcome : judged) {
        if (!*outcome) return tl::unexpected<Error>(outcome->error());
        outcomes.push_back(std::move(**outcome));
    }
    return outcomes;
}

}  // namespace

Result<Scorecard> score_simulated(const SimulatedCases& cases, const ScoringOptions& options,
                                  const Stop& stop) {
    const auto kinds = cases.kinds.empty() ? simulator::fault_kinds() : cases.kinds;
    CULPRIT_TRY(
        auto outcomes, judge_all(kinds.size() * cases.count, options, stop, [&](std::size_t i) {
            return judge_simulated(kinds[i / cases.count], cases.first_seed + i % cases.count,
                                   cases, options, stop);
        }));
    return scorecard_of("simulated", std::move(outcomes));
}

Result<Scorecard> score_recorded(std::span<const CaseLocation> cases, const ScoringOptions& options,
                                 const Stop& stop) {
    CULPRIT_TRY(auto outcomes, judge_all(cases.size(), options, stop, [&](std::size_t i) {
                    return judge_recorded(cases[i], options, stop);
                }));
    std::set<std::string> names;
    for (const CaseLocation& location : cases) names.insert(location.dataset);
    return scorecard_of(fmt::format("{}", fmt::join(names, ", ")), std::move(outcomes));
}

}  // namespace culprit
