#include "culprit/scorecard/simulated_scorecard.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "culprit/base/parallel.h"
#include "culprit/base/random.h"
#include "culprit/signatures/fault_signature.h"
#include "culprit/simulator/stack_simulator.h"
#include "culprit/tailored/culprit_method.h"

namespace culprit {
namespace {

struct Job {
    std::size_t kind = 0;
    std::uint64_t seed = 0;
};

struct Outcome {
    std::string truth;  // "" = no component
    std::string fault;
    std::string answered_fault;
    std::size_t rank = 99;  // of the truth among the answers, from 1
    double probability = 0.0;
    double seconds = 0.0;
    bool blames_somebody = false;
};

bool is_gpu(const Column& column) { return column.metric.starts_with("DCGM_"); }
bool is_mesh(const Column& column) { return column.metric.starts_with("istio_"); }

/// The frame without the columns that the options take away, blurred as asked.
Frame spoiled(const Frame& frame, const ScorecardOptions& options, std::uint64_t seed) {
    Random random(derive_seed(seed, "spoil"));
    std::vector<std::size_t> kept;
    for (std::size_t c = 0; c < frame.num_columns(); ++c) {
        const bool dropped = random.uniform() < options.drop_share;
        const Column& column = frame.column(c);
        if (dropped || (options.drop_gpu && is_gpu(column)) ||
            (options.drop_mesh && is_mesh(column)))
            continue;
        kept.push_back(c);
    }
    const auto half = static_cast<std::size_t>(
        std::llround(options.blur_seconds / std::max(1e-9, to_seconds(frame.step()))));
    Matrix values(frame.num_rows(), kept.size());
    std::vector<Column> columns;
    for (std::size_t k = 0; k < kept.size(); ++k) {
        columns.push_back(frame.column(kept[k]));
        const auto from = frame.values(kept[k]);
        for (std::size_t r = 0; r < from.size(); ++r) {
            double sum = 0.0;
            double n = 0.0;
            for (std::size_t i = r - std::min(r, half); i <= r; ++i)
                if (std::isfinite(from[i])) {
                    sum += from[i];
                    n += 1.0;
                }
            values(r, k) = std::isfinite(from[r]) && n > 0.0 ? sum / n : from[r];
        }
    }
    std::vector<TimePoint> times(frame.times().begin(), frame.times().end());
    auto made = Frame::make(std::move(times), std::move(columns), std::move(values));
    return made ? *made : Frame();
}

Result<Outcome> run_one(const ScorecardOptions& options, const std::string& kind,
                        std::uint64_t seed, const Stop& stop) {
    simulator::StackConfig config = simulator::random_config(kind, seed);
    config.alert_delay_seconds = options.alert_delay_seconds;
    config.after_seconds = std::max(config.after_seconds, 0.0);
    if (options.alert_delay_seconds > 0.0)
        config.fault_seconds += options.alert_delay_seconds;  // the fault lasts until it is noticed
    config.scrape_seconds = options.scrape_seconds;
    config.baseline_seconds = options.baseline_seconds;
    CULPRIT_TRY(Case made, simulator::simulate(config, stop));
    Incident& incident = made.incident;
    if (options.drop_share > 0.0 || options.blur_seconds > 0.0 || options.drop_gpu ||
        options.drop_mesh)
        incident.metrics = spoiled(incident.metrics, options, config.seed);
    if (options.drop_logs) incident.logs = nullptr;

    Outcome outcome{.truth = made.truth->services.empty() ? "" : made.truth->services.front(),
                    .fault = kind == "none" ? "nothing" : kind};
    FaultLibrary library = FaultLibrary::builtin();
    if (options.hold_out)
        if (const FaultSignature* known = library.find(kind))
            library = library.without(known->family);
    const auto method = make_culprit(std::move(library));
    RunContext context;
    context.options = options.method_options;
    const auto begin = std::chrono::steady_clock::now();
    const auto diagnosis = run_method(*method, incident, context);
    outcome.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (!diagnosis) return outcome;  // an error is a miss
    std::vector<std::pair<double, std::string>> answers;
    double total = 0.0;
    for (const Suspect& suspect : diagnosis->ranking.suspects()) {
        answers.emplace_back(suspect.score, suspect.service);
        total += suspect.score;
    }
    answers.emplace_back(std::max(0.0, 1.0 - total), "");
    std::ranges::stable_sort(answers,
                             [](const auto& a, const auto& b) { return a.first > b.first; });
    for (std::size_t i = 0; i < answers.size(); ++i)
        if (answers[i].second == outcome.truth) outcome.rank = i + 1;
    outcome.probability = std::clamp(answers.front().first, 0.0, 1.0);
    outcome.blames_somebody = !answers.front().second.empty();
    if (!diagnosis->findings.empty()) outcome.answered_fault = diagnosis->findings.front().fault;
    return outcome;
}

void count(Scorecard& card, KindScore& kind, const Outcome& outcome) {
    const bool right = outcome.rank == 1;
    ++card.num_cases;
    ++kind.num_cases;
    if (outcome.truth.empty()) {
        ++card.num_sound;
        card.blamed_falsely += outcome.blames_somebody ? 1 : 0;
    } else {
        ++card.num_broken;
        card.component_first += right ? 1 : 0;
        card.component_in_three += outcome.rank <= 3 ? 1 : 0;
    }
    kind.component_first += right ? 1 : 0;
    kind.component_in_three += outcome.rank <= 3 ? 1 : 0;
    if (outcome.fault == outcome.answered_fault) {
        ++kind.fault_first;
        ++card.fault_first;
    } else {
        ++kind.mistaken_for[outcome.answered_fault];
    }
    const double error = (right ? 1.0 : 0.0) - outcome.probability;
    card.brier += error * error;
    auto& bin = card.reliability[std::min<std::size_t>(
        9, static_cast<std::size_t>(outcome.probability * 10.0))];
    ++bin.count;
    bin.probability += outcome.probability;
    bin.right += right ? 1 : 0;
    card.seconds_per_case += outcome.seconds;
}

double share(std::size_t part, std::size_t whole) {
    return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

Result<Scorecard> score_on_simulator(const ScorecardOptions& options, const Stop& stop) {
    const std::vector<std::string> kinds =
        options.kinds.empty() ? simulator::fault_kinds() : options.kinds;
    std::vector<Job> jobs;
    for (std::size_t k = 0; k < kinds.size(); ++k)
        for (std::size_t i = 0; i < options.count; ++i) jobs.push_back({k, options.first_seed + i});
    std::vector<std::optional<Result<Outcome>>> outcomes(jobs.size());
    parallel_for(jobs.size(), options.num_threads, [&](std::size_t begin, std::size_t end) {
        for (std::size_t j = begin; j < end; ++j)
            outcomes[j] = run_one(options, kinds[jobs[j].kind], jobs[j].seed, stop);
    });
    CULPRIT_TRY_STATUS(stop.check());
    Scorecard card;
    for (const std::string& kind : kinds) card.kinds.push_back({.kind = kind});
    for (std::size_t j = 0; j < jobs.size(); ++j) {
        if (!*outcomes[j]) return tl::unexpected<Error>(outcomes[j]->error());
        count(card, card.kinds[jobs[j].kind], **outcomes[j]);
    }
    const auto n = static_cast<double>(std::max<std::size_t>(1, card.num_cases));
    card.brier /= n;
    card.seconds_per_case /= n;
    for (auto& bin : card.reliability)
        if (bin.count > 0) bin.probability /= static_cast<double>(bin.count);
    return card;
}

std::string scorecard_text(const Scorecard& card) {
    std::string text = fmt::format("{:<24} {:>5} {:>6} {:>6} {:>6}  {}\n", "fault (simulated)",
                                   "cases", "AC@1", "AC@3", "fault", "taken for");
    for (const KindScore& kind : card.kinds) {
        std::string mistaken;
        for (const auto& [name, count] : kind.mistaken_for)
            mistaken += fmt::format("{}{} {}", mistaken.empty() ? "" : ", ",
                                    name.empty() ? "no answer" : name, count);
        text += fmt::format("{:<24} {:>5} {:>6.2f} {:>6.2f} {:>6.2f}  {}\n", kind.kind,
                            kind.num_cases, share(kind.component_first, kind.num_cases),
                            share(kind.component_in_three, kind.num_cases),
                            share(kind.fault_first, kind.num_cases), mistaken);
    }
    text += fmt::format(
        "\ncomponent AC@1 {:.3f}, AC@3 {:.3f} of {} broken; fault kind {:.3f} of {}; false blame "
        "{:.3f} of {} sound; Brier {:.4f}; {:.1f} ms per case\n",
        share(card.component_first, card.num_broken),
        share(card.component_in_three, card.num_broken), card.num_broken,
        share(card.fault_first, card.num_cases), card.num_cases,
        share(card.blamed_falsely, card.num_sound), card.num_sound, card.brier,
        1e3 * card.seconds_per_case);
    text += "said   cases  right\n";
    for (const auto& bin : card.reliability)
        if (bin.count > 0)
            text += fmt::format("{:.2f}  {:>6}  {:.2f}\n", bin.probability, bin.count,
                                share(bin.right, bin.count));
    return text;
}

std::string scorecard_json(const Scorecard& card) {
    nlohmann::ordered_json json = {
        {"data", "simulated"},
        {"cases", card.num_cases},
        {"component_ac1", share(card.component_first, card.num_broken)},
        {"component_ac3", share(card.component_in_three, card.num_broken)},
        {"fault_kind", share(card.fault_first, card.num_cases)},
        {"false_blame", share(card.blamed_falsely, card.num_sound)},
        {"brier", card.brier},
        {"ms_per_case", 1e3 * card.seconds_per_case}};
    for (const KindScore& kind : card.kinds)
        json["kinds"].push_back({{"kind", kind.kind},
                                 {"cases", kind.num_cases},
                                 {"ac1", share(kind.component_first, kind.num_cases)},
                                 {"fault", share(kind.fault_first, kind.num_cases)}});
    for (const auto& bin : card.reliability)
        if (bin.count > 0)
            json["reliability"].push_back({{"said", bin.probability},
                                           {"cases", bin.count},
                                           {"right", share(bin.right, bin.count)}});
    return json.dump(2) + "\n";
}

}  // namespace culprit
