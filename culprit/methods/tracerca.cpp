#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <unordered_map>

#include "culprit/frame/pair_numbers.h"
#include "culprit/frame/span_series.h"
#include "culprit/methods/column_scores.h"
#include "culprit/methods/operations.h"
#include "culprit/methods/python_order.h"
#include "culprit/methods/suspicious_sets.h"
#include "culprit/rca/method.h"

namespace culprit {
namespace {

class TraceRca : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "tracerca",
        .summary = "Finds the services through which abnormal traces pass and normal ones do not.",
        .family = MethodFamily::trace,
        .in_study = true,
        .citation =
            "Li, Chen, Jiao, Zhao, Wang, Zhang, Wu, Jiang, Yan, Wang, Chen, Zhang, Nie, Sui, Pei, "
            "Practical Root Cause Localization for Microservice Systems via Trace Analysis, IWQoS "
            "2021",
        .reads = "traces",
        .ranks = "operations (reference), services (published)",
        .cost = "O(spans + closed service sets x trace patterns) time",
        .divergences = {
            {.reference = "support and confidence count slow spans of one operation",
             .published = "they count traces through sets of services, mined from the abnormal "
                          "traces, and a service's abnormal calls in against those out of it tell "
                          "cause from propagation"},
            {.reference = "a span is abnormal when slower than mean + 3 standard deviations",
             .published = "a call is abnormal when its duration, or its failing, lies more than 1 "
                          "standard deviation from the mean of its caller-callee pair, and only "
                          "where such deviations grew by 10 % (the paper's thresholds)"},
            {.reference = "operations without a slow span take part in the sort as NaN, which "
                          "leaves the others in no order",
             .published = "every service has a score; the order is that of the scores"},
            {.reference = "an operation first seen after the alert ends the run",
             .published = "its calls are never abnormal"}}};
};

Result<Diagnosis> run_reference(const SpanTable& spans, TimePoint alert) {
    const Operations operations = Operations::of(spans);
    const auto norms = operation_norms(spans, operations, alert, NormPrecision::hundredth_ms);
    CULPRIT_TRY_STATUS(check_norms(spans, operations, norms, alert));
    const std::vector<bool> slow = slow_spans(spans, operations, norms);
    std::vector<std::uint32_t> order;  // operations by first appearance after the alert
    std::vector<double> num_spans(operations.size(), 0.0);
    std::vector<double> num_slow(operations.size(), 0.0);
    double num_slow_all = 0.0;
    for (std::size_t i = 0; i < spans.size(); ++i) {
        if (spans.end(i) < alert) continue;
        const std::uint32_t o = operations.of_span[i];
        if (num_spans[o] == 0.0) order.push_back(o);
        num_spans[o] += 1.0;
        num_slow[o] += slow[i] ? 1.0 : 0.0;
        num_slow_all += slow[i] ? 1.0 : 0.0;
    }
    // Operations without a slow span have 0 / 0. The reference sorts them with the others, which
    // disturbs the order of the others, and drops them then.
    std::vector<double> jaccard;
    for (const std::uint32_t o : order) {
        const double support = num_slow[o] / num_slow_all;
        const double confidence = num_slow[o] / num_spans[o];
        jaccard.push_back(2.0 * support * confidence / (support + confidence));
    }
    std::vector<Suspect> suspects;
    auto place = static_cast<double>(order.size());
    for (const std::size_t k : python_falling_order(jaccard)) {
        if (std::isnan(jaccard[k])) continue;
        const std::uint32_t o = order[k];
        const SpanEvidence evidence = {.service = operations.services[o],
                                       .operation = operations.names[o],
                                       .quantity = "share of slow spans",
                                       .suspect = num_slow[o] / num_spans[o],
                                       .score = jaccard[k]};
        suspects.push_back({operations.names[o], operations.services[o], place--, {evidence}});
    }
    Diagnosis diagnosis;
    if (suspects.empty()) {
        diagnosis.status = DiagnosisStatus::degenerate;
        diagnosis.reason = "no span after the alert is slow";
    }
    diagnosis.notes.emplace_back(
        "scores are places: the reference's order is not that of its scores, which the evidence "
        "has");
    diagnosis.ranking = Ranking::from(std::move(suspects));
    return diagnosis;
}

