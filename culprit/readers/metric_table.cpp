#include "culprit/readers/metric_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <mutex>
#include <numeric>
#include <unordered_set>

#include "culprit/base/check.h"
#include "culprit/base/parallel.h"
#include "culprit/readers/csv_cursor.h"
#include "culprit/readers/file_bytes.h"
#include "culprit/readers/number.h"
#include "culprit/readers/time_text.h"

namespace culprit {
namespace {

constexpr std::size_t no_column = std::numeric_limits<std::size_t>::max();
constexpr std::size_t chunk_bytes_min = std::size_t{1} << 18U;
constexpr double missing = std::numeric_limits<double>::quiet_NaN();

struct Header {
    std::size_t num_fields = 0;
    std::size_t time_field = no_column;
    std::vector<std::size_t> target;  // field -> value column, no_column for time and index
    std::vector<std::string> names;   // of the value columns
    std::vector<std::size_t> field;   // value column -> field
};

// What one cell's reading found besides numbers, per column.
struct CellCounts {
    std::uint64_t numbers = 0;
    std::uint64_t texts = 0;
    std::uint64_t infinites = 0;
    CellPosition first_text;
    CellPosition first_infinite;
    std::string text_example;
};

struct RowProblems {
    std::uint64_t ragged = 0;
    std::uint64_t bad_time = 0;
    std::uint64_t malformed = 0;
    std::uint64_t ragged_line = 0;
    std::size_t ragged_fields = 0;
    std::uint64_t bad_time_line = 0;
    std::uint64_t malformed_line = 0;
    std::string bad_time_example;
};

// A run of whole lines, read by one thread into its own rows.
struct Chunk {
    std::string_view text;
    std::uint64_t first_line = 0;
    std::size_t first_row = 0;
    std::size_t num_rows_max = 0;
    std::size_t num_rows = 0;  // rows kept
    RowProblems rows;
    std::vector<std::pair<std::size_t, CellCounts>> odd_cells;  // by column, few
};

Result<Header> read_header(const CsvCursor& cursor, ProblemList& problems) {
    const auto& fields = cursor.fields();
    const CellPosition at{cursor.line(), 0};
    if (cursor.malformed()) return problems.refuse(at, "expected a header, found an open quote");
    if (fields.size() > columns_max)
        return problems.refuse(
            at, fmt::format("expected at most {} columns, found {}", columns_max, fields.size()));
    Header header;
    header.num_fields = fields.size();
    header.target.assign(fields.size(), no_column);
    for (const std::string_view wanted : {"time", "timestamp"}) {
        const auto found = std::find(fields.begin(), fields.end(), wanted);
        if (header.time_field == no_column && found != fields.end())
            header.time_field = static_cast<std::size_t>(found - fields.begin());
    }
    if (header.time_field == no_column)
        return problems.refuse(
            at, fmt::format("expected a column \"time\", found {}", quote_for_message(fields[0])));
    std::unordered_set<std::string> taken;
    for (std::size_t f = 0; f < fields.size(); ++f) {
        if (f == header.time_field || fields[f].empty() || fields[f].starts_with("Unnamed"))
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
        header.target[f] = header.names.size();
        header.field.push_back(f);
        header.names.push_back(std::move(name));
    }
    return header;
}

// The line and first row of each chunk are counted before any is parsed.
std::vector<Chunk> split(std::string_view body, std::uint64_t first_line, unsigned num_threads) {
    std::vector<Chunk> chunks;
    const bool quoted = std::memchr(body.data(), '"', body.size()) != nullptr;
    std::size_t num_chunks = quoted ? 1 : body.size() / chunk_bytes_min + 1;
    if (num_threads == 1) num_chunks = 1;
    num_chunks = std::min<std::size_t>(num_chunks, 64);
    const std::size_t chunk_bytes = body.size() / num_chunks + 1;
    while (!body.empty()) {
        std::size_t end = body.size();
        if (chunk_bytes < body.size() && chunks.size() + 1 < num_chunks)
            end = std::min(body.find('\n', chunk_bytes), body.size() - 1) + 1;
        chunks.emplace_back().text = body.substr(0, end);
        body.remove_prefix(end);
    }
    parallel_for(chunks.size(), num_threads, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            const std::string_view text = chunks[i].text;
            chunks[i].num_rows_max =
                static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) +
                (text.back() == '\n' ? 0 : 1);
        }
    });
    std::size_t row = 0;
    for (Chunk& chunk : chunks) {
        chunk.first_row = row;
        chunk.first_line = first_line + row;
        row += chunk.num_rows_max;
    }
    return chunks;
}

class ChunkParser {
public:
    ChunkParser(const Header& header, Chunk& chunk, double* values, TimePoint* times,
                std::size_t stride)
        : header_(header),
          chunk_(chunk),
          values_(values + chunk.first_row),
          times_(times + chunk.first_row),
          stride_(stride) {}

