#include "culprit/readers/chunk_parser.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "culprit/readers/csv_cursor.h"
#include "culprit/readers/decimal.h"
#include "culprit/readers/number.h"
#include "culprit/readers/separators.h"
#include "culprit/readers/time_text.h"

namespace culprit {
namespace {

constexpr std::size_t tile_rows = 8;  // 64 bytes of a column
constexpr std::size_t window_bytes = std::size_t{1} << 15U;

class ChunkParser {
public:
    ChunkParser(const RowLayout& layout, Chunk& chunk, const TableTarget& target)
        : layout_(layout),
          chunk_(chunk),
          target_(target),
          num_columns_(layout.field.size()),
          tile_(tile_rows * num_columns_) {}

    void run() {
        if (chunk_.has_quotes)
            run_quoted();
        else
            run_plain();
        flush_tile();
        for (auto& [column, cells] : odd_) chunk_.odd_cells.emplace_back(column, std::move(cells));
    }

private:
    struct OddCell {
        std::size_t column;
        bool infinite;
        std::string_view text;
    };

    void run_plain();
    void run_quoted();
    void read_cell(std::size_t field, const char* cell, std::size_t length);
    void read_time(std::optional<TimePoint> time);
    void read_odd_cell(std::size_t field, std::string_view cell);
    void end_row(std::size_t num_fields);
    void end_line(std::size_t num_fields, const char* begin, const char* end);
    void keep_odd_cells();
    void flush_tile();

