#include "culprit/readers/case_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "culprit/base/parallel.h"
#include "culprit/readers/case_annex.h"
#include "culprit/readers/case_label.h"
#include "culprit/readers/case_layout.h"
#include "culprit/readers/columnar_file.h"
#include "culprit/readers/component_names.h"
#include "culprit/readers/derived_series.h"
#include "culprit/readers/file_bytes.h"
#include "culprit/readers/log_reader.h"
#include "culprit/readers/metric_table.h"
#include "culprit/readers/metrics_json_reader.h"
#include "culprit/readers/problem_list.h"
#include "culprit/readers/span_reader.h"
#include "culprit/readers/topology_reader.h"

namespace culprit {
namespace {

class FolderReader {
public:
    FolderReader(std::string path, const CaseReadOptions& options)
        : path_(std::move(path)), options_(options) {}

    Result<Case> read();

private:
    using Problems = std::vector<DataProblem>;

    // Opens `name` if the case has it and hands its bytes and a problem list to `reader`.
    template <class Reader>
    Result<bool> with_file(std::string_view name, Problems& target, Reader reader) {
        const auto file = find_file(path_, name);
        if (!file) return false;
        ProblemList problems(file->substr(path_.size() + 1), options_.strict);
        CULPRIT_TRY(const FileBytes bytes, open_file(*file));
        const Status status = reader(bytes.view(), problems);
        if (!status) {
            Error error = status.error();
            error.message.insert(0, path_for_message(path_) + "/");
            return tl::unexpected<Error>(std::move(error));
        }
        problems.move_to(target);
        return true;
    }
    Status read_label();
    Status read_metrics();
    Status read_logs(Problems& problems);
    Status read_spans(Problems& problems);
    Status read_logs_and_spans();
    Status read_topology_files();
    Result<bool> read_series(std::string_view name, Problems& problems,
                             std::optional<Frame>& target);
    Status set_windows();
    Status read_annex();
    Status note(Problems& problems, std::string_view place, std::string message) {
        if (options_.strict)
            return fail(ErrorCode::malformed_data,
                        fmt::format("{}/{}: {}", path_for_message(path_), place, message));
        problems.push_back({std::string(place), std::move(message)});
        return {};
    }