constexpr std::uint32_t outside = std::numeric_limits<std::uint32_t>::max();

/// The calls between services: spans whose parent belongs to another service, or that have none.
struct Calls {
    std::vector<std::uint32_t> span;
    std::vector<std::uint32_t> caller;  ///< service, or `outside`
    std::vector<std::uint32_t> pair;    ///< numbered (caller, callee)
    std::size_t num_pairs = 0;
};

Calls calls_of(const SpanTable& spans) {
    const std::vector<std::uint32_t> parents = parents_of(spans);
    Calls calls;
    PairNumbers pairs;
    for (std::uint32_t i = 0; i < spans.size(); ++i) {
        const bool has_parent = parents[i] != SpanTimes::no_parent;
        const std::uint32_t caller = has_parent ? spans.service[parents[i]] : outside;
        if (caller == spans.service[i]) continue;  // inside one service: no call
        calls.span.push_back(i);
        calls.caller.push_back(caller);
        calls.pair.push_back(pairs.number(caller, spans.service[i]).first);
    }
    calls.num_pairs = pairs.pairs().size();
    return calls;
}

// Marks in `abnormal` the calls whose `value` deviates in a pair where deviations grew.
void mark_abnormal(const SpanTable& spans, const Calls& calls, TimePoint alert,
                   const std::vector<double>& value, std::vector<bool>& abnormal) {
    constexpr double growth_min = 0.1;    // the paper's delta_fs
    constexpr double severity_min = 1.0;  // the paper's delta_ad
    struct Norm {
        double count = 0.0;
        double mean = 0.0;
        double squares = 0.0;
        double severity[2] = {0.0, 0.0};  // sums before and after
        double count_after = 0.0;
    };
    std::vector<Norm> norms(calls.num_pairs);
    const auto is_after = [&](std::size_t k) { return spans.end(calls.span[k]) >= alert; };
    for (std::size_t k = 0; k < value.size(); ++k) {
        if (is_after(k)) continue;
        Norm& norm = norms[calls.pair[k]];
        norm.count += 1.0;
        norm.mean += value[k];
    }
    for (Norm& norm : norms) norm.mean = norm.count > 0.0 ? norm.mean / norm.count : 0.0;
    for (std::size_t k = 0; k < value.size(); ++k) {
        Norm& norm = norms[calls.pair[k]];
        if (!is_after(k)) norm.squares += (value[k] - norm.mean) * (value[k] - norm.mean);
    }
    // Where nothing ever deviated, the least deviation is as severe as the count of spans allows.
    const auto severity = [&](std::size_t k) {
        const Norm& norm = norms[calls.pair[k]];
        const double away = std::abs(value[k] - norm.mean);
        const double deviation = std::sqrt(norm.squares / std::max(norm.count, 1.0));
        if (deviation > 1e-12 * std::abs(norm.mean)) return away / deviation;
        return away > 1e-12 * std::abs(norm.mean) ? std::sqrt(norm.count) : 0.0;
    };
    for (std::size_t k = 0; k < value.size(); ++k) {
        Norm& norm = norms[calls.pair[k]];
        norm.severity[is_after(k) ? 1 : 0] += severity(k);
        norm.count_after += is_after(k) ? 1.0 : 0.0;
    }
    for (std::size_t k = 0; k < value.size(); ++k) {
        const Norm& norm = norms[calls.pair[k]];
        if (!is_after(k) || norm.count == 0.0) continue;
        const double before = norm.severity[0] / norm.count;
        const double after = norm.severity[1] / norm.count_after;
        if (after - before > growth_min * before && severity(k) > severity_min) abnormal[k] = true;
    }
}

bool has_failed(std::int32_t status) { return status >= 400; }

