#pragma once

#include <span>
#include <vector>

#include "culprit/frame/frame.h"

namespace culprit::tailored {

/// A counter rises, apart from a restart now and then: at most one step in twenty falls.
bool looks_cumulative(std::span<const double> values);

/// Increase since the previous known value, at the later row; NaN where it cannot be told. A fall
/// is a restart and counts from zero.
std::vector<double> increases(std::span<const double> values);

/// What the columns of a table say per row. Counters as an exporter keeps them, totals since the
/// start of a process, become increases, and a histogram's sum the mean per row; its buckets say
/// nothing beside them.
class PlainSeries {
public:
    explicit PlainSeries(const Frame& frame);

    /// False: a bucket whose histogram has sum and count.
    bool is_used(std::size_t column) const { return kinds_[column] != Kind::bucket; }
    /// Requests counted by a latency's histogram are no latency.
    bool is_count(std::size_t column) const { return kinds_[column] == Kind::count; }
    /// True: the values are not those of the column itself.
    bool is_derived(std::size_t column) const { return kinds_[column] != Kind::level; }
    std::vector<double> values(std::size_t column) const;

private:
    enum class Kind : std::uint8_t { level, total, count, mean, bucket };

    const Frame& frame_;
    std::vector<Kind> kinds_;
    std::vector<std::size_t> count_of_;  // of a histogram's sum: its count
};

}  // namespace culprit::tailored
