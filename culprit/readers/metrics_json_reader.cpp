#include "culprit/readers/metrics_json_reader.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_set>

#include "culprit/readers/file_bytes.h"
#include "culprit/readers/time_text.h"

namespace culprit {
namespace {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();

struct Point {
    TimePoint time;
    double value;
};
struct Series {
    std::string name;
    std::vector<Point> points;
};

// Python's json writes NaN and Infinity, which JSON does not have: null in their place.
std::string replace_nonfinite(std::string_view text) {
    std::string clean;
    clean.reserve(text.size() + text.size() / 8);
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string && c == '\\' && i + 1 < text.size()) {
            clean += c;
            clean += text[++i];
            continue;
        }
        if (c == '"') in_string = !in_string;
        const std::string_view rest = text.substr(i);
        std::size_t skipped = 0;
        if (!in_string)
            for (const std::string_view word : {"NaN", "Infinity", "-Infinity"})
                if (rest.starts_with(word)) skipped = word.size();
        if (skipped > 0) {
            clean += "null";
            i += skipped - 1;
        } else {
            clean += c;
        }
    }
    return clean;
}

Result<Series> read_series(std::string_view key, const simdjson::dom::element& value,
                           ProblemList& problems) {
    Series series;
    series.name = std::string(key.substr(0, name_bytes_max));
    make_printable(series.name);
    simdjson::dom::array points;
    if (value.get(points) != simdjson::SUCCESS)
        return problems.refuse({}, fmt::format("expected an array of [time, value] for {}, found "
                                               "another value",
                                               quote_for_message(key)));
    series.points.reserve(points.size());
    for (const simdjson::dom::element point : points) {
        simdjson::dom::array pair;
        double time_s = 0.0;
        if (point.get(pair) != simdjson::SUCCESS || pair.size() != 2 ||
            pair.at(0).get(time_s) != simdjson::SUCCESS || !(time_s >= 0.0) ||
            time_s >= static_cast<double>(unix_seconds_max)) {
            CULPRIT_TRY_STATUS(problems.note(
                "pair " + series.name, {},
                fmt::format("expected [Unix seconds, value] in {}, found another value; not used",
                            quote_for_message(key))));
            continue;
        }
        double number = missing;
        if (pair.at(1).get(number) != simdjson::SUCCESS) number = missing;
        series.points.push_back({time_from_seconds(time_s), number});
    }
    return series;
}

Result<MetricTable> assemble(std::vector<Series> all, ProblemList& problems) {
    std::vector<TimePoint> times;
    for (const Series& series : all)
        for (const Point& point : series.points) times.push_back(point.time);
    std::sort(times.begin(), times.end());
    times.erase(std::unique(times.begin(), times.end()), times.end());
    if (!all.empty() && times.size() > memory_bytes_max() / sizeof(double) / all.size())
        return problems.refuse({}, fmt::format("expected a table that fits into memory, found {} "
                                               "times of {} series",
                                               times.size(), all.size()));
    Matrix values(times.size(), all.size(), missing);
    std::vector<Column> columns;
    std::unordered_set<std::string> names;
    for (std::size_t c = 0; c < all.size(); ++c) {
        std::vector<bool> taken(times.size(), false);
        for (const Point& point : all[c].points) {
            const auto row = static_cast<std::size_t>(
                std::lower_bound(times.begin(), times.end(), point.time) - times.begin());
            if (taken[row])
                CULPRIT_TRY_STATUS(problems.note(
                    "duplicate time", {},
                    fmt::format("expected one value per time, found {} again in {}; not used",
                                format_time(point.time), quote_for_message(all[c].name))));
            else
                values(row, c) = point.value;
            taken[row] = true;
        }
        std::string name = all[c].name;
        for (std::size_t copy = 1; name.empty() || !names.insert(name).second; ++copy)
            name = fmt::format("{}.{}", all[c].name, copy);
        columns.push_back(describe_column(std::move(name)));
    }
    MetricTable table;
    CULPRIT_TRY(table.frame, Frame::make(std::move(times), std::move(columns), std::move(values)));
    return table;
}

}  // namespace

Result<MetricTable> read_metrics_json(std::string_view bytes, ProblemList& problems) {
    const auto text = as_text(bytes);
    if (!text) return problems.refuse({}, text.error().message);
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    auto code = parser.parse(simdjson::padded_string(*text)).get(root);
    if (code != simdjson::SUCCESS)
        code = parser.parse(simdjson::padded_string(replace_nonfinite(*text))).get(root);
    if (code != simdjson::SUCCESS)
        return problems.refuse(
            {}, fmt::format("expected JSON, found: {}", simdjson::error_message(code)));
    simdjson::dom::object object;
    if (root.get(object) != simdjson::SUCCESS)
        return problems.refuse({}, "expected an object of series, found another value");
    std::vector<Series> all;
    for (const simdjson::dom::key_value_pair field : object) {
        if (field.key == "time") continue;
        CULPRIT_TRY(Series series, read_series(field.key, field.value, problems));
        all.push_back(std::move(series));
    }
    return assemble(std::move(all), problems);
}

}  // namespace culprit
