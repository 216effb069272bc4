#include "culprit/readers/metric_table.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <numeric>
#include <unordered_set>

#include "culprit/base/check.h"
#include "culprit/base/parallel.h"
#include "culprit/readers/chunk_parser.h"
#include "culprit/readers/csv_cursor.h"
#include "culprit/readers/file_bytes.h"
#include "culprit/readers/separators.h"

namespace culprit {
namespace {

constexpr std::size_t chunk_bytes_min = std::size_t{1} << 18U;
constexpr std::size_t huge_page_bytes = std::size_t{1} << 21U;

// What the field and its tools call the column of times, best first.
constexpr std::array<std::string_view, 9> time_names = {"time",      "timestamp",  "datetime",
                                                        "date_time", "@timestamp", "ts",
                                                        "_time",     "epoch",      "unix_time"};

bool equal_but_for_case(std::string_view field, std::string_view lower) {
    return std::equal(field.begin(), field.end(), lower.begin(), lower.end(), [](char a, char b) {
        return std::tolower(static_cast<unsigned char>(a)) == b;
    });
}

struct Header {
    RowLayout layout;
    std::vector<std::string> names;  // of the value columns
};

Result<Header> read_header(const CsvCursor& cursor, ProblemList& problems) {
    const auto& fields = cursor.fields();
    const CellPosition at{cursor.line(), 0};
    if (cursor.malformed()) return problems.refuse(at, "expected a header, found an open quote");
    if (fields.size() > columns_max)
        return problems.refuse(
            at, fmt::format("expected at most {} columns, found {}", columns_max, fields.size()));
    Header header;
    RowLayout& layout = header.layout;
    layout.target.assign(fields.size(), no_column);
    for (const std::string_view wanted : time_names) {
        const auto found = std::find_if(fields.begin(), fields.end(), [&](std::string_view field) {
            return equal_but_for_case(field, wanted);
        });
        if (layout.time_field == no_column && found != fields.end())
            layout.time_field = static_cast<std::size_t>(found - fields.begin());
    }
    if (layout.time_field == no_column)
        return problems.refuse(
            at, fmt::format("expected a column \"time\", found {}", quote_for_message(fields[0])));
    std::unordered_set<std::string> taken;
    for (std::size_t f = 0; f < fields.size(); ++f) {
        if (f == layout.time_field || fields[f].empty() || fields[f].starts_with("Unnamed"))
            continue;
        const CellPosition cell{cursor.line(), f + 1};
        if (fields[f].size() > name_bytes_max) {
            CULPRIT_TRY_STATUS(problems.note(
                "long name", cell,
                fmt::format("expected a column name of at most {} bytes, found {}; left out",
                            name_bytes_max, fields[f].size())));
            continue;
        }
        std::string name(fields[f]);
        if (make_printable(name))
            CULPRIT_TRY_STATUS(problems.note(
                "unprintable name", cell,
                fmt::format("expected a printable UTF-8 column name, found {}; replaced by U+FFFD",
                            quote_for_message(fields[f]))));
        if (!taken.insert(name).second) {
            std::size_t copy = 1;
            while (!taken.insert(fmt::format("{}.{}", name, copy)).second) ++copy;
            std::string renamed = fmt::format("{}.{}", name, copy);
            CULPRIT_TRY_STATUS(problems.note(
                "duplicate name", cell,
                fmt::format("expected distinct column names, found {} again; renamed to {}",
                            quote_for_message(name), quote_for_message(renamed))));
            name = std::move(renamed);
        }
        layout.target[f] = header.names.size();
        layout.field.push_back(f);
        header.names.push_back(std::move(name));
    }
    return header;
}

// The line and first row of each chunk are counted before any is parsed.
std::vector<Chunk> split(std::string_view body, std::uint64_t first_line, unsigned num_threads) {
    std::vector<Chunk> chunks;
    const std::size_t num_pieces =
        num_threads == 1 ? 1 : std::min<std::size_t>(body.size() / chunk_bytes_min + 1, 64);
    const std::size_t piece_bytes = body.size() / num_pieces + 1;
    while (!body.empty()) {
        std::size_t end = body.size();
        if (piece_bytes < body.size())
            end = std::min(body.find('\n', piece_bytes), body.size() - 1) + 1;
        Chunk& chunk = chunks.emplace_back();
        chunk.text = body.substr(0, end);
        chunk.readable = body.size();
        body.remove_prefix(end);
    }
    parallel_for(chunks.size(), num_threads, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            const LineCount count = count_lines(chunks[i].text);
            chunks[i].num_rows_max = count.num_newlines + (chunks[i].text.back() == '\n' ? 0 : 1);
            chunks[i].has_quotes = count.has_quotes;
        }
    });
    const bool has_quotes = std::any_of(chunks.begin(), chunks.end(),
                                        [](const Chunk& chunk) { return chunk.has_quotes; });
    if (has_quotes && chunks.size() > 1) {
        // A cut may lie inside quotes: one piece then.
        Chunk whole = chunks.front();
        whole.has_quotes = true;
        whole.text = {whole.text.data(), whole.readable};
        for (std::size_t i = 1; i < chunks.size(); ++i)
            whole.num_rows_max += chunks[i].num_rows_max;
        chunks.assign(1, whole);
    }
    std::size_t row = 0;
    for (Chunk& chunk : chunks) {
        chunk.first_row = row;
        chunk.first_line = first_line + row;
        row += chunk.num_rows_max;
    }
    return chunks;
}

