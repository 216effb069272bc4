#include "culprit/telemetry/loki_reader.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>

#include "culprit/base/stopwatch.h"
#include "culprit/telemetry/json_elements.h"

namespace culprit {
namespace {

struct Line {
    std::int64_t time_ns = 0;
    std::string stream;
    std::string source;
    std::string text;
};

std::string source_of(const Labels& labels, const std::string& wanted) {
    const auto found = labels.find(wanted);
    return found != labels.end() ? found->second : source_of_resource(labels);
}

bool is_label_name(std::string_view name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_';
    });
}

Status parse_stream(std::string_view json, const std::string& source_label,
                    std::vector<Line>& lines) {
    thread_local simdjson::dom::parser parser;
    simdjson::dom::element root;
    if (parser.parse(json.empty() ? "" : json.data(), json.size()).get(root) != simdjson::SUCCESS)
        return fail(ErrorCode::malformed_data, "a log stream is no JSON");
    simdjson::dom::object labels_object;
    simdjson::dom::array values;
    if (root["stream"].get(labels_object) != simdjson::SUCCESS ||
        root["values"].get(values) != simdjson::SUCCESS)
        return fail(ErrorCode::malformed_data,
                    "expected a log stream with \"stream\" and \"values\"");
    Labels labels;
    std::string key;
    for (const auto& [label, value] : labels_object) {
        std::string_view text;
        if (value.get(text) != simdjson::SUCCESS) continue;
        labels.emplace(label, text);
        key += fmt::format("{}={}\x1f", label, text);
    }
    const std::string source = source_of(labels, source_label);
    for (const simdjson::dom::element entry : values) {
        std::string_view time;
        std::string_view text;
        simdjson::dom::array pair;
        if (entry.get(pair) != simdjson::SUCCESS || pair.size() < 2 ||
            pair.at(0).get(time) != simdjson::SUCCESS || pair.at(1).get(text) != simdjson::SUCCESS)
            return fail(ErrorCode::malformed_data, "expected a log line [\"ns\", \"text\"]");
        Line line{.stream = key, .source = source, .text = std::string(text)};
        const auto [end, error] =
            std::from_chars(time.data(), time.data() + time.size(), line.time_ns);
        if (error != std::errc{} || end != time.data() + time.size())
            return fail(ErrorCode::malformed_data,
                        fmt::format("expected nanoseconds, found \"{}\"", time.substr(0, 40)));
        lines.push_back(std::move(line));
    }
    return {};
}

// Labels that most collectors put on every stream, the likeliest first.
constexpr std::array<std::string_view, 6> usual_labels = {"service_name", "job", "namespace",
                                                          "pod",          "app", "filename"};

using LabelNames = std::set<std::string>;

// Which label names occur together: few sets, however many streams there are.
Result<std::set<LabelNames>> names_of_streams(const HttpClient& client, TimeRange range,
                                              const Stop& stop) {
    std::set<LabelNames> found;
    JsonElements elements("data", [&found](std::string_view element) -> Status {
        thread_local simdjson::dom::parser parser;
        simdjson::dom::object labels;
        if (parser.parse(element.empty() ? "" : element.data(), element.size()).get(labels) !=
            simdjson::SUCCESS)
            return fail(ErrorCode::malformed_data, "expected the labels of a stream");
        LabelNames names;
        for (const auto& [label, value] : labels)
            if (is_label_name(label)) names.emplace(label);
        found.insert(std::move(names));
        return {};
    });
    CULPRIT_TRY_STATUS(client.stream(
        "/loki/api/v1/series",
        {{"start", std::to_string(to_ns(range.begin))}, {"end", std::to_string(to_ns(range.end))}},
        elements, stop));
    CULPRIT_TRY_STATUS(elements.finish());
    return found;
}

// The label that most of the sets have; of equals the more usual, then the alphabet's first.
std::string most_common_label(const std::set<LabelNames>& sets) {
    std::map<std::string, std::size_t> count;
    for (const LabelNames& names : sets)
        for (const std::string& name : names) ++count[name];
    std::string best;
    std::size_t most = 0;
    const auto consider = [&](const std::string& name, std::size_t times) {
        if (times <= most) return;
        most = times;
        best = name;
    };
    for (const std::string_view usual : usual_labels)
        if (const auto found = count.find(std::string(usual)); found != count.end())
            consider(found->first, found->second);
    for (const auto& [name, times] : count) consider(name, times);
    return best;
}

// Selectors of which every stream matches exactly one.
std::vector<std::string> covering_selectors(std::set<LabelNames> sets) {
    std::vector<std::string> selectors;
    std::string without;
    for (std::string label = most_common_label(sets); !label.empty();
         label = most_common_label(sets)) {
        selectors.push_back(fmt::format("{{{}{}=~\".+\"}}", without, label));
        without += label + "=\"\",";
        std::erase_if(sets, [&](const LabelNames& names) { return names.contains(label); });
    }
    return selectors;
}

// One query over one piece of time.
class LokiPager {
public:
    LokiPager(const HttpClient& client, const LokiRequest& request, LogTable& logs,
              SourceReport& report, const Stop& stop)
        : client_(client), request_(request), logs_(logs), report_(report), stop_(stop) {}

