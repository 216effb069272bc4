#include "culprit/telemetry/grid.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace culprit {
namespace {

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

// How far the series' samples lie from the grid points, in (-step/2, step/2].
std::int64_t phase_ms(const Series& series, const SampleGrid& grid) {
    if (series.size() == 0) return 0;
    const auto wrapped = [&](std::int64_t distance_ms) {
        std::int64_t rest = distance_ms % grid.step_ms;
        if (rest > grid.step_ms / 2) rest -= grid.step_ms;
        if (rest <= -(grid.step_ms + 1) / 2) rest += grid.step_ms;
        return rest;
    };
    std::vector<std::int64_t> offsets;
    offsets.reserve(series.size());
    for (const std::int64_t time_ms : series.time_ms)
        offsets.push_back(wrapped(time_ms - series.time_ms[0]));
    const auto middle = offsets.begin() + static_cast<std::ptrdiff_t>(offsets.size() / 2);
    std::ranges::nth_element(offsets, middle);
    return wrapped(series.time_ms[0] - grid.first_ms + *middle);
}

}  // namespace

SampleGrid SampleGrid::covering(TimeRange range, std::int64_t step_ms) {
    const std::int64_t begin_ms = to_ns(range.begin) / 1'000'000;
    const std::int64_t end_ms = to_ns(range.end) / 1'000'000;
    SampleGrid grid;
    grid.step_ms = step_ms;
    grid.first_ms = (begin_ms + step_ms - 1) / step_ms * step_ms;
    if (end_ms >= grid.first_ms)
        grid.num_points = static_cast<std::size_t>((end_ms - grid.first_ms) / step_ms) + 1;
    return grid;
}

void align_gauge(const Series& series, const SampleGrid& grid, std::span<double> out) {
    std::size_t next = 0;
    const std::int64_t shift_ms = phase_ms(series, grid) - grid.step_ms / 2;
    for (std::size_t point = 0; point < grid.num_points; ++point) {
        const std::int64_t begin_ms = grid.time_ms(point) + shift_ms;
        while (next < series.size() && series.time_ms[next] <= begin_ms + grid.step_ms) ++next;
        const bool in_cell = next > 0 && series.time_ms[next - 1] > begin_ms;
        const double value = in_cell ? series.value[next - 1] : nan_value;
        out[point] = std::isfinite(value) ? value : nan_value;
    }
}

void align_rate(const Series& series, const SampleGrid& grid, std::int64_t gap_limit_ms,
                std::span<double> out) {
    std::size_t k = 1;
    const std::int64_t shift_ms = phase_ms(series, grid) - grid.step_ms / 2;
    for (std::size_t point = 0; point < grid.num_points; ++point) {
        const std::int64_t begin_ms = grid.time_ms(point) + shift_ms;
        double increase = 0;
        double seconds = 0;
        for (; k < series.size() && series.time_ms[k] <= begin_ms + grid.step_ms; ++k) {
            const double before = series.value[k - 1];
            const double now = series.value[k];
            const std::int64_t distance_ms = series.time_ms[k] - series.time_ms[k - 1];
            if (!std::isfinite(before) || !std::isfinite(now) || distance_ms <= 0 ||
                distance_ms > gap_limit_ms || series.time_ms[k] <= begin_ms)
                continue;
            increase += now >= before ? now - before : now;
            seconds += static_cast<double>(distance_ms) / 1000.0;
        }
        out[point] = seconds > 0 ? increase / seconds : nan_value;
    }
}

std::vector<std::int64_t> reset_times_ms(const Series& series) {
    std::vector<std::int64_t> times;
    for (std::size_t k = 1; k < series.size(); ++k)
        if (series.value[k] < series.value[k - 1]) times.push_back(series.time_ms[k]);
    return times;
}

std::int64_t gap_max_ms(const Series& series) {
    std::vector<std::int64_t> distances;
    distances.reserve(series.size());
    for (std::size_t k = 1; k < series.size(); ++k)
        distances.push_back(series.time_ms[k] - series.time_ms[k - 1]);
    if (distances.empty()) return 300'000;
    const auto middle = distances.begin() + static_cast<std::ptrdiff_t>(distances.size() / 2);
    std::ranges::nth_element(distances, middle);
    return std::clamp<std::int64_t>(5 * *middle, 15'000, 300'000);
}

double histogram_quantile(double quantile, std::span<const std::pair<double, double>> buckets) {
    if (buckets.empty() || !std::isinf(buckets.back().first)) return nan_value;
    double total = 0;
    for (const auto& [bound, rate] : buckets) {
        if (!std::isfinite(rate)) return nan_value;
        total = std::max(total, rate);
    }
    if (!(total > 0) || buckets.size() < 2) return nan_value;
    const double rank = quantile * total;
    double below = 0;
    double lower = buckets.front().first > 0 ? 0.0 : buckets.front().first;
    for (const auto& [bound, rate] : buckets) {
        const double cumulative = std::max(below, rate);
        if (cumulative >= rank && cumulative > below) {
            if (std::isinf(bound)) return buckets[buckets.size() - 2].first;
            return lower + (bound - lower) * (rank - below) / (cumulative - below);
        }
        below = cumulative;
        lower = bound;
    }
    return buckets[buckets.size() - 2].first;
}

}  // namespace culprit
