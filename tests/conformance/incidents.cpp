#include "incidents.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "culprit/base/random.h"

namespace culprit {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double inf = std::numeric_limits<double>::infinity();

TimePoint at(double seconds) { return time_from_seconds(1.77e9 + seconds); }

std::vector<std::string> services_of_chain(std::size_t count) {
    std::vector<std::string> names = {"nginx-proxy"};
    for (std::size_t i = 1; i < count; ++i) names.push_back("svc-" + std::to_string(i));
    return names;
}

Column column_of(const std::string& service, const std::string& metric) {
    return {.name = service + "_" + metric, .service = service, .metric = metric};
}

Frame frame_of(const std::vector<TimePoint>& times, std::vector<Column> columns, Matrix values) {
    return Frame::make(times, std::move(columns), std::move(values)).value();
}

struct Plan {
    IncidentSize size;
    std::vector<std::string> services;
    std::vector<TimePoint> times;
    std::size_t alert_row = 0;
    bool is_broken(std::size_t row) const { return row >= alert_row; }
};

Frame make_metrics(const Plan& plan) {
    const char* const metrics[] = {"ctn_cpu",  "ctn_network",  "ctn_memory",  "ctn_gpu",
                                   "node_cpu", "node_network", "node_memory", "latency"};
    std::vector<Column> columns;
    for (const std::string& service : plan.services)
        for (const char* metric : metrics) columns.push_back(column_of(service, metric));
    Matrix values(plan.times.size(), columns.size());
    Random random(1);
    for (std::size_t c = 0; c < columns.size(); ++c) {
        const bool is_cause = columns[c].service == plan.services.back();
        double level = 10.0 + static_cast<double>(c);
        for (std::size_t r = 0; r < plan.times.size(); ++r) {
            level += 0.05 * random.normal();
            const bool is_moved =
                plan.is_broken(r) &&
                (columns[c].metric == "latency" || (is_cause && columns[c].metric == "ctn_cpu"));
            values(r, c) = level + random.normal() + (is_moved ? 40.0 : 0.0);
        }
    }
    return frame_of(plan.times, std::move(columns), std::move(values));
}

Frame make_edge_latency(const Plan& plan) {
    std::vector<Column> columns;
    for (std::size_t s = 1; s < plan.services.size(); ++s)
        columns.push_back(column_of(plan.services[s - 1], plan.services[s]));
    Matrix values(plan.times.size(), columns.size());
    Random random(2);
    for (std::size_t c = 0; c < columns.size(); ++c)
        for (std::size_t r = 0; r < plan.times.size(); ++r)
            values(r, c) = 20.0 + random.normal() + (plan.is_broken(r) ? 300.0 : 0.0);
    return frame_of(plan.times, std::move(columns), std::move(values));
}

Frame make_counts(const Plan& plan, const std::vector<Column>& columns, double level,
                  std::uint64_t seed) {
    Matrix values(plan.times.size(), columns.size());
    Random random(seed);
    for (std::size_t c = 0; c < columns.size(); ++c)
        for (std::size_t r = 0; r < plan.times.size(); ++r)
            values(r, c) = std::floor(level * random.exponential() + (plan.is_broken(r) ? 3 : 0));
    return frame_of(plan.times, columns, std::move(values));
}

SpanTable make_spans(const Plan& plan) {
    SpanTable spans;
    Random random(4);
    const double step_s = 5.0 * static_cast<double>(plan.times.size()) /
                          static_cast<double>(std::max<std::size_t>(plan.size.num_traces, 1));
    std::uint64_t id = 0;
    for (std::size_t t = 0; t < plan.size.num_traces; ++t) {
        const double start = step_s * static_cast<double>(t);
        const bool is_broken = at(start) >= plan.times[plan.alert_row];
        std::uint64_t parent = 0;
        const std::size_t depth = 1 + random.below(plan.services.size());
        for (std::size_t s = 0; s < depth; ++s) {
            const double ms = 5.0 * static_cast<double>(depth - s) + random.uniform() +
                              (is_broken && depth == plan.services.size() ? 50.0 : 0.0);
            spans.start.push_back(at(start + 0.001 * static_cast<double>(s)));
            spans.duration.push_back(Duration(static_cast<std::int64_t>(ms * 1e6)));
            spans.trace.push_back(spans.traces.intern("t" + std::to_string(t)));
            spans.id.push_back(++id);
            spans.parent_id.push_back(parent);
            parent = id;
            spans.service.push_back(spans.services.intern(plan.services[s]));
            spans.operation.push_back(spans.operations.intern("POST"));
            spans.method.push_back(spans.operations.intern("/v1/" + std::to_string(s)));
            spans.status.push_back(is_broken && random.uniform() < 0.2 ? 500 : 200);
        }
    }
    return spans;
}

LogTable make_logs(const Plan& plan) {
    LogTable logs;
    Random random(5);
    for (std::size_t r = 0; r < plan.times.size(); ++r)
        for (const std::string& service : plan.services) {
            logs.add(plan.times[r], service, "INFO request done in 5 ms");
            if (plan.is_broken(r) && random.uniform() < 0.5)
                logs.add(plan.times[r], service, "ERROR request failed: error 500");
        }
    return logs;
}

Topology make_topology(const Plan& plan) {
    Topology topology;
    for (std::size_t s = 0; s < plan.services.size(); ++s) {
        const std::string host = "10.0.0." + std::to_string(s) + ":10250";
        topology.nodes.push_back({plan.services[s], NodeKind::service});
        topology.nodes.push_back({host, NodeKind::host});
        if (s > 0) topology.edges.push_back({plan.services[s - 1], plan.services[s]});
        topology.edges.push_back({plan.services[s], host, EdgeKind::runs_on});
    }
    return topology;
}

}  // namespace

