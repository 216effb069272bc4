#include "culprit/tailored/symptom.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "culprit/frame/span_series.h"
#include "culprit/stats/quantile.h"
#include "culprit/stats/robust_shift.h"
#include "culprit/tailored/evidence.h"
#include "culprit/tailored/front.h"
#include "culprit/tailored/signal_text.h"
#include "culprit/tailored/span_features.h"

namespace culprit::tailored {
namespace {

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t requests_before_min = 10;
constexpr std::size_t requests_after_min = 5;
constexpr double usual_quantile = 0.9;  // that many of the earlier requests were no slower
constexpr double standard_errors_min = 3.0;
constexpr double growth_min = 1.2;
constexpr double far_times = 2.0;  // of the slowest earlier request: few need no statistics
constexpr std::ptrdiff_t far_requests_min = 2;
constexpr double failed_share_min = 0.02;
constexpr double failed_count_min = 3.0;
constexpr double moved_deviations = 2.5;
constexpr double load_growth_min = 1.25;
constexpr double length_growth_min = 1.3;
constexpr std::string_view failures = "failed requests";
constexpr std::size_t slow_signals_min = 2;  // one of several latencies moves now and then
constexpr double idle_share = 0.15;          // of its tokens

/// One call by a client, as the first service that it reaches saw it.
struct Request {
    TimePoint end;
    double latency = 0.0;            // s
    double first_token = nan_value;  // s
    bool failed = false;
};

/// Requests in the order in which they ended.
std::vector<Request> requests_of(const SpanTable& spans) {
    const auto parent = parents_of(spans);
    std::map<std::uint32_t, std::size_t> roots;  // by service
    for (std::size_t i = 0; i < spans.size(); ++i)
        if (parent[i] == SpanTimes::no_parent) ++roots[spans.service[i]];
    const auto entry = std::ranges::max_element(
        roots, [](const auto& a, const auto& b) { return a.second < b.second; });
    if (entry == roots.end()) return {};
    const SpanFailure has_failed(spans);
    std::vector<std::size_t> request_of(spans.traces.size(), SIZE_MAX);
    std::vector<Request> requests;
    std::vector<TimePoint> starts;
    for (std::size_t i = 0; i < spans.size(); ++i) {
        if (parent[i] != SpanTimes::no_parent || spans.service[i] != entry->first) continue;
        request_of[spans.trace[i]] = requests.size();
        starts.push_back(spans.start[i]);
        requests.push_back({.end = spans.end(i),
                            .latency = to_seconds(spans.duration[i]),
                            .failed = has_failed(spans.status[i])});
    }
    std::vector<bool> decodes(spans.operations.size());
    for (std::uint32_t o = 0; o < spans.operations.size(); ++o)
        decodes[o] = speaks_of_decoding(spans.operations[o]);
    for (std::size_t i = 0; i < spans.size(); ++i) {
        const std::size_t at = request_of[spans.trace[i]];
        if (at == SIZE_MAX || !decodes[spans.operation[i]]) continue;
        const double until = to_seconds(spans.start[i] - starts[at]);
        double& first = requests[at].first_token;
        if (until >= 0.0 && !(first <= until)) first = until;
    }
    std::ranges::stable_sort(requests, {}, &Request::end);
    return requests;
}

/// A quantity of single requests, before and since.
struct Felt {
    std::string name;
    double before = 0.0;  // p95, or a share
    double now = 0.0;
    bool moved = false;
    TimePoint since;
    Duration uncertainty{};

