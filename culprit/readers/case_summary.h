#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "culprit/logs/template_miner.h"
#include "culprit/rca/case.h"

namespace culprit {

/// What is in a table of series. A gap is a place where two rows lie more than one and a half steps
/// apart.
struct FrameSummary {
    std::size_t num_rows = 0;
    std::size_t num_columns = 0;
    std::optional<TimePoint> first;
    std::optional<TimePoint> last;
    Duration step{};
    std::size_t num_gaps = 0;
    Duration longest_gap{};
    std::size_t num_missing = 0;   ///< cells without a value
    std::size_t num_constant = 0;  ///< columns with one value or none
};

struct LogSummary {
    std::size_t num_records = 0;
    std::size_t num_sources = 0;
    std::optional<TimePoint> first;
    std::optional<TimePoint> last;
    std::vector<LogTemplates::Entry> templates;  ///< by falling count
};

struct SpanSummary {
    std::size_t num_spans = 0;
    std::size_t num_traces = 0;
    std::size_t num_services = 0;
    std::size_t num_operations = 0;
    std::size_t num_edges = 0;
    std::size_t num_roots = 0;
    std::size_t num_orphans = 0;  ///< with a parent that is not in the table
    std::size_t num_errors = 0;
    std::optional<TimePoint> first;
    std::optional<TimePoint> last;
};

struct TopologySummary {
    std::size_t num_nodes = 0;
    std::size_t num_hosts = 0;
    std::size_t num_calls = 0;
    std::size_t num_placements = 0;  ///< runs on, part of
};

/// How much of each modality is about one service.
struct ServiceSummary {
    std::string name;
    std::size_t num_metrics = 0;
    std::uint64_t num_logs = 0;
    std::uint64_t num_spans = 0;
};

/// What `culprit inspect` shows of a case; absent modalities are empty optionals.
struct CaseSummary {
    std::string id;
    std::string dataset;
    std::string path;
    std::optional<GroundTruth> truth;
    TimePoint alert;
    std::size_t rows_before = 0;
    std::size_t rows_after = 0;
    std::optional<std::string> symptom;
    FrameSummary metrics;
    std::vector<std::string> text_columns;
    std::vector<ServiceSummary> services;
    std::optional<LogSummary> logs;
    std::optional<SpanSummary> spans;
    std::optional<TopologySummary> topology;
    std::size_t num_changes = 0;
    std::vector<DataProblem> problems;
};

FrameSummary summarize(const Frame& frame);
/// Cost: linear in the data; mines the log templates.
CaseSummary summarize(const Case& incident_case);

}  // namespace culprit
