#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/frame/frame.h"
#include "culprit/readers/problem_list.h"

namespace culprit {

struct MetricTable {
    Frame frame;
    std::vector<std::string> text_columns;  ///< columns of words: pod names, addresses
};

/// Reads a table of series: a header, a time column ("time", "timestamp", "datetime", "ts" and the
/// like, in any case), number columns. Parses straight into column-major storage, in pieces on
/// `num_threads` threads; the result does not depend on their number.
///
/// Cells: see parse_cell; infinite ones count as missing, and as a problem. A column in which more
/// than half of the filled cells are no numbers is a text column; in the others each such cell is a
/// problem and missing. Nameless and "Unnamed..." columns (an index that was written along) are
/// left out; of equal names the second becomes "name.1", as pandas has it.
/// Rows with too few or too many fields or without a readable time are left out, each a problem.
/// Times out of order are sorted (stable), of equal times the first row stays: both problems.
///
/// Refuses: no header, no time column, more than `columns_max` columns, a table larger than memory.
Result<MetricTable> read_metric_table(std::string_view bytes, ProblemList& problems,
                                      unsigned num_threads = 0);

/// Limit against a file of separators only.
inline constexpr std::size_t columns_max = 2'000'000;
inline constexpr std::size_t name_bytes_max = 4096;

/// What a column's name says in the layouts of the field: the service before the first "_", the
/// metric after it, and the unit where the layout fixes one.
Column describe_column(std::string name);

}  // namespace culprit
