#include "apps/culprit/inspect_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "culprit/report/text_table.h"

namespace culprit::cli {
namespace {

constexpr std::size_t label_width = 12;
constexpr std::size_t services_shown = 40;
constexpr std::size_t templates_shown = 8;

std::string line(const Style& style, std::string_view label, std::string_view text) {
    std::string padded(label);
    padded.resize(std::max(label_width, label.size() + 1), ' ');
    return style.dim(padded) + std::string(text) + "\n";
}

// 1234567 -> "1,234,567"
std::string grouped(std::uint64_t number) {
    const std::string digits = fmt::format("{}", number);
    std::string text;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
        text += digits[i];
    }
    return text;
}

std::string plural(std::uint64_t number, std::string_view noun) {
    if (noun.ends_with("y") && number != 1)
        return fmt::format("{} {}ies", grouped(number), noun.substr(0, noun.size() - 1));
    return fmt::format("{} {}{}", grouped(number), noun, number == 1 ? "" : "s");
}

std::string duration_text(Duration duration) {
    const double seconds = to_seconds(duration);
    if (seconds >= 7200.0) return fmt::format("{:g} h", std::round(seconds / 360.0) / 10.0);
    if (seconds >= 600.0) return fmt::format("{:g} min", std::round(seconds / 6.0) / 10.0);
    return fmt::format("{:g} s", seconds);
}

std::string extent(const std::optional<TimePoint>& first, const std::optional<TimePoint>& last) {
    if (!first || !last) return "";
    const bool same_day = format_time(*first).substr(0, 10) == format_time(*last).substr(0, 10);
    return fmt::format(", {} to {}", format_time(*first, 0),
                       same_day ? format_clock(*last) : format_time(*last, 0));
}

std::string metrics_text(const CaseSummary& summary) {
    const FrameSummary& metrics = summary.metrics;
    if (metrics.num_columns == 0) return "none";
    std::string text =
        fmt::format("{} x {}, step {}{}", plural(metrics.num_rows, "row"),
                    plural(metrics.num_columns, "column"), duration_text(metrics.step),
                    extent(metrics.first, metrics.last));
    if (metrics.num_gaps > 0)
        text += fmt::format("; {}, the longest {}", plural(metrics.num_gaps, "gap"),
                            duration_text(metrics.longest_gap));
    if (metrics.num_missing > 0)
        text += fmt::format("; {} missing ({:.2g} %)", plural(metrics.num_missing, "value"),
                            100.0 * static_cast<double>(metrics.num_missing) /
                                static_cast<double>(metrics.num_rows * metrics.num_columns));
    if (metrics.num_constant > 0)
        text += fmt::format("; {} constant", plural(metrics.num_constant, "column"));
    if (!summary.text_columns.empty())
        text += fmt::format("; {} of text besides", plural(summary.text_columns.size(), "column"));
    return text;
}

std::string truth_text(const GroundTruth& truth) {
    std::string text = fmt::format("{}", fmt::join(truth.services, ", "));
    if (truth.services.empty()) text = "no service";
    if (!truth.fault.empty()) text += ", " + truth.fault;
    if (!truth.metrics.empty()) text += fmt::format(" (metric {})", fmt::join(truth.metrics, ", "));
    if (!truth.location.empty()) text += ", in " + truth.location;
    return printable(text);
}

std::string logs_text(const LogSummary& logs) {
    return fmt::format("{} of {}, {}{}", plural(logs.num_records, "record"),
                       plural(logs.num_sources, "source"),
                       plural(logs.templates.size(), "template"), extent(logs.first, logs.last));
}

std::string spans_text(const SpanSummary& spans) {
    return fmt::format("{} in {}, {}, {}, {} between services, {}, {} without their parent{}",
                       plural(spans.num_spans, "span"), plural(spans.num_traces, "trace"),
                       plural(spans.num_services, "service"),
                       plural(spans.num_operations, "operation"), plural(spans.num_edges, "edge"),
                       plural(spans.num_errors, "error"), grouped(spans.num_orphans),
                       extent(spans.first, spans.last));
}

std::string services_table(const std::vector<ServiceSummary>& services, const Style& style) {
    TextTable table({{"service"},
                     {"metrics", Align::right},
                     {"log records", Align::right},
                     {"spans", Align::right}});
    for (std::size_t i = 0; i < std::min(services.size(), services_shown); ++i)
        table.add_row({shorten(printable(services[i].name), 50), grouped(services[i].num_metrics),
                       grouped(services[i].num_logs), grouped(services[i].num_spans)});
    std::string text = table.to_text(style);
    if (services.size() > services_shown)
        text += style.dim(
            fmt::format("{} more (--format json has all)\n", services.size() - services_shown));
    return text;
}

std::string templates_table(const std::vector<LogTemplates::Entry>& templates, const Style& style) {
    TextTable table({{"lines", Align::right}, {"log template"}});
    const std::size_t width =
        style.width() > 40 ? static_cast<std::size_t>(style.width()) - 14 : 110;
    for (std::size_t i = 0; i < std::min(templates.size(), templates_shown); ++i)
        table.add_row({grouped(templates[i].count), shorten(printable(templates[i].text), width)});
    std::string text = table.to_text(style);
    if (templates.size() > templates_shown)
        text += style.dim(
            fmt::format("{} more (--format json has all)\n", templates.size() - templates_shown));
    return text;
}

std::string problem_line(const Style& style, const DataProblem& problem) {
    std::string text =
        fmt::format("  {}: {}", style.yellow(printable(problem.place)), printable(problem.message));
    if (problem.count > 1) text += fmt::format(" ({} like it)", grouped(problem.count));
    return text + "\n";
}

}  // namespace

