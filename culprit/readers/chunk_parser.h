#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "culprit/base/time.h"
#include "culprit/readers/problem_list.h"

namespace culprit {

inline constexpr std::size_t no_column = std::numeric_limits<std::size_t>::max();

/// Where the fields of a row belong.
struct RowLayout {
    std::size_t time_field = no_column;
    std::vector<std::size_t> target;  ///< field -> value column; no_column: not a value
    std::vector<std::size_t> field;   ///< value column -> field
};

/// What the cells of one column held besides numbers.
struct OddCells {
    std::uint64_t texts = 0;
    std::uint64_t infinites = 0;
    CellPosition first_text;
    CellPosition first_infinite;
    std::string text_example;  ///< fit for a message

    /// Adds what a later piece of the same column held.
    void merge(const OddCells& later);
};

/// Rows that were not used, by reason, with the first of each.
struct UnusedRows {
    std::uint64_t ragged = 0;
    std::uint64_t bad_time = 0;
    std::uint64_t malformed = 0;
    std::uint64_t ragged_line = 0;
    std::size_t ragged_fields = 0;
    std::uint64_t bad_time_line = 0;
    std::uint64_t malformed_line = 0;
    std::string bad_time_example;
};

/// A run of whole lines, read by one thread into its own rows of the table.
struct Chunk {
    std::string_view text;
    std::size_t readable = 0;      ///< bytes that may be read from its beginning, >= text.size()
    std::uint64_t first_line = 0;  ///< of the file
    std::size_t first_row = 0;
    std::size_t num_rows_max = 0;  ///< lines
    bool has_quotes = false;

    // Filled by parse_chunk:
    std::size_t num_rows = 0;  ///< rows used
    UnusedRows unused;
    std::vector<std::pair<std::size_t, OddCells>> odd_cells;  ///< by column, ascending
};

/// The table that the chunks are read into: `columns` column-major with `stride` rows each.
struct TableTarget {
    double* values = nullptr;
    TimePoint* times = nullptr;
    std::uint64_t* lines = nullptr;  ///< the file's line of each row
    std::size_t stride = 0;
};

/// Reads the chunk's rows to `target`, its first one to row `chunk.first_row`. Rows go through a
/// tile of a few rows, so that each column is written a cache line at a time however many there
/// are.
void parse_chunk(const RowLayout& layout, Chunk& chunk, const TableTarget& target);

}  // namespace culprit