    void run() {
        if (std::memchr(chunk_.text.data(), '"', chunk_.text.size()) != nullptr)
            run_quoted();
        else
            run_plain();
        for (auto& [column, counts] : odd_) chunk_.odd_cells.emplace_back(column, counts);
        std::sort(chunk_.odd_cells.begin(), chunk_.odd_cells.end(),
                  [](const auto& a, const auto& b) { return a.first < b.first; });
    }

private:
    void run_plain();
    void run_quoted();
    bool read_plain_row(const char*& p, const char* end);
    void odd_cell(std::size_t column, std::string_view cell);
    bool read_time(std::string_view cell);
    void ragged(std::size_t num_fields) {
        if (chunk_.rows.ragged++ == 0) {
            chunk_.rows.ragged_line = line_;
            chunk_.rows.ragged_fields = num_fields;
        }
    }

    const Header& header_;
    Chunk& chunk_;
    double* values_;
    TimePoint* times_;
    std::size_t stride_;
    std::uint64_t line_ = 0;
    std::unordered_map<std::size_t, CellCounts> odd_;
};

bool ChunkParser::read_time(std::string_view cell) {
    const auto time = parse_time_text(cell);
    if (time) {
        times_[chunk_.num_rows] = *time;
        return true;
    }
    if (chunk_.rows.bad_time++ == 0) {
        chunk_.rows.bad_time_line = line_;
        chunk_.rows.bad_time_example = quote_for_message(cell);
    }
    return false;
}

void ChunkParser::odd_cell(std::size_t column, std::string_view cell) {
    double value = missing;
    const CellKind kind = parse_cell(cell, value);
    values_[column * stride_ + chunk_.num_rows] = value;
    if (kind != CellKind::text && kind != CellKind::infinite) return;
    CellCounts& counts = odd_[column];
    const CellPosition at{line_, header_.field[column] + 1};
    if (kind == CellKind::infinite) {
        if (counts.infinites++ == 0) counts.first_infinite = at;
    } else if (counts.texts++ == 0) {
        counts.first_text = at;
        counts.text_example = quote_for_message(cell);
    }
}

// One line without quotes; p ends behind it.
bool ChunkParser::read_plain_row(const char*& p, const char* end) {
    const std::size_t row = chunk_.num_rows;
    bool good_time = false;
    std::size_t field = 0;
    while (true) {
        const std::size_t column = field < header_.num_fields ? header_.target[field] : no_column;
        const char* const cell = p;
        double value = 0.0;
        if (column != no_column && parse_simple_decimal(p, end, value) &&
            (p == end || *p == ',' || *p == '\n')) {
            values_[column * stride_ + row] = value;
        } else {
            p = cell;
            while (p != end && *p != ',' && *p != '\n') ++p;
            std::string_view text(cell, static_cast<std::size_t>(p - cell));
            if ((p == end || *p == '\n') && text.ends_with('\r')) text.remove_suffix(1);
            if (column != no_column)
                odd_cell(column, text);
            else if (field == header_.time_field)
                good_time = read_time(text);
        }
        ++field;
        if (p == end) break;
        if (*p++ == '\n') break;
    }
    if (field != header_.num_fields) {
        ragged(field);
        return false;
    }
    return good_time;
}

void ChunkParser::run_plain() {
    const char* p = chunk_.text.data();
    const char* const end = p + chunk_.text.size();
    line_ = chunk_.first_line;
    for (; p != end; ++line_) {
        if (*p == '\n' || (*p == '\r' && p + 1 != end && p[1] == '\n')) {
            p += *p == '\n' ? 1 : 2;
            continue;
        }
        if (read_plain_row(p, end)) ++chunk_.num_rows;
    }
}

void ChunkParser::run_quoted() {
    CsvCursor cursor(chunk_.text, chunk_.first_line);
    while (cursor.next()) {
        line_ = cursor.line();
        const auto& fields = cursor.fields();
        if (cursor.malformed()) {
            if (chunk_.rows.malformed++ == 0) chunk_.rows.malformed_line = line_;
            continue;
        }
        if (fields.size() != header_.num_fields) {
            ragged(fields.size());
            continue;
        }
        if (!read_time(fields[header_.time_field])) continue;
        for (std::size_t f = 0; f < fields.size(); ++f)
            if (header_.target[f] != no_column) odd_cell(header_.target[f], fields[f]);
        ++chunk_.num_rows;
    }
}

Status note_rows(const std::vector<Chunk>& chunks, const Header& header, ProblemList& problems) {
    for (const Chunk& chunk : chunks) {
        const RowProblems& rows = chunk.rows;
        if (rows.malformed > 0)
            CULPRIT_TRY_STATUS(problems.note("quote", {rows.malformed_line, 0},
                                             "expected a closed quote followed by a comma; the row "
                                             "was not used",
                                             rows.malformed));
        if (rows.ragged > 0)
            CULPRIT_TRY_STATUS(
                problems.note("ragged", {rows.ragged_line, 0},
                              fmt::format("expected {} fields, found {}; the row was not used",
                                          header.num_fields, rows.ragged_fields),
                              rows.ragged));
        if (rows.bad_time > 0)
            CULPRIT_TRY_STATUS(
                problems.note("time", {rows.bad_time_line, header.time_field + 1},
                              fmt::format("expected a time, found {}; the row was not used",
                                          rows.bad_time_example),
                              rows.bad_time));
    }
    return {};
}

