#include "culprit/tailored/culprit_method.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "culprit/tailored/explanation.h"
#include "culprit/tailored/generic_score.h"
#include "culprit/tailored/hypotheses.h"
#include "culprit/tailored/log_features.h"
#include "culprit/tailored/quiet.h"
#include "culprit/tailored/span_features.h"
#include "culprit/tailored/symptom.h"

namespace culprit {
namespace {

constexpr std::size_t evidence_per_service = 4;
constexpr std::size_t findings_max = 5;
constexpr double nobody_min = 0.4;  // from here on "nobody" may be the answer

/// Is it told by something else than what an engine or a GPU shows?
bool is_told_without_engine(const FaultSignature& fault) {
    return std::ranges::any_of(fault.signals, [](const ExpectedSignal& expected) {
        return expected.direction != Direction::flat && expected.weight >= 3 &&
               !expected.signal.starts_with("engine.") && !expected.signal.starts_with("gpu.") &&
               !expected.signal.starts_with("vllm:");
    });
}

/// Faults that strike any system: of hosts, containers, links, and of the load.
FaultLibrary faults_of_any_system(const FaultLibrary& library) {
    constexpr std::array<std::string_view, 6> components = {"host",    "container", "link",
                                                            "service", "replica",   "deployment"};
    std::vector<FaultSignature> kept;
    for (const FaultSignature& fault : library.signatures())
        if (std::ranges::find(components, fault.component) != components.end() &&
            (fault.scope != FaultScope::all || is_told_without_engine(fault)))
            kept.push_back(fault);
    return FaultLibrary::of(std::move(kept));
}

class Culprit : public Method {
public:
    Culprit() = default;
    Culprit(FaultLibrary library, Experience experience)
        : library_(std::move(library)),
          any_system_(faults_of_any_system(*library_)),
          experience_(std::move(experience)) {}
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    const FaultLibrary& library() const { return library_ ? *library_ : FaultLibrary::builtin(); }
    const FaultLibrary& any_system() const {
        static const FaultLibrary shipped = faults_of_any_system(FaultLibrary::builtin());
        return any_system_ ? *any_system_ : shipped;
    }

