#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "culprit/methods/column_scores.h"
#include "culprit/methods/operation_latency.h"
#include "culprit/methods/study_view.h"
#include "culprit/rca/method.h"
#include "culprit/stats/deviation.h"

namespace culprit {
namespace {

double in_standard_deviations(std::span<const double> before, std::span<const double> after,
                              const stats::DeviationOptions& options,
                              std::vector<double>& /*scratch*/) {
    return stats::standard_deviations_away(before, after, options);
}

class MultiSourceDeviation : public Method {
public:
    MultiSourceDeviation(MethodInfo info, Deviation deviation)
        : info_(std::move(info)), deviation_(deviation) {}
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_;
    Deviation deviation_;
};

MethodInfo mmbaro_info() {
    return {
        .name = "mmbaro",
        .summary =
            "BARO's robust score over metrics, log lines per container, and errors and latency per "
            "operation, in one list.",
        .family = MethodFamily::multi_source,
        .in_study = true,
        .citation =
            "The multi-source extension of BARO (Pham, Ha, Zhang, FSE 2024) in Pham, Zhang, Ha, "
            "Nguyen, Salim, RCAEval, WWW Companion 2025",
        .reads = "metrics, logs, traces",
        .ranks = "metric columns, containers, operations",
        .cost = "O(p N + spans) expected time, by selection",
        .divergences = {
            {.reference = "one-sided; constants before the alert drop out or score in raw units",
             .published = "as the published baro: two-sided, units cancel out"},
            {.reference = "counts of successful spans stand for latency",
             .published = "mean duration of each operation's spans per bin; counts only where a "
                          "case has no spans"},
            {.reference = "the two bins before the alert are left out for errors only",
             .published = "all sources are split alike"},
            {.reference = "a missing or one-sided source ends the run",
             .published = "the source is left out and noted"}}};
}

MethodInfo mmnsigma_info() {
    MethodInfo info = mmbaro_info();
    info.name = "mmnsigma";
    info.summary =
        "The 3-sigma score over metrics, log lines per container, and errors and latency per "
        "operation, in one list. In RCAEval, not in the study.";
    info.in_study = false;
    info.citation =
        "The multi-source extension of nsigma (Li et al., KDD 2022) in Pham, Zhang, Ha, Nguyen, "
        "Salim, RCAEval, WWW Companion 2025";
    info.cost = "O(p N + spans) time";
    info.divergences[0] = {
        .reference = "one-sided; columns constant on either side of the alert are dropped",
        .published = "as the published nsigma: two-sided, units cancel out"};
    return info;
}

// A source beside the metrics: its table, and how many rows before the alert stay unused.
struct Source {
    std::string_view name;
    const Frame* frame = nullptr;
    std::size_t num_unused = 0;
};

std::vector<double> filled_forward(std::span<const double> values) {
    std::vector<double> filled(values.begin(), values.end());
    double last = 0.0;
    for (double& v : filled) {
        if (!std::isfinite(v)) v = last;
        last = v;
    }
    return filled;
}

Status check(std::string_view method, const Source& source, TimePoint alert) {
    if (source.frame == nullptr)
        return fail(ErrorCode::missing_input,
                    fmt::format("{} needs {}, got none", method, source.name));
    const std::size_t normal = source.frame->first_row_at(alert);
    if (normal > source.num_unused && normal < source.frame->num_rows()) return {};
    return fail(ErrorCode::too_few_samples,
                fmt::format("{} needs {} on both sides of the alert, got {} bins before (of "
                            "which {} unused) and {} after",
                            method, source.name, normal, source.num_unused,
                            source.frame->num_rows() - normal));
}

Status add_source(const Source& source, TimePoint alert, const RunContext& context,
                  Deviation deviation, std::vector<Suspect>& suspects) {
    const Frame& frame = *source.frame;
    const std::size_t normal = frame.first_row_at(alert);
    const stats::DeviationOptions options = deviation_options(context.variant);
    CULPRIT_TRY(const std::vector<double> scores,
                series_scores(frame.num_columns(), context,
                              [&](std::size_t c, std::vector<double>& scratch) {
                                  const std::vector<double> all = filled_forward(frame.values(c));
                                  if (!varies(all)) return std::numeric_limits<double>::quiet_NaN();
                                  const std::span<const double> values(all);
                                  return deviation(values.first(normal - source.num_unused),
                                                   values.subspan(normal), options, scratch);
                              }));
    for (std::size_t c = 0; c < scores.size(); ++c) {
        if (std::isnan(scores[c])) continue;
        const Column& column = frame.column(c);
        suspects.push_back({column.name,
                            column.service.empty() ? service_of_name(column.name) : column.service,
                            finite_score(scores[c])});
    }
    return {};
}

const Frame* pointer(const std::optional<Frame>& frame) { return frame ? &*frame : nullptr; }

Result<Diagnosis> MultiSourceDeviation::diagnose(const Incident& incident,
                                                 const RunContext& context) const {
    const bool published = context.variant == Variant::published;
    CULPRIT_TRY(const StudyView view, StudyView::unrepaired(incident));
    CULPRIT_TRY_STATUS(check_both_sides(view, info_.name));
    CULPRIT_TRY(const std::vector<double> scores, deviation_scores(view, context, deviation_));
    std::vector<Suspect> suspects = column_suspects(view, scores);

    std::optional<Frame> latency;
    if (published && incident.spans) latency = operation_latency(*incident.spans);
    const Source sources[] = {
        {"log lines per container", pointer(incident.log_counts)},
        {"errors per operation", pointer(incident.span_errors), published ? 0U : 2U},
        {"latency per operation", latency ? &*latency : pointer(incident.span_successes)}};
    Diagnosis diagnosis;
    for (const Source& source : sources) {
        const Status usable = check(info_.name, source, incident.alert);
        if (!usable && !published) return fail(usable.error().code, usable.error().message);
        if (!usable) {
            diagnosis.notes.push_back("left out: " + usable.error().message);
            continue;
        }
        CULPRIT_TRY_STATUS(add_source(source, incident.alert, context, deviation_, suspects));
    }
    diagnosis.ranking = Ranking::from(std::move(suspects));
    return diagnosis;
}

}  // namespace

std::unique_ptr<Method> make_mmbaro() {
    return std::make_unique<MultiSourceDeviation>(mmbaro_info(), stats::quartile_ranges_away);
}
std::unique_ptr<Method> make_mmnsigma() {
    return std::make_unique<MultiSourceDeviation>(mmnsigma_info(), in_standard_deviations);
}

}  // namespace culprit