    Status run() {
        const std::int64_t end_ns = to_ns(request_.range.end);
        std::int64_t from_ns = to_ns(request_.range.begin);
        std::uint64_t usual_limit = request_.page_lines;
        std::uint64_t limit_max = request_.page_lines_max;
        std::uint64_t limit = usual_limit;
        while (from_ns < end_ns) {
            auto answer = page(from_ns, end_ns, limit);
            if (!answer && limit > 1 && is_too_many_lines(answer.error())) {
                limit_max = limit / 2;
                usual_limit = std::min(usual_limit, limit_max);
                limit = limit_max;
                continue;
            }
            CULPRIT_TRY(const auto lines, std::move(answer));
            const bool is_full = lines.size() >= limit;
            const std::int64_t last_ns = lines.empty() ? from_ns : lines.back().time_ns;
            const bool is_stuck = is_full && last_ns == from_ns;
            if (is_stuck && limit < limit_max) {
                limit = std::min(limit * 2, limit_max);
                continue;
            }
            keep(lines, last_ns);
            if (!is_full) return {};
            if (is_stuck)
                report_.add_missing(
                    fmt::format("{}: more lines in one nanosecond than the limit of {} per query",
                                format_rfc3339(time_from_ns(last_ns)), limit));
            if (report_.num_items >= request_.lines_max) {
                report_.add_missing(fmt::format("lines from {} to {}: the limit is reached",
                                                format_rfc3339(time_from_ns(last_ns)),
                                                format_rfc3339(request_.range.end)));
                return {};
            }
            from_ns = is_stuck ? last_ns + 1 : last_ns;
            limit = usual_limit;
        }
        return {};
    }

private:
    // The server has a limit of its own (max_entries_limit_per_query).
    static bool is_too_many_lines(const Error& error) {
        return error.message.find("max entries limit") != std::string::npos;
    }

    Result<std::vector<Line>> page(std::int64_t from_ns, std::int64_t end_ns, std::uint64_t limit) {
        std::vector<Line> lines;
        JsonElements elements(
            "result",
            [&](std::string_view element) {
                return parse_stream(element, request_.source_label, lines);
            },
            [&lines] { lines.clear(); });
        const HttpParameters parameters = {{"query", request_.query},
                                           {"start", std::to_string(from_ns)},
                                           {"end", std::to_string(end_ns)},
                                           {"limit", std::to_string(limit)},
                                           {"direction", "forward"}};
        CULPRIT_TRY_STATUS(client_.stream("/loki/api/v1/query_range", parameters, elements, stop_));
        CULPRIT_TRY_STATUS(elements.finish());
        ++report_.num_asked;
        // A server that answers past the question must not lead the pager back or on for ever.
        if (std::erase_if(lines, [&](const Line& line) {
                return line.time_ns < from_ns || line.time_ns >= end_ns;
            }) > 0)
            report_.add_missing("lines outside the time asked for, which were left out");
        std::ranges::stable_sort(
            lines, [](const Line& a, const Line& b) { return a.time_ns < b.time_ns; });
        return lines;
    }

    // Adds the page without the lines of the border that the page before had.
    void keep(const std::vector<Line>& lines, std::int64_t last_ns) {
        std::map<std::pair<std::string, std::string>, std::uint64_t> border;
        for (const Line& line : lines) {
            const auto key = std::pair{line.stream, line.text};
            if (line.time_ns == last_ns) ++border[key];
            if (line.time_ns == border_ns_)
                if (const auto seen = border_.find(key);
                    seen != border_.end() && seen->second > 0) {
                    --seen->second;
                    continue;
                }
            if (report_.num_items >= request_.lines_max) break;
            logs_.add(time_from_ns(line.time_ns), line.source, line.text);
            ++report_.num_items;
        }
        border_ = std::move(border);
        border_ns_ = last_ns;
    }

    const HttpClient& client_;
    const LokiRequest& request_;
    LogTable& logs_;
    SourceReport& report_;
    const Stop& stop_;
    std::int64_t border_ns_ = -1;
    std::map<std::pair<std::string, std::string>, std::uint64_t> border_;
};

Status collect_streams(const HttpClient& client, const LokiRequest& request, LogTable& logs,
                       SourceReport& report, const Stop& stop) {
    std::vector<std::string> queries = {request.query};
    if (request.query.empty()) {
        CULPRIT_TRY(auto sets, names_of_streams(client, request.range, stop));
        queries = covering_selectors(std::move(sets));
    }
    // What came after the alert must not be crowded out by what was before.
    LokiRequest part = request;
    part.range.end = std::clamp(request.alert, request.range.begin, request.range.end);
    part.lines_max = part.range.end < request.range.end ? request.lines_max / 2 : request.lines_max;
    for (int half = 0; half < 2; ++half) {
        for (const std::string& query : queries) {
            part.query = query;
            CULPRIT_TRY_STATUS(LokiPager(client, part, logs, report, stop).run());
        }
        part.range = {part.range.end, request.range.end};
        part.lines_max = request.lines_max;
    }
    return {};
}

}  // namespace

SourceReport collect_loki(const HttpClient& client, const LokiRequest& request, LogTable& logs,
                          const Stop& stop) {
    SourceReport report{.kind = "loki"};
    const Stopwatch stopwatch;
    auto status = collect_streams(client, request, logs, report, stop);
    if (!status && report.num_items == 0)
        report.error = std::move(status).error();
    else if (!status)
        report.add_missing("the rest of the lines: " + status.error().message);
    report.seconds = stopwatch.seconds();
    return report;
}

}  // namespace culprit