    const RowLayout& layout_;
    Chunk& chunk_;
    const TableTarget& target_;
    std::size_t num_columns_;
    std::vector<double> tile_;  // row-major
    std::size_t tile_size_ = 0;
    double* row_ = tile_.data();
    std::uint64_t line_ = 0;
    bool has_time_ = false;
    TimePoint time_;
    std::string_view time_text_;
    std::vector<OddCell> odd_in_row_;
    std::map<std::size_t, OddCells> odd_;
};

// Column by column, so that each takes its new rows in one piece.
void ChunkParser::flush_tile() {
    double* const first = target_.values + chunk_.first_row + chunk_.num_rows;
    if (tile_size_ == tile_rows) {
        for (std::size_t c = 0; c < num_columns_; ++c)
            for (std::size_t r = 0; r < tile_rows; ++r)
                first[c * target_.stride + r] = tile_[r * num_columns_ + c];
    } else {
        for (std::size_t c = 0; c < num_columns_; ++c)
            for (std::size_t r = 0; r < tile_size_; ++r)
                first[c * target_.stride + r] = tile_[r * num_columns_ + c];
    }
    chunk_.num_rows += tile_size_;
    tile_size_ = 0;
    row_ = tile_.data();
}

void ChunkParser::keep_odd_cells() {
    for (const OddCell& cell : odd_in_row_) {
        OddCells& odd = odd_[cell.column];
        const CellPosition at{line_, layout_.field[cell.column] + 1};
        if (cell.infinite) {
            if (odd.infinites++ == 0) odd.first_infinite = at;
        } else if (odd.texts++ == 0) {
            odd.first_text = at;
            odd.text_example = quote_for_message(cell.text);
        }
    }
}

void ChunkParser::end_row(std::size_t num_fields) {
    UnusedRows& unused = chunk_.unused;
    if (num_fields != layout_.target.size()) {
        if (unused.ragged++ == 0) {
            unused.ragged_line = line_;
            unused.ragged_fields = num_fields;
        }
    } else if (!has_time_) {
        if (unused.bad_time++ == 0) {
            unused.bad_time_line = line_;
            unused.bad_time_example = quote_for_message(time_text_);
        }
    } else {
        if (!odd_in_row_.empty()) keep_odd_cells();
        const std::size_t row = chunk_.first_row + chunk_.num_rows + tile_size_;
        target_.times[row] = time_;
        target_.lines[row] = line_;
        row_ += num_columns_;
        if (++tile_size_ == tile_rows) flush_tile();
    }
    odd_in_row_.clear();
    has_time_ = false;
}

void ChunkParser::read_odd_cell(std::size_t field, std::string_view cell) {
    const std::size_t column = layout_.target[field];
    const CellKind kind = parse_cell(cell, row_[column]);
    if (kind == CellKind::text || kind == CellKind::infinite)
        odd_in_row_.push_back({column, kind == CellKind::infinite, cell});
}

inline void ChunkParser::read_time(std::optional<TimePoint> time) {
    has_time_ = time.has_value();
    if (time) time_ = *time;
}

// Whole seconds since 1970 of ten digits, as most tables have them. Below 1e9 there is a point
// among the ten bytes or zeros lead: parse_time_text's business.
inline std::optional<TimePoint> read_seconds(const char* cell, std::size_t length,
                                             std::size_t readable) {
    double seconds = 0.0;
    if (length != 10 || !parse_decimal(cell, length, readable, seconds)) return std::nullopt;
    if (seconds < 1e9 || seconds >= static_cast<double>(unix_seconds_max)) return std::nullopt;
    return time_from_ns(static_cast<std::int64_t>(seconds) * 1'000'000'000);
}

[[gnu::always_inline]] inline void ChunkParser::read_cell(std::size_t field, const char* cell,
                                                          std::size_t length) {
    if (field >= layout_.target.size()) return;
    const std::size_t column = layout_.target[field];
    const auto readable = chunk_.readable - static_cast<std::size_t>(cell - chunk_.text.data());
    if (column != no_column) {
        if (!parse_decimal(cell, length, readable, row_[column]))
            read_odd_cell(field, {cell, length});
    } else if (field == layout_.time_field) {
        time_text_ = {cell, length};
        const auto time = read_seconds(cell, length, readable);
        read_time(time ? time : parse_time_text(time_text_));
    }
}

// The last cell of a line ends before "\r\n"; blank lines are no rows.
void ChunkParser::end_line(std::size_t field, const char* begin, const char* end) {
    if (end != begin && end[-1] == '\r') --end;
    if (field != 0 || begin != end) {
        read_cell(field, begin, static_cast<std::size_t>(end - begin));
        end_row(field + 1);
    }
    ++line_;
}

void ChunkParser::run_plain() {
    const auto offsets = std::make_unique<std::uint32_t[]>(window_bytes + 8);
    const char* const end = chunk_.text.data() + chunk_.text.size();
    const char* cell = chunk_.text.data();
    std::size_t field = 0;
    line_ = chunk_.first_line;
    for (std::size_t at = 0; at < chunk_.text.size(); at += window_bytes) {
        const std::string_view window = chunk_.text.substr(at, window_bytes);
        const std::size_t count = find_separators(window, offsets.get());
        for (std::size_t i = 0; i < count; ++i) {
            const char* const separator = window.data() + offsets[i];
            if (*separator == ',') {
                read_cell(field++, cell, static_cast<std::size_t>(separator - cell));
            } else {
                end_line(field, cell, separator);
                field = 0;
            }
            cell = separator + 1;
        }
    }
    if (field != 0 || cell != end) end_line(field, cell, end);
}

void ChunkParser::run_quoted() {
    CsvCursor cursor(chunk_.text, chunk_.first_line);
    while (cursor.next()) {
        line_ = cursor.line();
        const auto& fields = cursor.fields();
        if (cursor.malformed()) {
            if (chunk_.unused.malformed++ == 0) chunk_.unused.malformed_line = line_;
            continue;
        }
        const std::size_t num_fields = std::min(fields.size(), layout_.target.size());
        for (std::size_t f = 0; f < num_fields; ++f) {
            if (layout_.target[f] != no_column) {
                read_odd_cell(f, fields[f]);
            } else if (f == layout_.time_field) {
                time_text_ = fields[f];
                read_time(parse_time_text(time_text_));
            }
        }
        end_row(fields.size());
    }
}

}  // namespace

void OddCells::merge(const OddCells& later) {
    if (texts == 0) {
        first_text = later.first_text;
        text_example = later.text_example;
    }
    if (infinites == 0) first_infinite = later.first_infinite;
    texts += later.texts;
    infinites += later.infinites;
}

void parse_chunk(const RowLayout& layout, Chunk& chunk, const TableTarget& target) {
    ChunkParser(layout, chunk, target).run();
}

}  // namespace culprit