std::vector<CellCounts> merge_cells(const std::vector<Chunk>& chunks, std::size_t num_columns) {
    std::vector<CellCounts> merged(num_columns);
    for (const Chunk& chunk : chunks) {
        for (const auto& [column, counts] : chunk.odd_cells) {
            CellCounts& into = merged[column];
            if (into.texts == 0) {
                into.first_text = counts.first_text;
                into.text_example = counts.text_example;
            }
            if (into.infinites == 0) into.first_infinite = counts.first_infinite;
            into.texts += counts.texts;
            into.infinites += counts.infinites;
        }
    }
    return merged;
}

// Closes the gaps that rows left out have made, column by column.
std::size_t close_gaps(const std::vector<Chunk>& chunks, std::size_t num_columns, double* values,
                       std::size_t stride, std::vector<TimePoint>& times) {
    std::size_t num_rows = 0;
    for (const Chunk& chunk : chunks) {
        if (chunk.first_row != num_rows) {
            for (std::size_t c = 0; c < num_columns; ++c)
                std::memmove(values + c * stride + num_rows, values + c * stride + chunk.first_row,
                             chunk.num_rows * sizeof(double));
            std::copy_n(times.begin() + static_cast<std::ptrdiff_t>(chunk.first_row),
                        chunk.num_rows, times.begin() + static_cast<std::ptrdiff_t>(num_rows));
        }
        num_rows += chunk.num_rows;
    }
    times.resize(num_rows);
    return num_rows;
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

Status note_order(const RowOrder& order, const std::vector<TimePoint>& times,
                  ProblemList& problems) {
    if (order.num_unsorted > 0)
        CULPRIT_TRY_STATUS(problems.note(
            "unsorted", {},
            fmt::format("expected ascending times, found {} after {} in data row {}; sorted",
                        format_time(times[order.first_unsorted]),
                        format_time(times[order.first_unsorted - 1]), order.first_unsorted + 1),
            order.num_unsorted));
    if (order.num_duplicates > 0)
        CULPRIT_TRY_STATUS(problems.note(
            "duplicate time", {},
            fmt::format("expected one row per time, found {} again in data row {}; the first row "
                        "stays",
                        format_time(times[order.first_duplicate]), order.first_duplicate + 1),
            order.num_duplicates));
    return {};
}

void apply_order(const RowOrder& order, std::size_t num_columns, double* values, std::size_t stride,
                 std::vector<TimePoint>& times) {
    std::vector<double> sorted(order.rows.size());
    for (std::size_t c = 0; c < num_columns; ++c) {
        double* const column = values + c * stride;
        for (std::size_t i = 0; i < sorted.size(); ++i) sorted[i] = column[order.rows[i]];
        std::copy(sorted.begin(), sorted.end(), column);
    }
    std::vector<TimePoint> sorted_times;
    sorted_times.reserve(sorted.size());
    for (const std::size_t row : order.rows) sorted_times.push_back(times[row]);
    times = std::move(sorted_times);
}

bool is_text(const CellCounts& counts, std::string_view name, const double* values,
             std::size_t num_rows) {
    if (counts.texts == 0) return false;
    for (const std::string_view ending : {"_pod_name", "_pod_ip", "_node_name", "_node_ip"})
        if (name.ends_with(ending)) return true;
    const auto numbers = static_cast<std::uint64_t>(
        std::count_if(values, values + num_rows, [](double v) { return !std::isnan(v); }));
    return counts.texts > numbers;
}

Status note_cells(const CellCounts& counts, const std::string& name, ProblemList& problems) {
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
Result<MetricTable> assemble(Header header, const std::vector<CellCounts>& cells,
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
    // Not initialised: every slot of a kept row is written.
    std::shared_ptr<double> values(new double[std::max<std::size_t>(num_columns * stride, 1)],
                                   std::default_delete<double[]>());
    std::vector<TimePoint> times(stride);
    parallel_for(chunks.size(), num_threads, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i)
            ChunkParser(header, chunks[i], values.get(), times.data(), stride).run();
    });
    CULPRIT_TRY_STATUS(note_rows(chunks, header, problems));
    close_gaps(chunks, num_columns, values.get(), stride, times);
    const RowOrder order = order_rows(times);
    CULPRIT_TRY_STATUS(note_order(order, times, problems));
    if (!order.rows.empty()) apply_order(order, num_columns, values.get(), stride, times);
    const auto cells = merge_cells(chunks, num_columns);
    return assemble(std::move(header), cells, std::move(values), stride, std::move(times),
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
