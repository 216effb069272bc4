#include <xxhash.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "culprit/frame/span_series.h"
#include "culprit/logs/template_counts.h"
#include "culprit/readers/case_annex.h"
#include "culprit/readers/case_label.h"
#include "culprit/readers/case_summary.h"
#include "culprit/readers/columnar_file.h"
#include "culprit/readers/decimal.h"
#include "culprit/readers/derived_series.h"
#include "culprit/readers/file_bytes.h"
#include "culprit/readers/log_reader.h"
#include "culprit/readers/metric_table.h"
#include "culprit/readers/metrics_json_reader.h"
#include "culprit/readers/number.h"
#include "culprit/readers/span_reader.h"
#include "culprit/readers/time_text.h"
#include "culprit/readers/topology_reader.h"
#include "tests/fuzz/fuzz_targets.h"

namespace culprit::fuzz {

void require(bool condition, const char* promise) {
    if (condition) return;
    std::fprintf(stderr, "broken promise: %s\n", promise);
    std::abort();
}

namespace {

bool same(const Frame& a, const Frame& b) {
    if (a.num_rows() != b.num_rows() || a.num_columns() != b.num_columns()) return false;
    for (std::size_t c = 0; c < a.num_columns(); ++c) {
        const auto x = a.values(c);
        const auto y = b.values(c);
        if (a.column(c).name != b.column(c).name ||
            (!x.empty() && std::memcmp(x.data(), y.data(), x.size_bytes()) != 0))
            return false;
    }
    return true;
}

void metric_table(std::string_view input) {
    ProblemList problems("data.csv", false);
    const auto table = read_metric_table(input, problems, 1);
    ProblemList strict_problems("data.csv", true);
    const auto strict = read_metric_table(input, strict_problems, 1);
    require(table.has_value() || !strict.has_value(), "strict accepts no more than lenient");
    if (!table) return;
    require(strict.has_value() == (problems.size() == 0), "strict fails exactly on problems");
    for (std::size_t c = 0; c < table->frame.num_columns(); ++c)
        for (const double value : table->frame.values(c))
            require(!std::isinf(value), "no infinite value comes out");
    // The same table with every field in quotes, if none has any, takes the other path.
    if (input.find_first_of("\"\r") != std::string_view::npos || input.starts_with("\xEF\xBB\xBF"))
        return;
    std::string quoted = "\"";
    for (const char c : input) {
        if (c == ',' || c == '\n')
            quoted += c == ',' ? "\",\"" : "\"\n\"";
        else
            quoted += c;
    }
    quoted += "\"";
    if (input.find("\n\n") != std::string_view::npos || input.starts_with('\n') ||
        input.ends_with('\n'))
        return;  // a blank line in quotes is a row
    ProblemList quoted_problems("data.csv", false);
    const auto other = read_metric_table(quoted, quoted_problems, 1);
    require(other.has_value() && same(table->frame, other->frame), "quotes change nothing");
}

void log_table(std::string_view input) {
    ProblemList problems("logs.csv", false);
    const auto logs = read_log_table(input, problems);
    if (!logs) return;
    require(logs->message_end.size() == logs->size() && logs->source.size() == logs->size(),
            "as many messages as times");
    static_cast<void>(count_logs(*logs));
    const LogTemplates mined = mine_templates(*logs, {.templates_max = 50});
    require(mined.templates.size() <= 51, "templates are bounded");
    const TimeGrid grid{time_from_seconds(1.77e9), std::chrono::seconds(5), 100};
    static_cast<void>(count_templates(*logs, mined, grid));
}

void span_table(std::string_view input) {
    ProblemList problems("traces.csv", false);
    const auto spans = read_span_table(input, problems);
    if (!spans) return;
    static_cast<void>(count_spans(*spans));
    static_cast<void>(edge_latency(*spans));
    const SpanTimes times = time_spans(*spans);
    const SpanSeriesOptions options{
        .grid = {time_from_seconds(1.77e9), std::chrono::seconds(5), 9}};
    for (const SpanQuantity quantity : {SpanQuantity::self_time, SpanQuantity::gap})
        require(operation_series(*spans, times, quantity, options).has_value(), "few cells");
    for (const Duration self : times.self_time)
        require(self >= Duration{0}, "self time is not negative");
}

void topology(std::string_view input) {
    ProblemList problems("mpg.csv", false);
    auto found = read_topology(input, problems);
    Topology placements;
    if (found) placements = *found;
    static_cast<void>(add_placements(input, problems, placements));
}

void metrics_json(std::string_view input) {
    ProblemList problems("metrics.json", false);
    static_cast<void>(read_metrics_json(input, problems));
}

void case_label(std::string_view input) {
    ProblemList problems("case.json", false);
    static_cast<void>(read_case_json(input, problems));
    static_cast<void>(read_alert_time(input, problems));
    static_cast<void>(truth_from_folder(input));
    static_cast<void>(read_code_location(input));
    Case annexed;
    static_cast<void>(apply_case_annex(input, annexed));
}

void archive(std::string_view input) {
    constexpr std::size_t bytes_max = 1U << 20U;
    const auto unpacked = unpack(input, bytes_max);
    if (unpacked) require(unpacked->view().size() <= bytes_max, "unpacking stops at the limit");
}

// Checksums would keep every mutation out: they are put right first.
void columnar(std::string_view input) {
    std::string bytes(input);
    const auto load = [&](std::size_t at) {
        std::uint64_t value = 0;
        std::memcpy(&value, bytes.data() + at, sizeof(value));
        return value;
    };
    const auto sign = [&](std::size_t at, std::size_t begin, std::size_t size) {
        const std::uint64_t hash = XXH3_64bits(bytes.data() + begin, size);
        std::memcpy(bytes.data() + at, &hash, sizeof(hash));
    };
    const std::size_t count = bytes.size() < 24 ? 0 : load(8);
    if (count < 100 && bytes.size() >= 24 + count * 32) {
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t entry = 24 + i * 32;
            const std::uint64_t offset = load(entry + 8);
            const std::uint64_t size = load(entry + 16);
            if (offset <= bytes.size() && size <= bytes.size() - offset)
                sign(entry + 24, offset, size);
        }
        if (bytes.size() >= 24) sign(16, 24, count * 32);
    }
    const auto copy = unpack(bytes, 1U << 26U);
    if (!copy) return;
    const auto read = read_columnar(*copy);
    if (read) static_cast<void>(summarize(*read));
}

void number(std::string_view input) {
    const std::string text(input.substr(0, 64));
    double bytewise = 0.0;
    double fast = 0.0;
    const bool accepted = parse_decimal(text.data(), text.size(), text.size(), bytewise);
    std::string padded = text;
    padded.append(32, ',');
    require(accepted == parse_decimal(padded.data(), text.size(), padded.size(), fast),
            "both ways accept the same");
    double cell = 0.0;
    const CellKind kind = parse_cell(text, cell);
    require((kind == CellKind::number) == std::isfinite(cell), "only numbers have a value");
    static_cast<void>(parse_time_text(text));
    if (!accepted) return;
    double exact = 0.0;
    const auto [rest, code] = std::from_chars(text.data(), text.data() + text.size(), exact);
    require(rest == text.data() + text.size() && code == std::errc(), "from_chars agrees");
    const auto bits = std::bit_cast<std::uint64_t>(exact);
    require(bits == std::bit_cast<std::uint64_t>(fast) &&
                bits == std::bit_cast<std::uint64_t>(bytewise),
            "the nearest double");
}

constexpr Target all[] = {
    {"archive", archive},     {"case_label", case_label},     {"columnar", columnar},
    {"log_table", log_table}, {"metric_table", metric_table}, {"metrics_json", metrics_json},
    {"number", number},       {"span_table", span_table},     {"topology", topology},
};

}  // namespace

std::span<const Target> targets() {
    static const std::vector<Target> both = [] {
        std::vector<Target> list(std::begin(all), std::end(all));
        const auto telemetry = telemetry_targets();
        list.insert(list.end(), telemetry.begin(), telemetry.end());
        return list;
    }();
    return both;
}

}  // namespace culprit::fuzz