std::string case_page(const CaseSummary& summary, const Style& style) {
    std::string text = line(style, "case", style.bold(printable(summary.id)));
    text += line(style, "alert",
                 fmt::format("{}, {} before and {} after", format_time(summary.alert),
                             plural(summary.rows_before, "row"), grouped(summary.rows_after)));
    text += line(style, "truth", summary.truth ? truth_text(*summary.truth) : "not known");
    if (summary.symptom) text += line(style, "symptom", printable(*summary.symptom));
    text += line(style, "metrics", metrics_text(summary));
    text += line(style, "logs", summary.logs ? logs_text(*summary.logs) : "none");
    text += line(style, "spans", summary.spans ? spans_text(*summary.spans) : "none");
    if (summary.topology)
        text += line(style, "topology",
                     fmt::format("{} ({}), {}, {}", plural(summary.topology->num_nodes, "node"),
                                 plural(summary.topology->num_hosts, "host"),
                                 plural(summary.topology->num_calls, "call"),
                                 plural(summary.topology->num_placements, "placement")));
    else
        text += line(style, "topology", "none");
    text += "\n" + services_table(summary.services, style);
    if (summary.logs && !summary.logs->templates.empty())
        text += "\n" + templates_table(summary.logs->templates, style);
    text += "\n";
    if (summary.problems.empty()) return text + style.green("No problems found.") + "\n";
    text += style.bold(plural(summary.problems.size(), "kind")) + " of problems\n";
    for (const DataProblem& problem : summary.problems) text += problem_line(style, problem);
    return text;
}