    std::string path_;
    const CaseReadOptions& options_;
    Case case_;
    std::optional<TimePoint> alert_;
};

Status FolderReader::read_label() {
    std::optional<TimePoint> labelled;
    CULPRIT_TRY(const bool has_json,
                with_file("case.json", case_.problems,
                          [&](std::string_view bytes, ProblemList& problems) -> Status {
                              CULPRIT_TRY(CaseLabel label, read_case_json(bytes, problems));
                              case_.truth = std::move(label.truth);
                              case_.incident.symptom = std::move(label.symptom);
                              labelled = label.alert;
                              return {};
                          }));
    if (!has_json || !case_.truth) case_.truth = truth_from_folder(fault_folder_of(path_));
    CULPRIT_TRY_STATUS(
        with_file("root_cause.txt", case_.problems, [&](std::string_view bytes, ProblemList&) {
            if (case_.truth) case_.truth->location = read_code_location(bytes);
            return Status{};
        }));
    if (options_.alert) {
        alert_ = options_.alert;
        return {};
    }
    CULPRIT_TRY(const bool has_time,
                with_file("inject_time.txt", case_.problems,
                          [&](std::string_view bytes, ProblemList& problems) -> Status {
                              CULPRIT_TRY(alert_, read_alert_time(bytes, problems));
                              return {};
                          }));
    if (!has_time) alert_ = labelled;
    return {};
}

Status FolderReader::read_metrics() {
    for (const std::string_view name : metric_file_names) {
        CULPRIT_TRY(
            const bool found,
            with_file(
                name, case_.problems, [&](std::string_view bytes, ProblemList& problems) -> Status {
                    CULPRIT_TRY(MetricTable table,
                                name.ends_with(".json")
                                    ? read_metrics_json(bytes, problems)
                                    : read_metric_table(bytes, problems, options_.num_threads));
                    if (table.frame.num_rows() == 0)
                        CULPRIT_TRY_STATUS(
                            problems.note("no rows", {}, "expected rows of values, found none"));
                    CULPRIT_TRY(case_.incident.metrics, name_components(table.frame));
                    case_.incident.text_columns = std::move(table.text_columns);
                    return {};
                }));
        if (found) return {};
    }
    return note(case_.problems, "data.csv",
                "expected a metric table, found no data.csv, simple_metrics.csv or "
                "metrics.csv");
}

Result<bool> FolderReader::read_series(std::string_view name, Problems& found,
                                       std::optional<Frame>& target) {
    return with_file(name, found, [&](std::string_view bytes, ProblemList& problems) -> Status {
        CULPRIT_TRY(MetricTable table, read_metric_table(bytes, problems, options_.num_threads));
        target = std::move(table.frame);
        return {};
    });
}

Status FolderReader::read_logs(Problems& found) {
    Incident& incident = case_.incident;
    CULPRIT_TRY_STATUS(
        with_file("logs.csv", found, [&](std::string_view bytes, ProblemList& problems) -> Status {
            CULPRIT_TRY(LogTable logs, read_log_table(bytes, problems));
            incident.logs = std::make_shared<const LogTable>(std::move(logs));
            return {};
        }));
    CULPRIT_TRY(const bool has_counts, read_series("logts.csv", found, incident.log_counts));
    if (has_counts || !incident.logs) return {};
    auto counts = count_logs(*incident.logs);
    if (!counts) return note(found, "logs.csv", counts.error().message);
    incident.log_counts = std::move(*counts);
    return {};
}

Status FolderReader::read_spans(Problems& found) {
    Incident& incident = case_.incident;
    CULPRIT_TRY_STATUS(with_file(
        "traces.csv", found, [&](std::string_view bytes, ProblemList& problems) -> Status {
            CULPRIT_TRY(SpanTable spans, read_span_table(bytes, problems));
            incident.spans = std::make_shared<const SpanTable>(std::move(spans));
            return {};
        }));
    CULPRIT_TRY(const bool has_errors, read_series("tracets_err.csv", found, incident.span_errors));
    CULPRIT_TRY(const bool has_successes,
                read_series("tracets_lat.csv", found, incident.span_successes));
    CULPRIT_TRY(const bool has_edges,
                read_series("latency_merged_90.csv", found, incident.edge_latency));
    if (!incident.spans) return {};
    if (!has_errors || !has_successes) {
        auto counts = count_spans(*incident.spans);
        if (!counts) return note(found, "traces.csv", counts.error().message);
        if (!has_errors) incident.span_errors = std::move(counts->errors);
        if (!has_successes) incident.span_successes = std::move(counts->successes);
    }
    if (!has_edges) {
        auto edges = edge_latency(*incident.spans);
        if (!edges) return note(found, "traces.csv", edges.error().message);
        if (edges->num_columns() > 0) incident.edge_latency = std::move(*edges);
    }
    return {};
}

// Side by side: each is one long walk over records, and they touch different parts of the case.
Status FolderReader::read_logs_and_spans() {
    struct Part {
        Status status;
        Problems problems;
    };
    std::array<Part, 2> parts;
    parallel_for(parts.size(), options_.num_threads, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            Part& part = parts[i];
            if (i == 0 && options_.logs) part.status = read_logs(part.problems);
            if (i == 1 && options_.spans) part.status = read_spans(part.problems);
        }
    });
    for (Part& part : parts) {
        CULPRIT_TRY_STATUS(part.status);
        std::move(part.problems.begin(), part.problems.end(), std::back_inserter(case_.problems));
    }
    return {};
}

Status FolderReader::read_topology_files() {
    Topology topology;
    CULPRIT_TRY(const bool has_graph,
                with_file("mpg.csv", case_.problems,
                          [&](std::string_view bytes, ProblemList& problems) -> Status {
                              CULPRIT_TRY(topology, read_topology(bytes, problems));
                              return {};
                          }));
    CULPRIT_TRY(const bool has_pods,
                with_file("pod-node-1.csv", case_.problems,
                          [&](std::string_view bytes, ProblemList& problems) -> Status {
                              return add_placements(bytes, problems, topology);
                          }));
    if (has_graph || has_pods)
        case_.incident.topology = std::make_shared<const Topology>(std::move(topology));
    return {};
}

