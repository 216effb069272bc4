#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "culprit/methods/column_scores.h"
#include "culprit/methods/operations.h"
#include "culprit/methods/study_view.h"
#include "culprit/rca/method.h"
#include "culprit/stats/kernel_density.h"
#include "culprit/stats/moments.h"

namespace culprit {
namespace {

class PDiagnose : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "pdiagnose",
        .summary = "Lets anomalous metrics, error log lines and slow spans vote for their service.",
        .family = MethodFamily::multi_source,
        .in_study = true,
        .citation =
            "Hou, Jia, Wu, Li, Han, Diagnosing Performance Issues in Microservices with "
            "Heterogeneous Data Source, ISPA 2021",
        .reads = "metrics, logs, traces",
        .ranks = "services",
        .cost = "O(p N + log bytes + spans) time",
        .divergences = {
            {.reference =
                 "a metric votes once per row at or above mean + 3 standard deviations, so "
                 "that a constant metric votes in every row",
             .published =
                 "it votes with the share of rows outside of the baseline's kernel density "
                 "estimate (0.135 % on each side), less the same share before the alert; "
                 "the paper's moving average for periodic metrics is left out"},
            {.reference = "error and fail lines of the whole log count",
             .published = "only their growth after the alert, in any letter case"},
            {.reference = "votes are counts and grow with the sampling rate",
             .published = "each indicator has at most one vote, each log and operation too"},
            {.reference = "a service without metrics, or an operation never seen before the alert, "
                          "ends the run",
             .published = "the service joins the ranking; such an operation has no vote"}}};
};

/// Votes per service, in the order in which services were first named.
class Votes {
public:
    double& of(std::string_view service) {
        const std::uint32_t id = services_.intern(service);
        if (id == votes_.size()) votes_.push_back(0.0);
        return votes_[id];
    }
    bool knows(std::string_view service) const { return services_.find(service).has_value(); }
    Ranking ranking(double factor) const {
        std::vector<Suspect> suspects;
        for (std::uint32_t i = 0; i < votes_.size(); ++i)
            suspects.push_back({std::string(services_[i]), std::string(services_[i]),
                                finite_score(factor * votes_[i])});
        return Ranking::from(std::move(suspects));
    }

private:
    StringPool services_;
    std::vector<double> votes_;
};

bool is_error(std::string_view message) {
    return message.find("error") != std::string_view::npos ||
           message.find("fail") != std::string_view::npos;
}

bool is_error_in_any_case(std::string_view message, std::string& lowered) {
    lowered.assign(message);
    for (char& c : lowered)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    return is_error(lowered);
}

double rows_above_three_sigma(const StudyView& view, std::size_t c) {
    const auto normal = view.normal(c);
    if (normal.size() < 2) return 0.0;  // pandas: a deviation that is NaN
    const double limit = stats::mean(normal) + 3.0 * stats::sample_standard_deviation(normal);
    const auto after = view.anomalous(c);
    return static_cast<double>(
        std::count_if(after.begin(), after.end(), [&](double v) { return v >= limit; }));
}

Result<Diagnosis> run_reference(const Incident& incident, const StudyView& view) {
    if (!incident.logs || !incident.spans)
        return fail(ErrorCode::missing_input,
                    fmt::format("pdiagnose (reference) needs metrics, logs and traces, got no {}",
                                incident.logs ? "traces" : "logs"));
    Votes votes;
    for (std::size_t c = 0; c < view.num_columns(); ++c) {
        const std::string& name = view.names()[c];
        if (name.find("time") != std::string::npos || name.front() == '_') continue;
        votes.of(std::string_view(name).substr(0, name.find('_'))) +=
            rows_above_three_sigma(view, c);
    }
    const auto add = [&](std::string_view service, std::string_view kind) -> Status {
        if (!votes.knows(service))
            return fail(ErrorCode::missing_input,
                        fmt::format("{} \"{}\" has no metric column: the reference ends here", kind,
                                    service));
        votes.of(service) += 1.0;
        return {};
    };
    const LogTable& logs = *incident.logs;
    for (std::size_t i = 0; i < logs.size(); ++i)
        if (is_error(logs.message(i)))
            CULPRIT_TRY_STATUS(add(logs.sources[logs.source[i]], "container"));

    const SpanTable& spans = *incident.spans;
    const Operations operations = Operations::of(spans);
    const auto norms =
        operation_norms(spans, operations, incident.alert, NormPrecision::hundredth_ms);
    CULPRIT_TRY_STATUS(check_norms(spans, operations, norms, incident.alert));
    const std::vector<bool> slow = slow_spans(spans, operations, norms);
    for (std::size_t i = 0; i < spans.size(); ++i) {
        if (!slow[i] || spans.end(i) < incident.alert) continue;
        const std::string_view service = spans.services[spans.service[i]];
        CULPRIT_TRY_STATUS(
            add(service == "frontendservice" ? "frontend" : service, "traced service"));
    }
    Diagnosis diagnosis;
    constexpr double weight = 5.0;  // the reference's ALPHA; every source has the same
    diagnosis.ranking = votes.ranking(weight);
    return diagnosis;
}