Incident complete_incident(const IncidentSize& size) {
    Plan plan{.size = size, .services = services_of_chain(size.num_services)};
    for (std::size_t r = 0; r < size.num_rows; ++r)
        plan.times.push_back(at(5.0 * static_cast<double>(r)));
    plan.alert_row = size.num_rows * 2 / 3;
    Incident incident;
    incident.metrics = make_metrics(plan);
    incident.edge_latency = make_edge_latency(plan);
    std::vector<Column> containers;
    std::vector<Column> operations;
    for (std::size_t s = 0; s < plan.services.size(); ++s) {
        containers.push_back({.name = plan.services[s], .service = plan.services[s]});
        operations.push_back(column_of(plan.services[s], "/v1/" + std::to_string(s)));
    }
    incident.log_counts = make_counts(plan, containers, 5.0, 31);
    incident.span_errors = make_counts(plan, operations, 0.5, 32);
    incident.span_successes = make_counts(plan, operations, 9.0, 33);
    incident.spans = std::make_shared<SpanTable>(make_spans(plan));
    incident.logs = std::make_shared<LogTable>(make_logs(plan));
    incident.topology = std::make_shared<Topology>(make_topology(plan));
    incident.alert = plan.times[plan.alert_row];
    incident.baseline = {plan.times.front(), incident.alert};
    incident.suspect = {incident.alert, plan.times.back() + std::chrono::seconds(5)};
    incident.changes = {
        {incident.alert - std::chrono::seconds(30), plan.services.back(), "rollout", "image 2"}};
    return incident;
}

Incident with_values(const Incident& incident,
                     const std::function<double(double, std::size_t, std::size_t)>& change) {
    const Frame& frame = incident.metrics;
    Matrix values(frame.num_rows(), frame.num_columns());
    for (std::size_t c = 0; c < frame.num_columns(); ++c)
        for (std::size_t r = 0; r < frame.num_rows(); ++r)
            values(r, c) = change(frame.values(c)[r], r, c);
    Incident result = incident;
    result.metrics = frame_of({frame.times().begin(), frame.times().end()},
                              {frame.columns().begin(), frame.columns().end()}, std::move(values));
    return result;
}