namespace {

struct Range {
    std::size_t low = SIZE_MAX;
    std::size_t high = 0;
    void add(std::size_t value) {
        low = std::min(low, value);
        high = std::max(high, value);
    }
    std::string text() const {
        if (low > high) return "-";
        return low == high ? grouped(low) : grouped(low) + "-" + grouped(high);
    }
};

struct FaultGroup {
    std::size_t num_cases = 0;
    std::set<std::string> services;
    Range rows;
    Range columns;
    Range before;
    std::set<Duration> steps;
    std::size_t with_logs = 0;
    std::size_t with_spans = 0;
    std::size_t with_topology = 0;
    std::size_t with_problems = 0;
    std::size_t failed = 0;
};

void add_to_group(FaultGroup& group, const InspectedCase& inspected) {
    ++group.num_cases;
    if (!inspected.error.empty()) {
        ++group.failed;
        return;
    }
    const CaseSummary& summary = inspected.summary;
    if (summary.truth)
        group.services.insert(summary.truth->services.begin(), summary.truth->services.end());
    group.rows.add(summary.metrics.num_rows);
    group.columns.add(summary.metrics.num_columns);
    group.before.add(summary.rows_before);
    group.steps.insert(summary.metrics.step);
    group.with_logs += summary.logs ? 1 : 0;
    group.with_spans += summary.spans ? 1 : 0;
    group.with_topology += summary.topology ? 1 : 0;
    group.with_problems += summary.problems.empty() ? 0 : 1;
}

std::string steps_text(const std::set<Duration>& steps) {
    if (steps.empty()) return "-";
    if (steps.size() == 1) return duration_text(*steps.begin());
    return duration_text(*steps.begin()) + "-" + duration_text(*steps.rbegin());
}

// Problems of all cases, equal ones once: an example of where, and how often in how many cases.
std::string problem_list(std::span<const InspectedCase> cases, const Style& style) {
    struct Seen {
        std::string where;
        std::uint64_t count = 0;
        std::size_t num_cases = 0;
    };
    std::map<std::string, Seen> seen;
    for (const InspectedCase& inspected : cases) {
        if (!inspected.error.empty()) continue;
        for (const DataProblem& problem : inspected.summary.problems) {
            Seen& entry = seen[problem.message];
            if (entry.num_cases++ == 0) entry.where = inspected.summary.id + "/" + problem.place;
            entry.count += problem.count;
        }
    }
    std::string text;
    for (const auto& [message, entry] : seen)
        text +=
            fmt::format("  {}: {} ({} in {})\n", style.yellow(printable(entry.where)),
                        printable(message), grouped(entry.count), plural(entry.num_cases, "case"));
    if (!text.empty()) text = "\n" + style.bold("Problems") + "\n" + text;
    std::string failures;
    for (const InspectedCase& inspected : cases)
        if (!inspected.error.empty()) failures += fmt::format("  {}\n", printable(inspected.error));
    if (!failures.empty()) text += "\n" + style.red("Cases that can't be read") + "\n" + failures;
    if (text.empty()) text = "\n" + style.green("No problems found.") + "\n";
    return text;
}

}  // namespace

std::string dataset_page(std::span<const InspectedCase> cases, const Style& style) {
    std::map<std::pair<std::string, std::string>, FaultGroup> groups;
    for (const InspectedCase& inspected : cases) {
        const CaseSummary& summary = inspected.summary;
        add_to_group(groups[{summary.dataset, summary.truth ? summary.truth->fault : ""}],
                     inspected);
    }
    TextTable table({{"dataset"},
                     {"fault"},
                     {"cases", Align::right},
                     {"root services", Align::right},
                     {"rows", Align::right},
                     {"before", Align::right},
                     {"columns", Align::right},
                     {"step", Align::right},
                     {"logs", Align::right},
                     {"spans", Align::right},
                     {"topology", Align::right},
                     {"problems", Align::right},
                     {"unreadable", Align::right}});
    for (const auto& [key, group] : groups)
        table.add_row({printable(key.first), key.second.empty() ? "-" : printable(key.second),
                       grouped(group.num_cases), grouped(group.services.size()), group.rows.text(),
                       group.before.text(), group.columns.text(), steps_text(group.steps),
                       grouped(group.with_logs), grouped(group.with_spans),
                       grouped(group.with_topology), grouped(group.with_problems),
                       grouped(group.failed)});
    std::string text = table.to_text(style);
    text += style.dim(
        "rows, before (the alert), columns: smallest and largest case; logs to unreadable: number "
        "of cases\n");
    return text + problem_list(cases, style);
}

}  // namespace culprit::cli
