#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <string_view>

#include "culprit/methods/column_scores.h"
#include "culprit/methods/operations.h"
#include "culprit/methods/study_view.h"
#include "culprit/rca/method.h"
#include "culprit/stats/moments.h"

namespace culprit {
namespace {

constexpr double sigmas = 3.0;          // of a metric, as the authors have it
constexpr double rows_share_min = 0.1;  // of the suspect rows beyond it: one noisy row is no alert
constexpr double latency_ratio = 3.0;   // of an operation's 95th percentile, as the authors have it
constexpr double log_ratio = 3.0;       // of the rate of error lines
constexpr std::size_t log_lines_min = 3;

class SimpleRca : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "simple_rca",
        .summary =
            "Counts, per service, the metrics beyond three standard deviations, the operations "
            "whose 95th percentile tripled and a tripled rate of error log lines. Included because "
            "its authors show that such rules match the published methods on four public sets.",
        .family = MethodFamily::baseline,
        .citation =
            "Fang, Zhang, Yang, Wu, Xu, Wang, Wang, Wang, Lu, He, Rethinking the Evaluation of "
            "Microservice RCA with a Fault Propagation-Aware Benchmark, arXiv 2510.04711, 2025 "
            "(SimpleRCA; thresholds for share of rows and log lines are ours)",
        .reads = "metrics; logs and traces where there are any",
        .ranks = "services",
        .cost = "O(p N + log bytes + spans log spans) time",
        .variants = {Variant::published}};
};

// Alerts per service, in order of first appearance. The excess, below one, only breaks ties.
class Alerts {
public:
    void add_service(const std::string& service) {
        if (service.empty()) return;
        if (slot_of_.try_emplace(service, services_.size()).second) services_.push_back({service});
    }
    void add(const std::string& service, double excess) {
        if (service.empty()) return;  // a column or span that names nobody
        add_service(service);
        Entry& entry = services_[slot_of_[service]];
        entry.count += 1.0;
        entry.excess = std::max(entry.excess, std::min(excess, 1e9));  // finite
    }
    std::vector<Suspect> suspects() const {
        std::vector<Suspect> result;
        for (const Entry& e : services_)
            result.push_back(
                {e.service, e.service, e.count + 0.999 * e.excess / (e.excess + 100.0)});
        return result;
    }

private:
    struct Entry {
        std::string service;
        double count = 0.0;
        double excess = 0.0;
    };
    std::vector<Entry> services_;
    std::map<std::string, std::size_t> slot_of_;
};

void add_metric_alerts(const StudyView& view, Alerts& alerts) {
    for (std::size_t c = 0; c < view.num_columns(); ++c) {
        alerts.add_service(view.service(c));
        if (!varies(view.column(c))) continue;
        const stats::Moments normal = stats::moments(view.normal(c));
        // A series that was still before: one per cent of its level stands for the deviation.
        const double scale =
            std::max(std::sqrt(normal.variance), 0.01 * std::abs(normal.mean) + 1e-12);
        std::size_t num_beyond = 0;
        double farthest = 0.0;
        for (const double v : view.anomalous(c)) {
            const double z = std::abs(v - normal.mean) / scale;
            num_beyond += z > sigmas ? 1 : 0;
            farthest = std::max(farthest, z);
        }
        const auto rows = static_cast<double>(view.anomalous(c).size());
        if (static_cast<double>(num_beyond) >= std::max(1.0, rows_share_min * rows))
            alerts.add(view.service(c), farthest);
    }
}

double percentile_95(std::vector<double>& values) {
    const std::size_t k = values.size() * 95 / 100;
    std::nth_element(values.begin(), values.begin() + static_cast<long>(k), values.end());
    return values[k];
}

void add_trace_alerts(const SpanTable& spans, TimePoint alert, Alerts& alerts) {
    constexpr std::size_t spans_min = 5;
    const Operations operations = Operations::of(spans);
    std::vector<std::vector<double>> before(operations.size());
    std::vector<std::vector<double>> after(operations.size());
    for (std::size_t i = 0; i < spans.size(); ++i)
        (spans.end(i) < alert ? before : after)[operations.of_span[i]].push_back(
            duration_ms(spans, i));
    for (std::size_t op = 0; op < operations.size(); ++op) {
        if (before[op].size() < spans_min || after[op].size() < spans_min) continue;
        const double usual = percentile_95(before[op]);
        const double now = percentile_95(after[op]);
        if (now > latency_ratio * usual && usual > 0.0)
            alerts.add(operations.services[op], now / usual);
    }
}

bool is_error_line(std::string_view message) {
    for (const std::string_view word : {"error", "Error", "ERROR", "fail", "Fail", "FAIL",
                                        "exception", "Exception", "timeout", "Timeout"})
        if (message.find(word) != std::string_view::npos) return true;
    return false;
}

void add_log_alerts(const LogTable& logs, const Incident& incident, Alerts& alerts) {
    std::map<std::uint32_t, std::pair<std::size_t, std::size_t>> lines;  // before, after
    for (std::size_t i = 0; i < logs.size(); ++i) {
        if (!is_error_line(logs.message(i))) continue;
        auto& [before, after] = lines[logs.source[i]];
        ++(logs.time[i] < incident.alert ? before : after);
    }
    const double usual_seconds = std::max(1.0, to_seconds(incident.baseline.length()));
    const double now_seconds = std::max(1.0, to_seconds(incident.suspect.length()));
    for (const auto& [source, count] : lines) {
        const double usual = static_cast<double>(count.first) / usual_seconds;
        const double now = static_cast<double>(count.second) / now_seconds;
        if (count.second >= log_lines_min && now > log_ratio * usual)
            alerts.add(std::string(logs.sources[source]), now / std::max(usual, 1e-3));
    }
}

Result<Diagnosis> SimpleRca::diagnose(const Incident& incident, const RunContext& context) const {
    CULPRIT_TRY(const StudyView view, StudyView::of(incident));
    CULPRIT_TRY_STATUS(check_both_sides(view, info_.name));
    Alerts alerts;
    add_metric_alerts(view, alerts);
    CULPRIT_TRY_STATUS(context.stop.check());
    if (incident.spans) add_trace_alerts(*incident.spans, incident.alert, alerts);
    CULPRIT_TRY_STATUS(context.stop.check());
    if (incident.logs) add_log_alerts(*incident.logs, incident, alerts);
    Diagnosis diagnosis;
    diagnosis.ranking = Ranking::from(alerts.suspects());
    return diagnosis;
}

}  // namespace

std::unique_ptr<Method> make_simple_rca() { return std::make_unique<SimpleRca>(); }

}  // namespace culprit