// Not initialised: every slot of a row in use is written. Large ones lie on huge pages where the
// system has them, which saves most of the page faults.
std::shared_ptr<double> allocate(std::size_t count) {
    std::size_t bytes = std::max<std::size_t>(count, 1) * sizeof(double);
    const bool large = bytes >= 2 * huge_page_bytes;
    const std::size_t alignment = large ? huge_page_bytes : 64;
    bytes = (bytes + alignment - 1) / alignment * alignment;
    void* memory = std::aligned_alloc(alignment, bytes);
    if (memory == nullptr) throw std::bad_alloc();
    if (large) madvise(memory, bytes, MADV_HUGEPAGE);
    return {static_cast<double*>(memory), [](double* p) { std::free(p); }};
}

Status note_rows(const std::vector<Chunk>& chunks, const RowLayout& layout, ProblemList& problems) {
    for (const Chunk& chunk : chunks) {
        const UnusedRows& rows = chunk.unused;
        if (rows.malformed > 0)
            CULPRIT_TRY_STATUS(problems.note("quote", {rows.malformed_line, 0},
                                             "expected a closed quote followed by a comma; the row "
                                             "was not used",
                                             rows.malformed));
        if (rows.ragged > 0)
            CULPRIT_TRY_STATUS(
                problems.note("ragged", {rows.ragged_line, 0},
                              fmt::format("expected {} fields, found {}; the row was not used",
                                          layout.target.size(), rows.ragged_fields),
                              rows.ragged));
        if (rows.bad_time > 0)
            CULPRIT_TRY_STATUS(
                problems.note("time", {rows.bad_time_line, layout.time_field + 1},
                              fmt::format("expected a time, found {}; the row was not used",
                                          rows.bad_time_example),
                              rows.bad_time));
    }
    return {};
}

std::vector<OddCells> merge_cells(const std::vector<Chunk>& chunks, std::size_t num_columns) {
    std::vector<OddCells> merged(num_columns);
    for (const Chunk& chunk : chunks)
        for (const auto& [column, cells] : chunk.odd_cells) merged[column].merge(cells);
    return merged;
}

// Rows of the table, with the file's line of each.
struct Rows {
    std::vector<TimePoint> times;
    std::unique_ptr<std::uint64_t[]> lines;  // not initialised: most tables need none
};

// Closes the gaps that rows left out have made, column by column.
void close_gaps(const std::vector<Chunk>& chunks, std::size_t num_columns,
                const TableTarget& target, Rows& rows) {
    std::size_t num_rows = 0;
    for (const Chunk& chunk : chunks) {
        if (chunk.first_row != num_rows) {
            for (std::size_t c = 0; c < num_columns; ++c) {
                double* const column = target.values + c * target.stride;
                std::memmove(column + num_rows, column + chunk.first_row,
                             chunk.num_rows * sizeof(double));
            }
            std::copy_n(target.times + chunk.first_row, chunk.num_rows, target.times + num_rows);
            std::copy_n(target.lines + chunk.first_row, chunk.num_rows, target.lines + num_rows);
        }
        num_rows += chunk.num_rows;
    }
    rows.times.resize(num_rows);
}

