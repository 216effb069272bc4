#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "culprit/methods/column_scores.h"
#include "culprit/methods/operations.h"
#include "culprit/methods/trace_coverage.h"
#include "culprit/rca/method.h"

namespace culprit {
namespace {

class MicroRank : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "microrank",
        .summary =
            "Weighs operations by PageRank over normal and abnormal traces and ranks them by a "
            "weighted spectrum (Dstar2).",
        .family = MethodFamily::trace,
        .in_study = true,
        .citation =
            "Yu, Chen, Chen, Guan, Huang, Jing, Weng, Sun, Li, MicroRank: End-to-End Latency Issue "
            "Localization with Extended Spectrum Analysis in Microservice Environments, WWW 2021",
        .reads = "traces",
        .ranks = "operations",
        .cost = "O(spans) expected time; traces with equal operations are one class",
        .divergences = {
            {.reference = "the two PageRank graphs hold all spans before and all after the alert; "
                          "the abnormal traces only lend their count",
             .published = "the traces after the alert are divided into abnormal and normal ones, "
                          "each with its graph; without a normal one those before the alert serve"},
            {.reference = "an operation's children are those of its last span",
             .published = "those of all its spans"},
            {.reference = "a span is slow by itself; a trace can be abnormal and normal at once",
             .published = "a trace is abnormal when its spans together last longer than expected: "
                          "the sum over them of mean + 3 standard deviations"},
            {.reference = "an operation first seen after the alert ends the run; eleven operations "
                          "are ranked; counts can turn negative",
             .published = "such an operation is expected to last as long as it does; all are "
                          "ranked; counts come from one partition"}}};
};

/// One side of the spectrum: weights and trace counts of its operations, and its traces.
struct Side {
    TraceCoverage coverage;
    std::vector<double> weight;  // per local operation
    double num_traces = 0.0;     // by which the spectrum counts
};

// What the spectrum gives an operation that one side lacks.
constexpr double absent = 1e-7;

Ranking spectrum(const Operations& operations, const Side& abnormal, const Side& normal) {
    std::vector<std::ptrdiff_t> in_normal(operations.size(), -1);
    for (std::size_t o = 0; o < normal.coverage.num_operations(); ++o)
        in_normal[normal.coverage.operation[o]] = static_cast<std::ptrdiff_t>(o);
    std::vector<bool> is_abnormal(operations.size());
    std::vector<Suspect> suspects;
    const auto add = [&](std::uint32_t operation, double ef, double nf, double ep) {
        suspects.push_back({operations.names[operation], operations.services[operation],
                            finite_score(ef * ef / (ep + nf))});
    };
    for (std::size_t o = 0; o < abnormal.coverage.num_operations(); ++o) {
        const std::uint32_t operation = abnormal.coverage.operation[o];
        is_abnormal[operation] = true;
        const double count = abnormal.coverage.num_traces_of[o];
        const double ef = abnormal.weight[o] * count;
        const double nf = abnormal.weight[o] * (abnormal.num_traces - count);
        const std::ptrdiff_t n = in_normal[operation];
        const double ep = n < 0 ? absent
                                : normal.weight[static_cast<std::size_t>(n)] *
                                      normal.coverage.num_traces_of[static_cast<std::size_t>(n)];
        add(operation, ef, nf, ep);
    }
    for (std::size_t o = 0; o < normal.coverage.num_operations(); ++o) {
        const std::uint32_t operation = normal.coverage.operation[o];
        if (!is_abnormal[operation])
            add(operation, absent, absent,
                (1.0 + normal.weight[o]) * normal.coverage.num_traces_of[o]);
    }
    return Ranking::from(std::move(suspects));
}

Side side_of(TraceCoverage coverage, TracePreference preference, double num_traces) {
    Side side;
    side.weight = operation_weights(coverage, preference);
    side.num_traces = num_traces;
    side.coverage = std::move(coverage);
    return side;
}