Incident with_columns(const Incident& incident, const std::vector<std::size_t>& order) {
    const Frame& frame = incident.metrics;
    std::vector<Column> columns;
    Matrix values(frame.num_rows(), order.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
        columns.push_back(frame.column(order[i]));
        std::copy(frame.values(order[i]).begin(), frame.values(order[i]).end(),
                  values.column(i).begin());
    }
    Incident result = incident;
    result.metrics = frame_of({frame.times().begin(), frame.times().end()}, std::move(columns),
                              std::move(values));
    return result;
}

Incident with_rows(const Incident& incident, std::size_t first, std::size_t last) {
    const Frame& frame = incident.metrics;
    Matrix values(last - first, frame.num_columns());
    for (std::size_t c = 0; c < frame.num_columns(); ++c)
        for (std::size_t r = first; r < last; ++r) values(r - first, c) = frame.values(c)[r];
    Incident result = incident;
    result.metrics = frame_of({frame.times().begin() + static_cast<std::ptrdiff_t>(first),
                               frame.times().begin() + static_cast<std::ptrdiff_t>(last)},
                              {frame.columns().begin(), frame.columns().end()}, std::move(values));
    return result;
}

namespace {

Incident metrics_only(const Incident& incident) {
    Incident result;
    result.metrics = incident.metrics;
    result.alert = incident.alert;
    result.baseline = incident.baseline;
    result.suspect = incident.suspect;
    return result;
}

Incident with_empty_tables(const Incident& incident) {
    Incident result = metrics_only(incident);
    result.logs = std::make_shared<LogTable>();
    result.spans = std::make_shared<SpanTable>();
    result.topology = std::make_shared<Topology>();
    result.log_counts.emplace();
    result.span_errors.emplace();
    result.span_successes.emplace();
    result.edge_latency.emplace();
    return result;
}

// Parents that are missing, their own children or in another trace; durations of zero and less.
Incident with_tangled_spans(const Incident& incident) {
    SpanTable spans = *incident.spans;
    for (std::size_t i = 0; i < spans.size(); ++i) {
        if (i % 5 == 0) spans.parent_id[i] = spans.id[i];
        if (i % 5 == 1) spans.parent_id[i] = 1'000'000'000 + i;
        if (i % 5 == 2) spans.parent_id[i] = spans.id[spans.size() - 1 - i];
        if (i % 7 == 0) spans.duration[i] = Duration(0);
        if (i % 11 == 0) spans.duration[i] = Duration(-1'000'000);
        if (i % 13 == 0) spans.id[i] = 0;
        if (i % 17 == 0) spans.status[i] = SpanTable::no_status;
    }
    Incident result = incident;
    result.spans = std::make_shared<SpanTable>(std::move(spans));
    return result;
}

Incident with_tangled_calls(const Incident& incident) {
    Topology topology = *incident.topology;
    topology.edges.push_back({"svc-2", "nginx-proxy"});
    topology.edges.push_back({"svc-1", "svc-1"});
    topology.edges.push_back({"nobody", "never-heard-of"});
    Incident result = incident;
    result.topology = std::make_shared<Topology>(std::move(topology));
    return result;
}

Incident with_strange_names(const Incident& incident) {
    const char* const names[] = {"_",
                                 "__",
                                 "x",
                                 "a_b_c_d_latency-90",
                                 "time_cpu",
                                 "naïve_cpu",
                                 "a b_c d",
                                 "<script>_cpu",
                                 "svc_latency-50"};
    const Frame& frame = incident.metrics;
    std::vector<Column> columns(frame.columns().begin(), frame.columns().end());
    for (std::size_t i = 0; i < std::size(names); ++i) columns[i] = {.name = names[i]};
    Matrix values(frame.num_rows(), frame.num_columns());
    std::copy(frame.values(0).data(), frame.values(0).data() + frame.num_rows() * columns.size(),
              values.data());
    Incident result = incident;
    result.metrics = frame_of({frame.times().begin(), frame.times().end()}, std::move(columns),
                              std::move(values));
    return result;
}

Incident with_alert(const Incident& incident, TimePoint alert) {
    Incident result = incident;
    result.alert = alert;
    result.baseline.end = alert;
    result.suspect.begin = alert;
    return result;
}

}  // namespace