struct RowOrder {
    std::vector<std::size_t> rows;  // empty = as they are
    std::uint64_t num_unsorted = 0;
    std::uint64_t num_duplicates = 0;
    std::size_t first_unsorted = 0;
    std::size_t first_duplicate = 0;
};

RowOrder order_rows(const std::vector<TimePoint>& times) {
    RowOrder order;
    bool ascending = true;
    for (std::size_t i = 1; i < times.size(); ++i) {
        if (times[i] < times[i - 1] && order.num_unsorted++ == 0) order.first_unsorted = i;
        ascending = ascending && times[i - 1] < times[i];
    }
    if (ascending) return order;
    order.rows.resize(times.size());
    std::iota(order.rows.begin(), order.rows.end(), std::size_t{0});
    std::stable_sort(order.rows.begin(), order.rows.end(),
                     [&](std::size_t a, std::size_t b) { return times[a] < times[b]; });
    std::vector<std::size_t> kept;
    kept.reserve(order.rows.size());
    for (const std::size_t row : order.rows) {
        if (!kept.empty() && times[kept.back()] == times[row]) {
            if (order.num_duplicates++ == 0) order.first_duplicate = row;
            continue;
        }
        kept.push_back(row);
    }
    order.rows = std::move(kept);
    return order;
}

Status note_order(const RowOrder& order, const Rows& rows, std::size_t time_field,
                  ProblemList& problems) {
    if (order.num_unsorted > 0)
        CULPRIT_TRY_STATUS(
            problems.note("unsorted", {rows.lines[order.first_unsorted], time_field + 1},
                          fmt::format("expected ascending times, found {} after {}; sorted",
                                      format_time(rows.times[order.first_unsorted]),
                                      format_time(rows.times[order.first_unsorted - 1])),
                          order.num_unsorted));
    if (order.num_duplicates > 0)
        CULPRIT_TRY_STATUS(problems.note(
            "duplicate time", {rows.lines[order.first_duplicate], time_field + 1},
            fmt::format("expected one row per time, found {} again; the first row stays",
                        format_time(rows.times[order.first_duplicate])),
            order.num_duplicates));
    return {};
}

void apply_order(const RowOrder& order, std::size_t num_columns, const TableTarget& target,
                 std::vector<TimePoint>& times) {
    std::vector<double> sorted(order.rows.size());
    for (std::size_t c = 0; c < num_columns; ++c) {
        double* const column = target.values + c * target.stride;
        for (std::size_t i = 0; i < sorted.size(); ++i) sorted[i] = column[order.rows[i]];
        std::copy(sorted.begin(), sorted.end(), column);
    }
    std::vector<TimePoint> sorted_times;
    sorted_times.reserve(sorted.size());
    for (const std::size_t row : order.rows) sorted_times.push_back(times[row]);
    times = std::move(sorted_times);
}

bool is_text(const OddCells& counts, std::string_view name, const double* values,
             std::size_t num_rows) {
    if (counts.texts == 0) return false;
    for (const std::string_view ending : {"_pod_name", "_pod_ip", "_node_name", "_node_ip"})
        if (name.ends_with(ending)) return true;
    const auto numbers = static_cast<std::uint64_t>(
        std::count_if(values, values + num_rows, [](double v) { return !std::isnan(v); }));
    return counts.texts > numbers;
}

Status note_cells(const OddCells& counts, const std::string& name, ProblemList& problems) {
    if (counts.texts > 0)
        CULPRIT_TRY_STATUS(problems.note(
            "text " + name, counts.first_text,
            fmt::format("expected a number in column {}, found {}; the value counts as missing",
                        quote_for_message(name), counts.text_example),
            counts.texts));
    if (counts.infinites > 0)
        CULPRIT_TRY_STATUS(problems.note(
            "infinite " + name, counts.first_infinite,
            fmt::format("expected a finite number in column {}, found infinity; the value counts "
                        "as missing",
                        quote_for_message(name)),
            counts.infinites));
    return {};
}