    std::optional<FaultLibrary> library_;
    std::optional<FaultLibrary> any_system_;  // of `library_`
    Experience experience_;
    MethodInfo info_ = {
        .name = "culprit",
        .summary =
            "Fuses metrics, logs and traces: what changed by itself, what its siblings, callees "
            "and the load explain, and which known fault of LLM serving fits.",
        .family = MethodFamily::tailored,
        .citation = "this project, docs/method.md",
        .reads = "metrics, logs, traces, topology, changes; each may be missing",
        .ranks = "services",
        .cost = "O(p N + spans + log lines) time",
        .variants = {Variant::published},
        .options = {{"siblings", 1, 0, 1, "compare a replica with its siblings"},
                    {"signatures", 1, 0, 1, "match the known faults; 0: only \"unknown\""},
                    {"logs", 1, 0, 1, "read log lines"},
                    {"order", 1, 0, 1, "weigh the order in which signals moved"},
                    {"changes", 1, 0, 1, "weigh rollouts, restarts and configuration changes"},
                    {"spans", 1, 0, 1, "read spans"},
                    {"call_flow", 1, 0, 1, "let blame flow along the call graph"},
                    {"nothing_prior", 0.35, 0.001, 0.9, "probability that an alert means nothing"},
                    {"temper", 0.9, 0, 2, "share of the log odds of the signals that counts"},
                    {"correlation", 0.35, 0, 1,
                     "0: signals of one kind are independent, 1: they are one signal"}}};
};

/// Does the incident show an LLM engine or a GPU?
bool knows_the_system(const std::vector<tailored::Feature>& features) {
    return std::ranges::any_of(features, [](const tailored::Feature& f) {
        return f.signal.starts_with("gpu.") || tailored::is_of_inference(f.signal);
    });
}

/// The component that ranks first, or nobody where that is likelier and has 0.4 at least: the alert
/// meant something, though it be not clear whom. Its likeliest hypothesis comes first, so that what
/// is told is what is ranked.
void put_the_answer_first(const std::vector<Suspect>& suspects, double nobody,
                          std::vector<tailored::Hypothesis>& hypotheses) {
    const auto first = std::ranges::max_element(suspects, {}, &Suspect::score);
    if (first == suspects.end()) return;
    const bool is_nobody = nobody >= nobody_min && nobody > first->score;
    const auto answer = std::ranges::find(hypotheses, is_nobody ? std::string() : first->service,
                                          &tailored::Hypothesis::component);
    if (answer != hypotheses.end()) std::rotate(hypotheses.begin(), answer, answer + 1);
}

/// Did the requests of most services that count them rise? (Fewer requests are as likely the effect
/// of clients that wait for answers.)
bool load_moved(const tailored::GenericScore& generic) {
    constexpr double moved_deviations = 3.0;
    std::map<std::string, double> farthest;
    for (const tailored::ColumnShift& moved : generic.shifts) {
        if (moved.family.role != tailored::FamilyRole::traffic) continue;
        double& score = farthest[moved.service];
        if (std::abs(moved.shift.score) > std::abs(score)) score = moved.shift.score;
    }
    std::size_t up = 0;
    for (const auto& [service, score] : farthest) up += score >= moved_deviations ? 1 : 0;
    return 2 * up > farthest.size();
}

/// Does the signature say that more requests arrive (or fewer), and nothing is broken?
bool tells_of_arrivals(const FaultSignature& fault, bool more) {
    const Direction expected = more ? Direction::up : Direction::down;
    return fault.scope == FaultScope::all && fault.component == "service" &&
           std::ranges::any_of(fault.signals, [&](const ExpectedSignal& s) {
               return s.signal == "proxy.requests" && s.direction == expected;
           });
}

/// How the probability is divided between nobody and all services.
struct NobodysShare {
    double nothing = 0.0;  ///< is wrong
    double load = 0.0;     ///< changed, and no component is broken
    /// The signature of the change that the counts show, if it is more telling than what the
    /// signatures say by themselves.
    const FaultSignature* counted = nullptr;
};

NobodysShare nobodys_share(const tailored::GenericScore& generic, const FaultLibrary& library,
                           const std::vector<tailored::Hypothesis>& hypotheses, double ahead) {
    NobodysShare share{.nothing = tailored::probability_of_nothing(tailored::unrest(generic))};
    // As little as it may be: what most services count alike is no accident.
    const double moved = 1.0 - tailored::state_of(generic.load.deviations).flat;
    double load = 0.0;
    double somebody = 0.0;
    for (const tailored::Hypothesis& h : hypotheses)
        if (!h.component.empty())
            somebody += h.probability;
        else if (h.kind == tailored::HypothesisKind::fault)
            load += h.probability;
    // More load moves services alike: the farther one stands out, the less it explains.
    if (load > 0.0 && load_moved(generic))
        share.load = (1.0 - share.nothing) * load / (load + somebody) * std::exp(-ahead);
    const double nobody = tailored::probability_of_nothing(tailored::unrest_beyond_load(generic));
    const double explained = nobody - std::min(share.nothing, nobody) * (1.0 - moved);
    if (explained <= share.load) return share;
    for (const FaultSignature& fault : library.signatures())
        if (tells_of_arrivals(fault, generic.load.factor > 1.0)) share.counted = &fault;
    share.load = explained;
    share.nothing = nobody - explained;
    if (share.counted == nullptr && load <= 0.0)  // no name for it
        share.nothing += std::exchange(share.load, 0.0);
    return share;
}

/// Gives each hypothesis what its component, the load or "nothing" has by the generic score.
void share_out(const NobodysShare& nobodys, const std::map<std::string, double>& blame,
               std::vector<tailored::Hypothesis>& hypotheses) {
    std::map<std::string, double> before;
    const auto is_load = [&](const tailored::Hypothesis& h) {
        return h.kind == tailored::HypothesisKind::fault && h.component.empty() &&
               (nobodys.counted == nullptr || h.fault == nobodys.counted);
    };
    double load = 0.0;
    for (const tailored::Hypothesis& h : hypotheses)
        if (!h.component.empty())
            before[h.component] += h.probability;
        else
            load += is_load(h) ? h.probability : 0.0;
    for (tailored::Hypothesis& h : hypotheses)
        if (h.kind == tailored::HypothesisKind::nothing)
            h.probability = nobodys.nothing;
        else if (h.component.empty())
            h.probability *= is_load(h) && load > 0.0 ? nobodys.load / load : 0.0;
        else
            h.probability *=
                before[h.component] > 0.0 ? blame.at(h.component) / before[h.component] : 0.0;
    if (nobodys.counted != nullptr && load <= 0.0)
        hypotheses.push_back({.fault = nobodys.counted, .probability = nobodys.load});
    for (const auto& [service, probability] : blame)
        if (!before.contains(service))
            hypotheses.push_back({.kind = tailored::HypothesisKind::unknown,
                                  .component = service,
                                  .seen_at = service,
                                  .probability = probability});
    std::ranges::stable_sort(
        hypotheses, [](const auto& a, const auto& b) { return a.probability > b.probability; });
}

/// What the load did comes before what followed from it.
void tell_load(const Incident& incident, const tailored::GenericScore& generic,
               const FaultSignature& changed, std::vector<Finding>& findings) {
    const auto finding = std::ranges::find_if(
        findings, [&](const Finding& f) { return f.component.empty() && f.fault == changed.id; });
    if (finding == findings.end()) return;
    for (FindingStep& step : finding->chain)
        if (step.remark == "first to move") step.remark.clear();
    FindingStep step =
        tailored::load_step(incident.metrics, generic.windows, generic.shifts, generic.load);
    step.remark = fmt::format("leaves {:.1f} of the farthest series' {:.1f} deviations",
                              tailored::unrest_beyond_load(generic), tailored::unrest(generic));
    finding->chain.insert(finding->chain.begin(), std::move(step));
}

/// Something is wrong, but whoever were named would be named by chance: says that instead.
void say_that_nobody_stands_out(const std::vector<Suspect>& suspects, Diagnosis& diagnosis) {
    constexpr double stands_out_min = 0.15;  // from here on a finding's chain is told
    if (diagnosis.nobody >= nobody_min || suspects.empty()) return;
    const double highest = std::ranges::max_element(suspects, {}, &Suspect::score)->score;
    const double by_chance = 1.0 / static_cast<double>(suspects.size());
    if (highest >= std::min(stands_out_min, 1.5 * by_chance)) return;
    diagnosis.findings.insert(diagnosis.findings.begin(),
                              {.fault = "unknown",
                               .name = "something is wrong, but nobody stands out",
                               .probability = 1.0 - diagnosis.nobody});
    if (diagnosis.findings.size() > findings_max) diagnosis.findings.resize(findings_max);
}

/// For systems of which no more is known than how far each service moved: which service is the
/// generic score's, whether anything moved at all the quiet time's, whether the load explains it
/// what is counted, and which fault it is the signatures'.
Status add_generic_findings(const Incident& incident, const RunContext& context,
                            const FaultLibrary& library, const tailored::HypothesisOptions& options,
                            std::vector<tailored::Feature> features,
                            const tailored::GenericScore& generic, std::vector<Suspect>& suspects,
                            Diagnosis& diagnosis) {
    CULPRIT_TRY(const tailored::Observations seen,
                tailored::observe(std::move(features), incident.metrics, generic.windows,
                                  context.stop, context.num_threads));
    const tailored::LogMatches logs = tailored::match_logs(incident, generic.windows, library);
    CULPRIT_TRY_STATUS(context.stop.check());
    std::vector<tailored::Hypothesis> hypotheses =
        tailored::weigh(seen, incident, generic.windows, library, logs, options);
    double highest = 0.0;
    double second = 0.0;
    for (const Suspect& suspect : suspects) {
        second = std::max(second, std::min(highest, suspect.score));
        highest = std::max(highest, suspect.score);
    }
    const NobodysShare nobodys = nobodys_share(generic, library, hypotheses, highest - second);
    diagnosis.nobody = nobodys.nothing + nobodys.load;
    double total = 0.0;
    for (const Suspect& suspect : suspects) total += std::exp(suspect.score - highest);
    std::map<std::string, double> blame;
    for (Suspect& suspect : suspects) {
        suspect.score = (1.0 - diagnosis.nobody) * std::exp(suspect.score - highest) / total;
        blame[suspect.service] = suspect.score;
    }
    share_out(nobodys, blame, hypotheses);
    put_the_answer_first(suspects, diagnosis.nobody, hypotheses);
    const tailored::Weighed weighed{hypotheses, seen, logs, incident, generic.windows};
    diagnosis.symptom = tailored::symptom_of(seen, incident, generic.windows);
    diagnosis.findings = tailored::explain(weighed, findings_max);
    if (nobodys.counted != nullptr)
        tell_load(incident, generic, *nobodys.counted, diagnosis.findings);
    say_that_nobody_stands_out(suspects, diagnosis);
    return {};
}

void say_that_two_may_be_broken(Diagnosis& diagnosis) {
    double sum = 0.0;
    for (const Finding& finding : diagnosis.findings) sum += finding.probability;
    if (sum > 1.005)  // as shown, in whole per cent
        diagnosis.notes.emplace_back(
            "two components may be broken at once: each has its own probability, which add to more "
            "than 100 %");
}

/// Puts the posterior over (component, fault) into the diagnosis; a service's score becomes the
/// probability that it is the culprit, and the generic score only orders equal ones.
Status add_findings(const Incident& incident, const RunContext& context,
                    const FaultLibrary& library, tailored::HypothesisOptions options,
                    std::vector<tailored::Feature> features, const tailored::Windows& windows,
                    std::vector<Suspect>& suspects, Diagnosis& diagnosis) {
    CULPRIT_TRY(const tailored::Observations seen,
                tailored::observe(std::move(features), incident.metrics, windows, context.stop,
                                  context.num_threads));
    const tailored::LogMatches logs = tailored::match_logs(incident, windows, library);
    CULPRIT_TRY_STATUS(context.stop.check());
    diagnosis.symptom = tailored::symptom_of(seen, incident, windows);
    options.users_felt = tailored::users_felt(diagnosis.symptom, seen, incident);
    auto hypotheses = tailored::weigh(seen, incident, windows, library, logs, options);
    CULPRIT_TRY_STATUS(context.stop.check());
    std::unordered_map<std::string_view, double> blame;
    for (const tailored::Hypothesis& h : hypotheses) blame[h.component] += h.probability;
    diagnosis.nobody = blame[""];
    for (Suspect& suspect : suspects) {
        const auto found = blame.find(suspect.service);
        suspect.score = (found == blame.end() ? 0.0 : found->second) +
                        1e-6 * suspect.score / (1.0 + suspect.score);
    }
    put_the_answer_first(suspects, diagnosis.nobody, hypotheses);
    const tailored::Weighed weighed{hypotheses, seen, logs, incident, windows};
    diagnosis.findings = tailored::explain(weighed, findings_max);
    say_that_two_may_be_broken(diagnosis);
    diagnosis.blind_spots = tailored::blind_spots(weighed, Catalogue::builtin());
    return {};
}

Result<Diagnosis> Culprit::diagnose(const Incident& incident, const RunContext& context) const {
    const bool has_spans = incident.spans && incident.spans->size() > 0;
    if (incident.metrics.num_columns() == 0 && !has_spans)
        return fail(ErrorCode::too_few_samples,
                    "culprit needs metrics or spans on both sides of the alert, got neither");
    const auto on = [&](const char* part) { return context.option(info_, part) > 0.0; };
    Incident used = incident;
    if (!on("logs")) used.logs = nullptr;
    if (!on("spans")) used.spans = nullptr;
    if (!on("changes")) used.changes.clear();
    if (!on("call_flow")) used.topology = nullptr;
    CULPRIT_TRY(const tailored::GenericScore generic, tailored::generic_score(used, context));
    if (generic.score.empty())
        return fail(ErrorCode::too_few_samples,
                    "culprit needs at least one column or span that names a service, got none");
    auto shifts = tailored::shift_evidence(incident.metrics, generic.windows, generic.shifts,
                                           evidence_per_service);
    std::vector<Suspect> suspects;
    for (const std::string& service : generic.services) {
        Suspect suspect{.name = service, .service = service, .score = generic.score.at(service)};
        for (ShiftEvidence& e : shifts[service]) suspect.evidence.emplace_back(std::move(e));
        if (const auto found = generic.spans.evidence.find(service);
            found != generic.spans.evidence.end())
            for (std::size_t i = 0; i < std::min(evidence_per_service, found->second.size()); ++i)
                suspect.evidence.emplace_back(found->second[i]);
        suspects.push_back(std::move(suspect));
    }
    Diagnosis diagnosis{.notes = generic.notes};
    CULPRIT_TRY(auto features, tailored::features_of(incident, Catalogue::builtin(), context.stop,
                                                     context.num_threads));
    const FaultLibrary none;
    const tailored::HypothesisOptions options = {
        .correlation = {.temper = context.option(info_, "temper"),
                        .power = context.option(info_, "correlation")},
        .nothing_prior = context.option(info_, "nothing_prior"),
        .experience = &experience_,
        .use_siblings = on("siblings"),
        .use_order = on("order"),
        .num_threads = context.num_threads};
    if (knows_the_system(features) || (used.spans && tailored::speaks_of_inference(*used.spans))) {
        if (used.spans) tailored::add_span_features(features, *used.spans, used.metrics);
        if (used.logs)
            tailored::add_log_features(features, *used.logs, used.metrics, generic.windows);
        CULPRIT_TRY_STATUS(add_findings(used, context, on("signatures") ? library() : none, options,
                                        std::move(features), generic.windows, suspects, diagnosis));
    } else {
        CULPRIT_TRY_STATUS(add_generic_findings(used, context,
                                                on("signatures") ? any_system() : none, options,
                                                std::move(features), generic, suspects, diagnosis));
    }
    diagnosis.ranking = Ranking::from(std::move(suspects));
    if (diagnosis.ranking.empty() || diagnosis.ranking.suspects().front().score <= 0.0) {
        diagnosis.status = DiagnosisStatus::degenerate;
        diagnosis.reason = "nothing moved: every service's score is 0";
    }
    return diagnosis;
}

}  // namespace

std::unique_ptr<Method> make_culprit() { return std::make_unique<Culprit>(); }

std::unique_ptr<Method> make_culprit(FaultLibrary library, Experience experience) {
    return std::make_unique<Culprit>(std::move(library), std::move(experience));
}

}  // namespace culprit