// From the first to the last moment of which there are metrics, else spans, else logs.
std::optional<TimeRange> covered_range(const Incident& incident) {
    const auto times = incident.metrics.times();
    if (!times.empty()) return TimeRange{times.front(), times.back() + incident.metrics.step()};
    const std::vector<TimePoint>* records = nullptr;
    if (incident.logs && incident.logs->size() > 0) records = &incident.logs->time;
    if (incident.spans && incident.spans->size() > 0) records = &incident.spans->start;
    if (records == nullptr) return std::nullopt;
    const auto [first, last] = std::minmax_element(records->begin(), records->end());
    return TimeRange{*first, *last};
}

Status FolderReader::set_windows() {
    Incident& incident = case_.incident;
    const auto covered = covered_range(incident);
    if (!alert_ && options_.alert_required)
        return fail(ErrorCode::missing_input,
                    path_for_message(path_) +
                        ": expected the injection or alert time in inject_time.txt or "
                        "case.json, found none");
    const bool has_alert = alert_.has_value();
    if (!has_alert) {
        alert_ = covered ? covered->end : TimePoint{};
        CULPRIT_TRY_STATUS(note(case_.problems, "inject_time.txt",
                                "expected the injection or alert time, found "
                                "no such file; all data count as before it"));
    }
    incident.alert = *alert_;
    incident.baseline = {covered ? std::min(covered->begin, *alert_) : *alert_, *alert_};
    incident.suspect = {*alert_, covered ? std::max(covered->end, *alert_) : *alert_};
    for (const bool before : {true, false}) {
        const TimeRange& window = before ? incident.baseline : incident.suspect;
        if (window.begin == window.end && has_alert)
            CULPRIT_TRY_STATUS(
                note(case_.problems, "inject_time.txt",
                     fmt::format("expected data {} the alert at {}, found none",
                                 before ? "before" : "after", format_time(*alert_))));
    }
    if (incident.symptom && !incident.metrics.find(*incident.symptom)) incident.symptom.reset();
    return {};
}

Status FolderReader::read_annex() {
    const TimeRange baseline = case_.incident.baseline;
    const TimeRange suspect = case_.incident.suspect;
    CULPRIT_TRY(const bool found, with_file(case_annex_name, case_.problems,
                                            [&](std::string_view bytes, ProblemList&) {
                                                return apply_case_annex(bytes, case_);
                                            }));
    if (found && options_.alert) {  // the windows of another alert time than the collected one
        case_.incident.baseline = baseline;
        case_.incident.suspect = suspect;
    }
    return {};
}

Result<Case> FolderReader::read() {
    const CaseLocation location = locate_case(path_);
    case_.id = location.id;
    case_.dataset = location.dataset;
    case_.path = path_;
    CULPRIT_TRY_STATUS(read_label());
    CULPRIT_TRY_STATUS(read_metrics());
    CULPRIT_TRY_STATUS(read_logs_and_spans());
    CULPRIT_TRY_STATUS(read_topology_files());
    CULPRIT_TRY_STATUS(set_windows());
    CULPRIT_TRY_STATUS(read_annex());
    return std::move(case_);
}

Result<Case> read_case_file(const std::string& path, const CaseReadOptions& options) {
    CULPRIT_TRY(const FileBytes bytes, open_file(path));
    auto read = read_columnar(bytes);
    if (!read) return fail_with_context(path_for_message(path), std::move(read).error());
    read->path = path;
    Incident& incident = read->incident;
    if (options.alert) {
        const TimeRange covered{incident.baseline.begin, incident.suspect.end};
        incident.alert = *options.alert;
        incident.baseline = {std::min(covered.begin, incident.alert), incident.alert};
        incident.suspect = {incident.alert, std::max(covered.end, incident.alert)};
    }
    if (!options.logs) {
        incident.logs.reset();
        incident.log_counts.reset();
    }
    if (!options.spans) {
        incident.spans.reset();
        incident.span_errors.reset();
        incident.span_successes.reset();
        incident.edge_latency.reset();
    }
    return read;
}

}  // namespace

Result<Case> read_case(const std::string& path, const CaseReadOptions& options) {
    CULPRIT_TRY(const bool is_folder, is_folder_of_cases(path));
    if (!is_folder) return read_case_file(path, options);
    std::string folder = path;
    while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
    if (!is_case_folder(folder))
        return fail(ErrorCode::missing_input,
                    path_for_message(path) +
                        ": expected data.csv, simple_metrics.csv or traces.csv with "
                        "inject_time.txt, found none of them");
    return FolderReader(folder, options).read();
}

}  // namespace culprit
