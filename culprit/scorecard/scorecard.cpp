#include "culprit/scorecard/scorecard.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "culprit/base/stopwatch.h"
#include "culprit/tailored/culprit_method.h"

namespace culprit {
namespace {

struct Answer {
    double probability;
    std::string component;
};

/// Components and "nobody" by falling probability, but whom the method tells of first comes first.
/// Without findings the method has only ranked: then nobody is never the answer.
std::vector<Answer> answers_of(const Diagnosis& diagnosis) {
    std::vector<Answer> answers;
    for (const Suspect& suspect : diagnosis.ranking.suspects())
        answers.push_back({suspect.score, suspect.service});
    if (!diagnosis.findings.empty()) answers.push_back({diagnosis.nobody, ""});
    std::ranges::stable_sort(
        answers, [](const Answer& a, const Answer& b) { return a.probability > b.probability; });
    if (!diagnosis.findings.empty())
        std::stable_partition(answers.begin(), answers.end(), [&](const Answer& a) {
            return a.component == diagnosis.findings.front().component;
        });
    return answers;
}

void add(Scorecard& card, KindScore& kind, const Outcome& outcome) {
    const bool right = outcome.rank == 1;
    ++card.num_cases;
    ++kind.num_cases;
    if (outcome.broken) {
        ++card.num_broken;
        card.component_first += right ? 1 : 0;
        card.component_in_three += outcome.rank <= 3 ? 1 : 0;
        for (std::size_t k = 1; k <= 5; ++k) card.average_at_5 += outcome.rank <= k ? 0.2 : 0.0;
    } else {
        ++card.num_sound;
        card.blamed_falsely += outcome.answered_component.empty() ? 0 : 1;
    }
    kind.component_first += right ? 1 : 0;
    kind.component_in_three += outcome.rank <= 3 ? 1 : 0;
    if (!outcome.answered_fault.empty()) {
        ++card.num_with_fault;
        card.fault_first += outcome.fault_right ? 1 : 0;
        kind.fault_first += outcome.fault_right ? 1 : 0;
        if (!outcome.fault_right) ++kind.mistaken_for[outcome.answered_fault];
    }
    card.seconds_per_case += outcome.seconds;
    if (!outcome.has_probability) return;
    ++card.num_with_probability;
    const double error = (right ? 1.0 : 0.0) - outcome.probability;
    card.brier += error * error;
    auto& bin = card.reliability[std::min<std::size_t>(
        9, static_cast<std::size_t>(outcome.probability * 10.0))];
    ++bin.count;
    bin.probability += outcome.probability;
    bin.right += right ? 1 : 0;
}

double share(std::size_t part, std::size_t whole) {
    return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

bool same_fault(const FaultLibrary& library, const std::string& answered, const std::string& kind,
                bool broken) {
    if (answered == "nothing") {
        const FaultSignature* known = library.find_by_name(kind);
        return !broken && known == nullptr;
    }
    const FaultSignature* known = library.find(answered);
    return known != nullptr && known->is_called(kind);
}

Outcome judge(const Case& incident_case, const ScoringOptions& options, std::uint64_t seed,
              const Stop& stop) {
    const GroundTruth truth = incident_case.truth.value_or(GroundTruth{});
    Outcome outcome{
        .name = incident_case.id, .kind = truth.fault, .broken = !truth.services.empty()};
    FaultLibrary library = options.library;
    if (options.hold_out)
        if (const FaultSignature* known = library.find_by_name(truth.fault))
            library = library.without(known->family);
    const auto method = make_culprit(std::move(library), options.experience);
    RunContext context;
    context.stop = stop;
    context.num_threads = 1;
    context.options = options.method_options;
    const Incident incident = spoiled(incident_case.incident, options.spoiling, seed);
    const Stopwatch stopwatch;
    const auto diagnosis = run_method(*method, incident, context);
    outcome.seconds = stopwatch.seconds();
    if (!diagnosis) return outcome;
    const auto answers = answers_of(*diagnosis);
    std::set<std::string> told;
    for (const Answer& answer : answers) {
        if (!told.insert(answer.component).second) continue;
        const bool right = outcome.broken ? std::ranges::find(truth.services, answer.component) !=
                                                truth.services.end()
                                          : answer.component.empty();
        if (right) {
            outcome.rank = told.size();
            break;
        }
    }
    if (!answers.empty()) outcome.answered_component = answers.front().component;
    if (diagnosis->findings.empty()) return outcome;
    outcome.has_probability = true;
    outcome.probability = std::clamp(answers.front().probability, 0.0, 1.0);
    outcome.answered_fault = diagnosis->findings.front().fault;
    const auto own = truth.fault_of.find(diagnosis->findings.front().component);
    outcome.fault_right =
        same_fault(options.library, outcome.answered_fault,
                   own == truth.fault_of.end() ? truth.fault : own->second, outcome.broken);
    return outcome;
}

Scorecard scorecard_of(std::string source, std::vector<Outcome> outcomes) {
    Scorecard card{.source = std::move(source), .outcomes = std::move(outcomes)};
    for (const Outcome& outcome : card.outcomes) {
        auto kind = std::ranges::find(card.kinds, outcome.kind, &KindScore::kind);
        if (kind == card.kinds.end())
            kind = card.kinds.insert(card.kinds.end(), {.kind = outcome.kind});
        add(card, *kind, outcome);
    }
    const auto mean = [](double& sum, std::size_t n) {
        sum /= static_cast<double>(std::max<std::size_t>(1, n));
    };
    mean(card.brier, card.num_with_probability);
    mean(card.average_at_5, card.num_broken);
    mean(card.seconds_per_case, card.num_cases);
    for (auto& bin : card.reliability) mean(bin.probability, bin.count);
    return card;
}

std::string scorecard_text(const Scorecard& card, bool with_cases) {
    std::string text;
    if (with_cases)
        for (const Outcome& o : card.outcomes)
            text += fmt::format("{:<5} {:<44} {:<20} {:<22} {:.2f}\n",
                                o.rank == 1 ? "right" : "WRONG", o.name,
                                o.answered_component.empty() ? "(nobody)" : o.answered_component,
                                o.answered_fault, o.probability);
    text += fmt::format("{:<24} {:>5} {:>6} {:>6} {:>6}  {}\n",
                        card.source == "simulated" ? "fault (simulated)" : "fault", "cases", "AC@1",
                        "AC@3", "fault", "taken for");
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
        "\ncomponent AC@1 {:.3f}, AC@3 {:.3f}, Avg@5 {:.3f} of {} broken; fault kind {:.3f} of {}; "
        "false blame {:.3f} of {} sound; Brier {:.4f}; {:.1f} ms per case\n",
        share(card.component_first, card.num_broken),
        share(card.component_in_three, card.num_broken), card.average_at_5, card.num_broken,
        share(card.fault_first, card.num_with_fault), card.num_with_fault,
        share(card.blamed_falsely, card.num_sound), card.num_sound, card.brier,
        1e3 * card.seconds_per_case);
    if (card.num_with_probability == 0) return text;
    text += "said   cases  right\n";
    for (const auto& bin : card.reliability)
        if (bin.count > 0)
            text += fmt::format("{:.2f}  {:>6}  {:.2f}\n", bin.probability, bin.count,
                                share(bin.right, bin.count));
    return text;
}

std::string scorecard_json(const Scorecard& card) {
    nlohmann::ordered_json json = {
        {"data", card.source},
        {"cases", card.num_cases},
        {"component_ac1", share(card.component_first, card.num_broken)},
        {"broken", card.num_broken},
        {"component_ac3", share(card.component_in_three, card.num_broken)},
        {"component_avg5", card.average_at_5},
        {"named_a_fault", card.num_with_fault},
        {"fault_kind", share(card.fault_first, card.num_with_fault)},
        {"sound", card.num_sound},
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