Incident wide_incident() {
    const Incident full = complete_incident({.num_services = 63, .num_rows = 40, .num_traces = 60});
    return with_values(full, [&](double v, std::size_t r, std::size_t c) {
        if (c % 10 == 9) return full.metrics.values(c - 1)[r];
        return c % 50 == 7 ? 3.0 : v;
    });
}

std::vector<NamedIncident> hostile_incidents() {
    const Incident full = complete_incident();
    const std::size_t alert_row = full.metrics.first_row_at(full.alert);
    const auto changed = [&](auto change) { return with_values(full, change); };
    std::vector<NamedIncident> all;
    all.push_back({"complete", full});
    all.push_back({"nothing", Incident{}});
    all.push_back({"metrics only", metrics_only(full)});
    all.push_back({"empty tables", with_empty_tables(full)});
    Incident no_metrics = full;
    no_metrics.metrics = Frame();
    all.push_back({"no metrics", no_metrics});
    all.push_back({"gaps", changed([](double v, std::size_t r, std::size_t c) {
                       return (r * 7 + c * 3) % 5 == 0 ? nan : v;
                   })});
    all.push_back({"a column of gaps",
                   changed([](double v, std::size_t, std::size_t c) { return c == 1 ? nan : v; })});
    all.push_back({"only gaps", changed([](double, std::size_t, std::size_t) { return nan; })});
    all.push_back({"infinities", changed([](double v, std::size_t r, std::size_t c) {
                       return r % 9 == 3 ? (c % 2 == 0 ? inf : -inf) : v;
                   })});
    all.push_back({"constants", changed([](double, std::size_t, std::size_t c) {
                       return static_cast<double>(c);
                   })});
    all.push_back({"constant before", changed([=](double v, std::size_t r, std::size_t) {
                       return r < alert_row ? 7.0 : v;
                   })});
    all.push_back({"constant after", changed([=](double v, std::size_t r, std::size_t) {
                       return r < alert_row ? v : 0.0;
                   })});
    all.push_back({"steps", changed([=](double, std::size_t r, std::size_t c) {
                       return r < alert_row ? 0.0 : static_cast<double>(c);
                   })});
    all.push_back({"twins", changed([&](double, std::size_t r, std::size_t c) {
                       return full.metrics.values(c / 2 * 2)[r];
                   })});
    all.push_back({"huge", changed([](double v, std::size_t, std::size_t) { return v * 1e307; })});
    all.push_back({"tiny", changed([](double v, std::size_t, std::size_t) { return v * 1e-310; })});
    all.push_back({"one column", with_columns(full, {0})});
    all.push_back({"two columns", with_columns(full, {0, 7})});
    all.push_back({"one row", with_rows(full, 0, 1)});
    all.push_back({"one row a side", with_rows(full, alert_row - 1, alert_row + 1)});
    all.push_back({"two rows a side", with_rows(full, alert_row - 2, alert_row + 2)});
    all.push_back({"one row before", with_rows(full, alert_row - 1, 48)});
    all.push_back({"one row after", with_rows(full, 0, alert_row + 1)});
    all.push_back({"alert before all", with_alert(full, at(-1e6))});
    all.push_back({"alert after all", with_alert(full, at(1e6))});
    all.push_back({"tangled spans", with_tangled_spans(full)});
    all.push_back({"tangled calls", with_tangled_calls(full)});
    all.push_back({"strange names", with_strange_names(full)});
    return all;
}

}  // namespace culprit