Result<Diagnosis> run_reference(const SpanTable& spans, TimePoint alert) {
    const Operations operations = Operations::of(spans);
    const auto norms = operation_norms(spans, operations, alert, NormPrecision::hundredth_ms);
    CULPRIT_TRY_STATUS(check_norms(spans, operations, norms, alert));
    // A trace with a slow span counts as abnormal, one with a span that is not as normal; an
    // operation whose norm is NaN decides neither.
    std::vector<bool> has_slow(spans.traces.size());
    std::vector<bool> has_fast(spans.traces.size());
    for (std::size_t i = 0; i < spans.size(); ++i) {
        if (spans.end(i) < alert) continue;
        const OperationNorm& norm = norms[operations.of_span[i]];
        const double limit_ms = norm.mean_ms + 3.0 * norm.deviation_ms;
        if (duration_ms(spans, i) >= limit_ms) has_slow[spans.trace[i]] = true;
        if (duration_ms(spans, i) < limit_ms) has_fast[spans.trace[i]] = true;
    }
    const auto count = [](const std::vector<bool>& flags) {
        return static_cast<double>(std::count(flags.begin(), flags.end(), true));
    };
    const auto is_after = [&](std::size_t i) { return spans.end(i) >= alert; };
    const Side abnormal = side_of(trace_coverage(spans, operations, is_after, CallGraph::last_span),
                                  TracePreference::anomalous, count(has_slow));
    const Side normal = side_of(
        trace_coverage(
            spans, operations, [&](std::size_t i) { return !is_after(i); }, CallGraph::last_span),
        TracePreference::rare_kinds, count(has_fast));
    const Ranking all = spectrum(operations, abnormal, normal);
    constexpr std::size_t ranked_max = 11;  // the reference's top 5 + 6
    Diagnosis diagnosis;
    const auto suspects = all.suspects();
    diagnosis.ranking = Ranking::from(
        {suspects.begin(),
         suspects.begin() + static_cast<std::ptrdiff_t>(std::min(ranked_max, suspects.size()))});
    return diagnosis;
}

// Per trace: whether it has a span ending after the alert, and whether it lasts too long.
struct Partition {
    std::vector<bool> is_after;
    std::vector<bool> is_abnormal;
};

Partition divide(const SpanTable& spans, const Operations& operations, TimePoint alert) {
    const auto norms = operation_norms(spans, operations, alert, NormPrecision::full);
    Partition partition;
    partition.is_after.resize(spans.traces.size());
    std::vector<double> excess_ms(spans.traces.size());
    for (std::size_t i = 0; i < spans.size(); ++i) {
        if (spans.end(i) >= alert) partition.is_after[spans.trace[i]] = true;
        const OperationNorm& norm = norms[operations.of_span[i]];
        if (norm.num_spans > 1)
            excess_ms[spans.trace[i]] +=
                duration_ms(spans, i) - norm.mean_ms - 3.0 * norm.deviation_ms;
    }
    partition.is_abnormal.resize(spans.traces.size());
    for (std::size_t t = 0; t < excess_ms.size(); ++t)
        partition.is_abnormal[t] = partition.is_after[t] && excess_ms[t] > 0.0;
    return partition;
}

Result<Diagnosis> run_published(const SpanTable& spans, TimePoint alert) {
    const Operations operations = Operations::of(spans);
    const Partition partition = divide(spans, operations, alert);
    const auto coverage_of = [&](const std::function<bool(std::uint32_t)>& chosen) {
        return trace_coverage(
            spans, operations, [&](std::size_t i) { return chosen(spans.trace[i]); },
            CallGraph::all_spans);
    };
    Diagnosis diagnosis;
    TraceCoverage abnormal = coverage_of([&](std::uint32_t t) { return partition.is_abnormal[t]; });
    if (abnormal.num_operations() == 0) {
        diagnosis.status = DiagnosisStatus::degenerate;
        diagnosis.reason = "no trace after the alert lasts longer than expected";
        return diagnosis;
    }
    TraceCoverage normal = coverage_of(
        [&](std::uint32_t t) { return partition.is_after[t] && !partition.is_abnormal[t]; });
    if (normal.num_operations() == 0) {
        diagnosis.notes.emplace_back(
            "every trace after the alert is abnormal: those before it are the normal ones");
        normal = coverage_of([&](std::uint32_t t) { return !partition.is_after[t]; });
    }
    const auto num_abnormal = static_cast<double>(abnormal.num_traces());
    const auto num_normal = static_cast<double>(normal.num_traces());
    diagnosis.notes.push_back(
        fmt::format("{} abnormal traces, {} normal", num_abnormal, num_normal));
    diagnosis.ranking =
        spectrum(operations, side_of(std::move(abnormal), TracePreference::anomalous, num_abnormal),
                 side_of(std::move(normal), TracePreference::rare_kinds, num_normal));
    return diagnosis;
}

Result<Diagnosis> MicroRank::diagnose(const Incident& incident, const RunContext& context) const {
    CULPRIT_TRY_STATUS(check_spans(incident, info_.name));
    return context.variant == Variant::reference ? run_reference(*incident.spans, incident.alert)
                                                 : run_published(*incident.spans, incident.alert);
}

}  // namespace

std::unique_ptr<Method> make_microrank() { return std::make_unique<MicroRank>(); }

}  // namespace culprit
