#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "culprit/base/matrix.h"
#include "culprit/base/result.h"
#include "culprit/base/time.h"

namespace culprit {

/// What one metric series is. `name` is unique in its frame and is what rankings quote.
struct Column {
    std::string name;     ///< as the source spells it, e.g. "ray-replicas-1_ctn_cpu"
    std::string service;  ///< the component it belongs to, e.g. "ray-replicas-1"; may be empty
    std::string metric;   ///< the rest, e.g. "ctn_cpu"
    std::string unit;     ///< UCUM-like ("s", "By", "1"); empty when unknown
    std::map<std::string, std::string> labels = {};  ///< e.g. {"UUID": "GPU-3b…"}
};

/// Metric series on one time grid, columnar and immutable: time ascending without duplicates,
/// missing values NaN. Copies share the values. Safe to read from several threads.
class Frame {
public:
    /// Values are column-major, columns.size() x times.size(); kept alive by the pointer, which may
    /// own a buffer or a mapped file.
    using Values = std::shared_ptr<const double>;

    Frame() = default;
    /// Refuses (invalid_input): times not strictly ascending, duplicate or empty column names.
    static Result<Frame> make(std::vector<TimePoint> times, std::vector<Column> columns,
                              Values values);
    static Result<Frame> make(std::vector<TimePoint> times, std::vector<Column> columns,
                              Matrix values);

    std::size_t num_rows() const;
    std::size_t num_columns() const;
    std::span<const TimePoint> times() const;
    std::span<const Column> columns() const;
    const Column& column(std::size_t index) const;
    /// One value per row of `times()`.
    std::span<const double> values(std::size_t index) const;
    MatrixView matrix() const;
    std::optional<std::size_t> find(std::string_view column_name) const;
    /// The first row at or after `t`; num_rows() if there is none.
    std::size_t first_row_at(TimePoint t) const;
    /// The median distance between rows; zero with fewer than two rows.
    Duration step() const;

private:
    struct Shape {  // shared between copies
        std::vector<TimePoint> times;
        std::vector<Column> columns;
        std::unordered_map<std::string_view, std::size_t> index;
        Duration step{};
    };
    std::shared_ptr<const Shape> shape_;
    Values values_;
};

}  // namespace culprit