    double growth() const { return std::log(now / std::max(before, 1e-6)); }
};

struct Sample {
    TimePoint end;
    double value = 0.0;
};

/// When the values left their past: by the likelihood ratio of their logarithms.
void find_since(Felt& felt, const std::vector<Sample>& samples, const std::vector<double>& before,
                const Windows& windows) {
    std::vector<double> logs;
    logs.reserve(before.size());
    for (const double v : before) logs.push_back(std::log(std::max(v, 1e-6)));
    std::vector<double> searched;
    std::vector<TimePoint> ends;
    double sum = 0.0;
    double count = 0.0;
    for (const Sample& s : samples) {
        if (s.end < windows.search.begin) continue;
        searched.push_back(std::log(std::max(s.value, 1e-6)));
        ends.push_back(s.end);
        if (s.end < windows.suspect.begin) continue;
        sum += searched.back();
        count += 1.0;
    }
    const double location = stats::median_in_place(logs);
    for (double& v : logs) v = std::abs(v - location);
    const double scale = 1.4826 * stats::median_in_place(logs) + 0.1;
    const double shift = std::max(sum / std::max(count, 1.0) - location, scale);
    const auto onset = stats::find_onset(searched, location, scale, shift);
    if (!onset) return;
    felt.since = ends[onset->index];
    // Requests tell the time to no less than a second.
    felt.uncertainty =
        std::chrono::ceil<std::chrono::seconds>((ends[onset->latest] - ends[onset->earliest]) / 2);
}

std::optional<Felt> felt_of(std::string name, const std::vector<Sample>& samples,
                            const Windows& windows) {
    std::vector<double> before;
    std::vector<double> after;
    for (const Sample& s : samples) {
        if (s.end < windows.reference.end) before.push_back(s.value);
        if (s.end >= windows.suspect.begin) after.push_back(s.value);
    }
    if (before.size() < requests_before_min || after.size() < requests_after_min)
        return std::nullopt;
    std::vector<double> scratch;
    const double usual = stats::quantile(before, usual_quantile, scratch);
    Felt felt{.name = std::move(name),
              .before = stats::quantile(before, 0.95, scratch),
              .now = stats::quantile(after, 0.95, scratch)};
    const auto n = static_cast<double>(after.size());
    const auto slow =
        static_cast<double>(std::ranges::count_if(after, [&](double v) { return v > usual; }));
    const double expected = (1.0 - usual_quantile) * n;
    const double slowest = *std::ranges::max_element(before);
    const auto far =
        std::ranges::count_if(after, [&](double v) { return v > far_times * slowest; });
    felt.moved = felt.now >= growth_min * felt.before &&
                 (slow - expected >= standard_errors_min * std::sqrt(expected * usual_quantile) ||
                  far >= far_requests_min);
    if (felt.moved) find_since(felt, samples, before, windows);
    return felt;
}

std::optional<Felt> failures_of(const std::vector<Request>& requests, const Windows& windows) {
    std::array<double, 2> failed{};
    std::array<double, 2> all{};
    Felt felt{.name = std::string(failures)};
    for (const Request& r : requests) {
        if (r.end >= windows.reference.end && r.end < windows.suspect.begin) continue;
        const std::size_t side = r.end >= windows.suspect.begin ? 1 : 0;
        all[side] += 1.0;
        if (!r.failed) continue;
        failed[side] += 1.0;
        if (side == 1 && felt.since == TimePoint{}) felt.since = r.end;
    }
    if (all[0] < static_cast<double>(requests_before_min) || all[1] == 0.0) return std::nullopt;
    felt.before = failed[0] / all[0];
    felt.now = failed[1] / all[1];
    felt.moved = failed[1] >= failed_count_min && felt.now - felt.before >= failed_share_min &&
                 stats::count_shift(failed[0], all[0], failed[1], all[1]) >= moved_deviations;
    return felt;
}

std::string text_of(const Felt& felt) {
    const std::string unit = felt.name == failures ? "1" : "s";
    return fmt::format("{} {}", felt.name, change_text(felt.before, felt.now, unit));
}

/// From single requests; nothing when there are too few.
std::optional<FindingStep> from_requests(const Incident& incident, const Windows& windows) {
    if (!incident.spans || incident.spans->size() == 0) return std::nullopt;
    const auto requests = requests_of(*incident.spans);
    std::vector<Sample> latency;
    std::vector<Sample> first_token;
    for (const Request& r : requests) {
        if (r.failed) continue;  // a refusal is quick and no relief
        latency.push_back({r.end, r.latency});
        if (std::isfinite(r.first_token)) first_token.push_back({r.end, r.first_token});
    }
    std::vector<Felt> felt;
    if (auto f = failures_of(requests, windows)) felt.push_back(std::move(*f));
    const std::size_t times_from = felt.size();
    if (auto f = felt_of("time to first token p95", first_token, windows))
        felt.push_back(std::move(*f));
    if (auto f = felt_of("request latency p95", latency, windows)) felt.push_back(std::move(*f));
    if (felt.empty()) return std::nullopt;
    std::stable_sort(felt.begin() + static_cast<std::ptrdiff_t>(times_from), felt.end(),
                     [](const Felt& a, const Felt& b) { return a.growth() > b.growth(); });
    FindingStep step;
    std::string still;
    for (const Felt& f : felt) {
        std::string& text = f.moved ? step.text : still;
        const bool none_failed = f.name == failures && f.now == 0.0 && f.before == 0.0;
        text += (text.empty() ? "" : ", ") + (none_failed ? "none failed" : text_of(f));
        if (!f.moved) continue;
        if (step.signal.empty()) {
            step.signal = f.name;
            step.unit = f.name == failures ? "1" : "s";
            step.baseline = f.before;
            step.now = f.now;
        }
        if (step.when == TimePoint{} || (f.since != TimePoint{} && f.since < step.when)) {
            step.when = f.since;
            step.uncertainty = f.uncertainty;
        }
    }
    if (step.text.empty()) step.text = "requests as before: " + still;
    return step;
}

/// How long callers wait, as those before the engines or ordinary services measure it.
bool is_callers_wait(const std::string& signal) {
    return signal == "istio_request_duration_milliseconds" ||
           signal == "http_request_duration_seconds" ||
           signal == "ray_serve_http_request_latency_ms";
}

bool is_slowness(const std::string& signal) {
    return signal == "engine.ttft" || signal == "engine.itl" || signal == "engine.e2e" ||
           signal == "engine.queue_time" || signal == "engine.prefill_time" ||
           signal == "engine.decode_time" || is_callers_wait(signal);
}

/// From the means of engines, gateways and services, where no spans tell of single requests.
std::optional<FindingStep> from_means(const Observations& seen, const Frame& metrics) {
    const Observation* most = nullptr;
    std::string at;
    bool has_latency = false;
    for (const auto& [service, observations] : seen.of)
        for (const Observation& o : observations) {
            const Feature& f = seen.features[o.feature];
            if (f.signal != "engine.ttft" && f.signal != "engine.e2e" && f.signal != "engine.itl" &&
                !is_callers_wait(f.signal))
                continue;
            has_latency = true;
            if (o.vanished || o.own < moved_deviations || o.suspect < growth_min * o.baseline)
                continue;
            if (most != nullptr && o.suspect / o.baseline <= most->suspect / most->baseline)
                continue;
            most = &o;
            at = service;
        }
    if (!has_latency) return std::nullopt;
    if (most == nullptr) return FindingStep{.text = "latencies as before"};
    const Feature& feature = seen.features[most->feature];
    const std::string unit = unit_of(feature, metrics);
    return FindingStep{.when = most->onset,
                       .uncertainty = most->onset_uncertainty,
                       .text = fmt::format("{} {} at {}", signal_text(feature.signal),
                                           change_text(most->baseline, most->suspect, unit), at),
                       .signal = feature.signal,
                       .unit = unit,
                       .baseline = most->baseline,
                       .now = most->suspect};
}

struct Replicas {
    std::size_t all = 0;
    std::size_t slow = 0;
    std::size_t idle = 0;
    std::size_t silent = 0;
};

Replicas count_replicas(const Observations& seen, const Frame& metrics) {
    Replicas count;
    for (const auto& [service, observations] : seen.of) {
        if (!is_replica(service, seen, metrics)) continue;
        bool idle = false;
        std::size_t latencies = 0;
        std::size_t slow = 0;
        bool silent = false;  // its exporter was not reached: what it does is not known
        for (const Observation& o : observations) {
            const Feature& f = seen.features[o.feature];
            silent = silent || (o.vanished && makes_tokens(f.signal));
            if (is_slowness(f.signal) && !o.vanished) {
                ++latencies;
                slow += o.own >= moved_deviations && o.suspect >= growth_min * o.baseline ? 1 : 0;
            }
            idle = idle || (f.signal == "engine.generation_tokens" && !o.vanished &&
                            o.own <= -moved_deviations && o.suspect <= idle_share * o.baseline);
        }
        ++count.all;
        if (silent)
            ++count.silent;
        else if (idle)
            ++count.idle;
        else if (slow >= std::max<std::size_t>(1, std::min(slow_signals_min, latencies)))
            ++count.slow;
    }
    return count;
}

std::string replicas_text(const Replicas& count) {
    if (count.all == 0) return {};
    const char* noun = count.all == 1 ? "replica" : "replicas";
    std::string text;
    const auto add = [&](std::size_t n, const char* what) {
        if (n == 0) return;
        text += text.empty() ? fmt::format("{} of {} {} {}", n, count.all, noun, what)
                             : fmt::format(", {} {}", n, what);
    };
    add(count.silent, "silent");
    add(count.idle, "without output");
    add(count.slow, "slow");
    return text.empty() ? "no replica slow" : text;
}

/// Arrivals: at the proxies, or else the requests that the engines completed.
std::string load_text(const Observations& seen) {
    for (const char* signal : {"proxy.requests", "engine.completed"}) {
        double before = 0.0;
        double now = 0.0;
        double most = 0.0;
        bool found = false;
        for (const auto& [service, observations] : seen.of)
            for (const Observation& o : observations) {
                const Feature& f = seen.features[o.feature];
                if (f.signal != signal || f.kind != FeatureKind::rate) continue;
                found = true;
                before += o.baseline;
                now += std::isfinite(o.suspect) ? o.suspect : 0.0;
                most = std::max(most, std::abs(o.own));
            }
        if (!found) continue;
        const double ratio = now / std::max(before, 1e-9);
        const bool moved = most >= moved_deviations &&
                           (ratio >= load_growth_min || ratio <= 1.0 / load_growth_min);
        const std::string what =
            std::string_view(signal) == "proxy.requests" ? "load" : "requests completed";
        if (!moved) return what + " unchanged";
        return fmt::format("{} {:.3g} -> {:.3g} requests/s", what, before, now);
    }
    return {};
}

/// Prompts and answers: median over the engines of how many times as long they became.
std::string lengths_text(const Observations& seen) {
    std::string text;
    for (const auto& [signal, noun] :
         {std::pair{"engine.prompt_length", "prompts"}, {"engine.output_length", "answers"}}) {
        std::vector<double> ratios;
        std::vector<double> deviations;
        for (const auto& [service, observations] : seen.of)
            for (const Observation& o : observations)
                if (seen.features[o.feature].signal == signal && !o.vanished && o.baseline > 0.0) {
                    ratios.push_back(o.suspect / o.baseline);
                    deviations.push_back(std::abs(o.own));
                }
        if (ratios.empty() || stats::median_in_place(deviations) < moved_deviations) continue;
        const double ratio = stats::median_in_place(ratios);
        if (ratio >= length_growth_min)
            text += fmt::format(", {} {:.2g} times as long", noun, ratio);
        else if (ratio <= 1.0 / length_growth_min)
            text += fmt::format(", {} {:.2g} of their length", noun, ratio);
    }
    return text;
}

/// Did somebody's requests get slower, or fail?
bool got_worse(const Feature& feature, const Observation& seen) {
    if (seen.own < moved_deviations) return false;
    if (is_slowness(feature.signal)) return seen.suspect >= growth_min * seen.baseline;
    return family_of_signal(feature.signal) == SignalFamily::errors;
}

}  // namespace

UsersFelt users_felt(const std::optional<FindingStep>& symptom, const Observations& seen,
                     const Incident& incident) {
    if (!symptom) return UsersFelt::unknown;
    const Replicas count = count_replicas(seen, incident.metrics);
    if (symptom->when != TimePoint{} || count.slow + count.idle + count.silent > 0)
        return UsersFelt::something;
    for (const auto& [service, observations] : seen.of)
        for (const Observation& o : observations)
            if (o.vanished || got_worse(seen.features[o.feature], o)) return UsersFelt::something;
    return UsersFelt::nothing;
}

std::optional<FindingStep> symptom_of(const Observations& seen, const Incident& incident,
                                      const Windows& windows) {
    auto step = from_requests(incident, windows);
    if (!step) step = from_means(seen, incident.metrics);
    if (!step) return std::nullopt;
    step->remark = replicas_text(count_replicas(seen, incident.metrics));
    const std::string lengths = lengths_text(seen);
    std::string load = load_text(seen);
    if (!lengths.empty() && load == "load unchanged") load = "as many requests";
    if (!load.empty()) step->remark += (step->remark.empty() ? "" : ", ") + load;
    step->remark += lengths;
    return step;
}

}  // namespace culprit::tailored