double share_outside(std::span<const double> values, const stats::DensityRange& range) {
    if (values.empty()) return 0.0;
    const auto outside =
        std::count_if(values.begin(), values.end(), [&](double v) { return !range.contains(v); });
    return static_cast<double>(outside) / static_cast<double>(values.size());
}

// By how much the rate of error lines grew: 1 - expected / found where that is more than chance
// (three standard deviations of a Poisson count), else no vote.
void add_log_votes(const Incident& incident, Votes& votes) {
    const LogTable& logs = *incident.logs;
    const double before = to_seconds(incident.baseline.length());
    const double after = to_seconds(incident.suspect.length());
    if (!(before > 0.0) || !(after > 0.0)) return;
    std::vector<double> errors_before(logs.sources.size());
    std::vector<double> errors_after(logs.sources.size());
    std::string lowered;
    for (std::size_t i = 0; i < logs.size(); ++i) {
        const bool is_before = incident.baseline.contains(logs.time[i]);
        if (!is_before && !incident.suspect.contains(logs.time[i])) continue;
        if (!is_error_in_any_case(logs.message(i), lowered)) continue;
        (is_before ? errors_before : errors_after)[logs.source[i]] += 1.0;
    }
    for (std::uint32_t s = 0; s < logs.sources.size(); ++s) {
        const double expected = errors_before[s] * after / before;
        const double found = errors_after[s];
        double& vote = votes.of(logs.sources[s]);
        if (found > expected + 3.0 * std::sqrt(std::max(expected, 1.0)))
            vote += 1.0 - expected / found;
    }
}

// The share of an operation's spans that are slow or failed after the alert, less that before.
void add_span_votes(const Incident& incident, Votes& votes) {
    const SpanTable& spans = *incident.spans;
    const Operations operations = Operations::of(spans);
    const auto norms = operation_norms(spans, operations, incident.alert, NormPrecision::full);
    const std::vector<bool> slow = slow_spans(spans, operations, norms);
    struct Tally {
        double bad[2] = {0.0, 0.0};
        double all[2] = {0.0, 0.0};
    };
    std::vector<Tally> tallies(operations.size());
    for (std::size_t i = 0; i < spans.size(); ++i) {
        Tally& tally = tallies[operations.of_span[i]];
        const std::size_t side = spans.end(i) < incident.alert ? 0 : 1;
        const bool failed = spans.status[i] >= 500;
        tally.all[side] += 1.0;
        tally.bad[side] += slow[i] || failed ? 1.0 : 0.0;
    }
    for (std::size_t o = 0; o < operations.size(); ++o) {
        const Tally& tally = tallies[o];
        double& vote = votes.of(operations.services[o]);
        if (tally.all[0] == 0.0 || tally.all[1] == 0.0) continue;
        vote += std::max(0.0, tally.bad[1] / tally.all[1] - tally.bad[0] / tally.all[0]);
    }
}

Result<Diagnosis> run_published(const Incident& incident, const StudyView& view,
                                const RunContext& context) {
    constexpr double tail = 0.00135;  // one side of three standard deviations of a normal law
    CULPRIT_TRY(const std::vector<double> metric_votes,
                series_scores(view.num_columns(), context,
                              [&](std::size_t c, std::vector<double>& scratch) {
                                  const auto range = stats::density_range_among(
                                      view.normal(c), view.anomalous(c), tail, scratch);
                                  return std::max(0.0, share_outside(view.anomalous(c), range) -
                                                           share_outside(view.normal(c), range));
                              }));
    Votes votes;
    for (std::size_t c = 0; c < view.num_columns(); ++c)
        if (!view.service(c).empty()) votes.of(view.service(c)) += metric_votes[c];
    Diagnosis diagnosis;
    if (incident.logs)
        add_log_votes(incident, votes);
    else
        diagnosis.notes.emplace_back("no logs: metrics and traces vote");
    if (incident.spans)
        add_span_votes(incident, votes);
    else
        diagnosis.notes.emplace_back("no traces: metrics and logs vote");
    diagnosis.ranking = votes.ranking(1.0);
    return diagnosis;
}

Result<Diagnosis> PDiagnose::diagnose(const Incident& incident, const RunContext& context) const {
    CULPRIT_TRY(const StudyView view, StudyView::of(incident));
    CULPRIT_TRY_STATUS(check_both_sides(view, info_.name));
    return context.variant == Variant::reference ? run_reference(incident, view)
                                                 : run_published(incident, view, context);
}

}  // namespace

std::unique_ptr<Method> make_pdiagnose() { return std::make_unique<PDiagnose>(); }

}  // namespace culprit