// Moves the kept columns together, each to `num_rows` values, and names them.
Result<MetricTable> assemble(Header header, const std::vector<OddCells>& cells,
                             std::shared_ptr<double> values, std::size_t stride,
                             std::vector<TimePoint> times, ProblemList& problems) {
    MetricTable table;
    const std::size_t num_rows = times.size();
    std::vector<Column> columns;
    columns.reserve(header.names.size());
    double* const data = values.get();
    for (std::size_t c = 0; c < header.names.size(); ++c) {
        if (is_text(cells[c], header.names[c], data + c * stride, num_rows)) {
            table.text_columns.push_back(std::move(header.names[c]));
            continue;
        }
        CULPRIT_TRY_STATUS(note_cells(cells[c], header.names[c], problems));
        double* const target = data + columns.size() * num_rows;
        if (target != data + c * stride && num_rows > 0)
            std::memmove(target, data + c * stride, num_rows * sizeof(double));
        columns.push_back(describe_column(std::move(header.names[c])));
    }
    CULPRIT_TRY(table.frame, Frame::make(std::move(times), std::move(columns),
                                         Frame::Values(std::move(values))));
    return table;
}

}  // namespace

Result<MetricTable> read_metric_table(std::string_view bytes, ProblemList& problems,
                                      unsigned num_threads) {
    const auto decoded = as_text(bytes);
    if (!decoded) return problems.refuse({}, decoded.error().message);
    const std::string_view text = *decoded;
    CsvCursor cursor(text);
    if (!cursor.next()) return problems.refuse({}, "expected a header, found an empty file");
    CULPRIT_TRY(Header header, read_header(cursor, problems));
    std::vector<Chunk> chunks;
    if (cursor.offset() < text.size())
        chunks = split(text.substr(cursor.offset()), cursor.next_line(), num_threads);
    const std::size_t num_columns = header.names.size();
    const std::size_t stride =
        chunks.empty() ? 0 : chunks.back().first_row + chunks.back().num_rows_max;
    if (num_columns != 0 && stride > memory_bytes_max() / sizeof(double) / num_columns)
        return problems.refuse({}, fmt::format("expected a table that fits into memory, found {} "
                                               "rows of {} columns",
                                               stride, num_columns));
    std::shared_ptr<double> values = allocate(num_columns * stride);
    Rows rows{std::vector<TimePoint>(stride),
              std::make_unique_for_overwrite<std::uint64_t[]>(stride)};
    const TableTarget target{values.get(), rows.times.data(), rows.lines.get(), stride};
    parallel_for(chunks.size(), num_threads, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) parse_chunk(header.layout, chunks[i], target);
    });
    CULPRIT_TRY_STATUS(note_rows(chunks, header.layout, problems));
    close_gaps(chunks, num_columns, target, rows);
    const RowOrder order = order_rows(rows.times);
    CULPRIT_TRY_STATUS(note_order(order, rows, header.layout.time_field, problems));
    if (!order.rows.empty()) apply_order(order, num_columns, target, rows.times);
    const auto cells = merge_cells(chunks, num_columns);
    return assemble(std::move(header), cells, std::move(values), stride, std::move(rows.times),
                    problems);
}

Column describe_column(std::string name) {
    Column column;
    const std::size_t split = name.find('_');
    column.service = name.substr(0, split);
    if (split != std::string::npos) column.metric = name.substr(split + 1);
    // Units that the study's collector fixes; the public sets do not state theirs.
    struct MetricUnit {
        std::string_view metric;
        std::string_view unit;
    };
    static constexpr MetricUnit units[] = {
        {"ctn_cpu", "{cpu}"},    {"ctn_network", "(k{packet}/s)2"},
        {"ctn_memory", "kBy/s"}, {"ctn_gpu", "%"},
        {"node_cpu", "1"},       {"node_network", "k{packet}/s"},
        {"node_memory", "1"},
    };
    for (const auto& [metric, unit] : units)
        if (column.metric == metric) column.unit = unit;
    column.name = std::move(name);
    return column;
}

}  // namespace culprit