std::vector<bool> abnormal_calls(const SpanTable& spans, const Calls& calls, TimePoint alert) {
    std::vector<bool> abnormal(calls.span.size());
    std::vector<double> value(calls.span.size());
    for (std::size_t k = 0; k < value.size(); ++k) value[k] = duration_ms(spans, calls.span[k]);
    mark_abnormal(spans, calls, alert, value, abnormal);
    for (std::size_t k = 0; k < value.size(); ++k)
        value[k] = has_failed(spans.status[calls.span[k]]) ? 1.0 : 0.0;
    mark_abnormal(spans, calls, alert, value, abnormal);
    return abnormal;
}

void sort_distinct(std::vector<std::uint32_t>& values) {
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
}

// Traces with a span that ends after the alert, as patterns in the order of their first trace.
std::vector<TracePattern> patterns_of(const SpanTable& spans, const Calls& calls,
                                      const std::vector<bool>& abnormal, TimePoint alert) {
    std::vector<TracePattern> traces(spans.traces.size());
    std::vector<bool> is_after(spans.traces.size());
    for (std::size_t i = 0; i < spans.size(); ++i) {
        traces[spans.trace[i]].services.push_back(spans.service[i]);
        if (spans.end(i) >= alert) is_after[spans.trace[i]] = true;
    }
    for (std::size_t k = 0; k < calls.span.size(); ++k) {
        if (!abnormal[k]) continue;
        TracePattern& trace = traces[spans.trace[calls.span[k]]];
        trace.is_abnormal = true;
        trace.abnormal_incoming.push_back(spans.service[calls.span[k]]);
        if (calls.caller[k] != outside) trace.abnormal_outgoing.push_back(calls.caller[k]);
    }
    std::unordered_map<std::u32string, std::size_t> known;
    std::vector<TracePattern> patterns;
    std::u32string key;
    for (std::size_t t = 0; t < traces.size(); ++t) {
        if (!is_after[t]) continue;
        TracePattern& trace = traces[t];
        key.clear();
        for (auto* services :
             {&trace.services, &trace.abnormal_incoming, &trace.abnormal_outgoing}) {
            sort_distinct(*services);
            key.append(services->begin(), services->end());
            key.push_back(outside);
        }
        const auto [place, is_new] = known.emplace(key, patterns.size());
        if (is_new) patterns.push_back(std::move(trace));
        ++patterns[place->second].num_traces;
    }
    return patterns;
}

Result<Diagnosis> run_published(const SpanTable& spans, TimePoint alert,
                                const RunContext& context) {
    const Calls calls = calls_of(spans);
    const std::vector<bool> abnormal = abnormal_calls(spans, calls, alert);
    CULPRIT_TRY_STATUS(context.stop.check());
    const std::vector<TracePattern> patterns = patterns_of(spans, calls, abnormal, alert);
    CULPRIT_TRY(const SuspicionScores scores,
                suspicion_scores(patterns, spans.services.size(), {}, context.stop));
    Diagnosis diagnosis;
    if (!scores.is_complete)
        diagnosis.notes.emplace_back("too many service sets: only the first 4096 were looked at");
    if (std::none_of(patterns.begin(), patterns.end(),
                     [](const TracePattern& p) { return p.is_abnormal; })) {
        diagnosis.status = DiagnosisStatus::degenerate;
        diagnosis.reason = "no trace after the alert has an abnormal call";
        return diagnosis;
    }
    std::vector<Suspect> suspects;
    for (std::uint32_t s = 0; s < spans.services.size(); ++s) {
        const std::string name(spans.services[s]);
        suspects.push_back({name, name, finite_score(scores.of_service[s])});
    }
    diagnosis.ranking = Ranking::from(std::move(suspects));
    return diagnosis;
}

Result<Diagnosis> TraceRca::diagnose(const Incident& incident, const RunContext& context) const {
    CULPRIT_TRY_STATUS(check_spans(incident, info_.name));
    return context.variant == Variant::reference
               ? run_reference(*incident.spans, incident.alert)
               : run_published(*incident.spans, incident.alert, context);
}

}  // namespace

std::unique_ptr<Method> make_tracerca() { return std::make_unique<TraceRca>(); }

}  // namespace culprit
