#include "culprit/report/evaluation_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "culprit/report/html_page.h"
#include "culprit/report/text_table.h"

namespace culprit {
namespace {

using Json = nlohmann::ordered_json;

std::string count(std::size_t number) { return number == 0 ? "-" : fmt::format("{}", number); }

std::string with_interval(const Estimate& e) {
    return fmt::format("{:.2f} [{:.2f}, {:.2f}]", e.mean, e.interval.low, e.interval.high);
}

std::string milliseconds(double seconds) {
    const double ms = 1e3 * seconds;
    if (ms < 10) return fmt::format("{:.2f}", ms);
    return ms < 100 ? fmt::format("{:.1f}", ms) : fmt::format("{:.0f}", ms);
}

std::string megabytes(std::int64_t bytes) {
    return bytes < 0 ? "-" : fmt::format("{:.1f}", static_cast<double>(bytes) / 1e6);
}

bool is_measured(const SummaryRow& row) {
    return row.variant != "-" && row.num_failed < row.num_cells;
}

TextTable table_of(const SummaryGroup& group, Accuracy SummaryRow::*level) {
    TextTable table({{"method"},
                     {"variant"},
                     {"AC@1 [95 % CI]", Align::right},
                     {"AC@3", Align::right},
                     {"AC@5", Align::right},
                     {"Avg@5 [95 % CI]", Align::right},
                     {"MRR", Align::right},
                     {"ms/case", Align::right},
                     {"peak MB", Align::right},
                     {"cases", Align::right},
                     {"failed", Align::right},
                     {"degenerate", Align::right}});
    for (const SummaryRow& row : group.rows) {
        const Accuracy& accuracy = row.*level;
        if (accuracy.num_cases == 0) continue;
        table.add_row({row.method, row.variant, with_interval(accuracy.ac[0]),
                       fmt::format("{:.2f}", accuracy.ac[2].mean),
                       fmt::format("{:.2f}", accuracy.ac[4].mean),
                       with_interval(accuracy.average_at_5),
                       fmt::format("{:.2f}", accuracy.reciprocal_rank.mean),
                       is_measured(row) ? milliseconds(row.cpu_seconds_median) : "-",
                       is_measured(row) ? megabytes(row.heap_peak_bytes) : "-",
                       fmt::format("{}", accuracy.num_cases), count(row.num_failed),
                       count(row.num_degenerate)});
    }
    return table;
}

constexpr int whole_table_columns = 126;  // with the longest method's name

/// What fits on 80 columns: the rest is in the report.
TextTable narrow_table_of(const SummaryGroup& group, Accuracy SummaryRow::*level) {
    TextTable table({{"method"},
                     {"variant"},
                     {"AC@1 [95 % CI]", Align::right},
                     {"AC@3", Align::right},
                     {"Avg@5", Align::right},
                     {"ms/case", Align::right},
                     {"failed", Align::right}});
    for (const SummaryRow& row : group.rows) {
        const Accuracy& accuracy = row.*level;
        if (accuracy.num_cases == 0) continue;
        table.add_row({row.method, row.variant, with_interval(accuracy.ac[0]),
                       fmt::format("{:.2f}", accuracy.ac[2].mean),
                       fmt::format("{:.2f}", accuracy.average_at_5.mean),
                       is_measured(row) ? milliseconds(row.cpu_seconds_median) : "-",
                       count(row.num_failed)});
    }
    return table;
}

std::string title_of(const SummaryGroup& group) {
    if (group.dimension == "all") return fmt::format("All {} cases", group.num_cases);
    return fmt::format("{} {} ({} cases)", group.dimension, group.value, group.num_cases);
}

Json json_of(const Estimate& e) {
    return {{"mean", e.mean}, {"low", e.interval.low}, {"high", e.interval.high}};
}

Json json_of(const Accuracy& accuracy) {
    if (accuracy.num_cases == 0) return nullptr;
    Json json;
    json["cases"] = accuracy.num_cases;
    json["ac"] = Json::array();
    for (const Estimate& e : accuracy.ac) json["ac"].push_back(json_of(e));
    json["avg5"] = json_of(accuracy.average_at_5);
    json["mrr"] = json_of(accuracy.reciprocal_rank);
    return json;
}

Json json_of(const SummaryRow& row) {
    Json json;
    json["method"] = row.method;
    json["variant"] = row.variant;
    json["options"] = row.options;
    json["cells"] = row.num_cells;
    json["failed"] = row.num_failed;
    json["degenerate"] = row.num_degenerate;
    json["not_applicable"] = row.num_not_applicable;
    json["without_root_cause"] = row.num_without_root_cause;
    json["service"] = json_of(row.service);
    json["metric"] = json_of(row.metric);
    json["cpu_seconds_median"] = row.cpu_seconds_median;
    json["cpu_seconds_max"] = row.cpu_seconds_max;
    json["wall_seconds_total"] = row.wall_seconds_total;
    json["heap_peak_bytes"] = row.heap_peak_bytes < 0 ? Json(nullptr) : Json(row.heap_peak_bytes);
    return json;
}

std::string csv_cell(std::string_view text) {
    if (text.find_first_of(",\"\n") == std::string_view::npos) return std::string(text);
    std::string quoted = "\"";
    for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
    return quoted + "\"";
}

void add_csv_row(std::string& text, const SummaryGroup& group, const SummaryRow& row,
                 std::string_view level, const Accuracy& accuracy) {
    if (accuracy.num_cases == 0) return;
    text +=
        fmt::format("{},{},{},{},{},{},{},{},{},{}", group.dimension, csv_cell(group.value), level,
                    csv_cell(row.method), row.variant, csv_cell(row.options), accuracy.num_cases,
                    row.num_failed, row.num_degenerate, row.num_not_applicable);
    const auto add = [&](const Estimate& e) {
        text += fmt::format(",{},{},{}", e.mean, e.interval.low, e.interval.high);
    };
    for (const Estimate& e : accuracy.ac) add(e);
    add(accuracy.average_at_5);
    add(accuracy.reciprocal_rank);
    text += fmt::format(
        ",{},{},{}\n", 1e3 * row.cpu_seconds_median, 1e3 * row.cpu_seconds_max,
        row.heap_peak_bytes < 0 ? std::string() : fmt::format("{}", row.heap_peak_bytes));
}

Json summary_json(const EvaluationSummary& summary, const EvaluationHeader& header) {
    Json json;
    json["command"] = header.command;
    json["version"] = header.version;
    json["seed"] = header.seed;
    json["machine"] = header.machine;
    json["cases"] = header.num_cases;
    json["contenders"] = header.num_contenders;
    json["process_peak_bytes"] = header.process_peak_bytes;
    json["groups"] = Json::array();
    for (const SummaryGroup& group : summary.groups) {
        Json rows = Json::array();
        for (const SummaryRow& row : group.rows) rows.push_back(json_of(row));
        json["groups"].push_back({{"dimension", group.dimension},
                                  {"value", group.value},
                                  {"cases", group.num_cases},
                                  {"rows", std::move(rows)}});
    }
    json["reasons"] = Json::array();
    for (const FailureReason& reason : summary.reasons)
        json["reasons"].push_back({{"method", reason.method},
                                   {"variant", reason.variant},
                                   {"status", to_string(reason.status)},
                                   {"reason", reason.reason},
                                   {"cases", reason.count},
                                   {"example", reason.example}});
    return json;
}

}  // namespace

std::string evaluation_table(const EvaluationSummary& summary, const Style& style) {
    std::string text;
    for (const SummaryGroup& group : summary.groups) {
        if (group.dimension != "all" && group.dimension != "dataset") continue;
        const bool is_narrow = style.width() > 0 && style.width() < whole_table_columns;
        const TextTable table = is_narrow ? narrow_table_of(group, &SummaryRow::service)
                                          : table_of(group, &SummaryRow::service);
        if (table.num_rows() == 0) continue;
        text += fmt::format("{}{}\n{}", text.empty() ? "" : "\n", style.bold(title_of(group)),
                            table.to_text(style, "  "));
    }
    return text;
}

std::string evaluation_markdown(const EvaluationSummary& summary, const EvaluationHeader& header) {
    std::string text = fmt::format(
        "# Evaluation\n\n`{}`\n\n{} cases, {} methods and variants, seed {}, culprit {}, {}, peak "
        "memory of the whole run {} MB.\n\nA failed case counts as a miss. `chance` is the exact "
        "expectation of a random order of the columns. Intervals are bootstrap percentiles over "
        "cases. Times are CPU time on one thread, the median over cases.\n",
        header.command, header.num_cases, header.num_contenders, header.seed, header.version,
        header.machine, megabytes(header.process_peak_bytes));
    for (const SummaryGroup& group : summary.groups) {
        const TextTable service = table_of(group, &SummaryRow::service);
        const TextTable metric = table_of(group, &SummaryRow::metric);
        if (service.num_rows() > 0)
            text += fmt::format("\n## {}: root-cause service\n\n{}", title_of(group),
                                service.to_markdown());
        if (metric.num_rows() > 0)
            text += fmt::format("\n### {}: root-cause metric\n\n{}", title_of(group),
                                metric.to_markdown());
    }
    if (summary.reasons.empty()) return text;
    TextTable reasons(
        {{"method"}, {"variant"}, {"status"}, {"cases", Align::right}, {"reason"}, {"first seen"}});
    for (const FailureReason& reason : summary.reasons)
        reasons.add_row({reason.method, reason.variant, std::string(to_string(reason.status)),
                         fmt::format("{}", reason.count), reason.reason, reason.example});
    return text + "\n## Failed and degenerate answers\n\n" + reasons.to_markdown();
}

std::string evaluation_csv(const EvaluationSummary& summary) {
    std::string text =
        "dimension,value,level,method,variant,options,cases,failed,degenerate,not_applicable";
    for (const char* name : {"ac1", "ac2", "ac3", "ac4", "ac5", "avg5", "mrr"})
        text += fmt::format(",{0},{0}_low,{0}_high", name);
    text += ",cpu_ms_median,cpu_ms_max,heap_peak_bytes\n";
    for (const SummaryGroup& group : summary.groups) {
        for (const SummaryRow& row : group.rows) {
            add_csv_row(text, group, row, "service", row.service);
            add_csv_row(text, group, row, "metric", row.metric);
        }
    }
    return text;
}

std::string evaluation_json(const EvaluationSummary& summary, const EvaluationHeader& header) {
    return summary_json(summary, header).dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string evaluation_html(const EvaluationSummary& summary, const EvaluationHeader& header) {
    return html_page("Evaluation of root-cause methods", PageScript::evaluation,
                     summary_json(summary, header));
}

}  // namespace culprit
