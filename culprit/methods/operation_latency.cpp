#include "culprit/methods/operation_latency.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "culprit/methods/operations.h"

namespace culprit {

std::optional<Frame> operation_latency(const SpanTable& spans) {
    if (spans.size() == 0) return std::nullopt;
    constexpr std::int64_t bin_ns = 5'000'000'000;
    const auto bin_of = [&](std::size_t i) {
        const std::int64_t ns = to_ns(spans.start[i]);
        return ns / bin_ns - (ns % bin_ns < 0 ? 1 : 0);
    };
    std::vector<std::int64_t> bins(spans.size());
    for (std::size_t i = 0; i < spans.size(); ++i) bins[i] = bin_of(i);
    std::sort(bins.begin(), bins.end());
    bins.erase(std::unique(bins.begin(), bins.end()), bins.end());

    const Operations operations = Operations::of(spans);
    constexpr std::size_t cells_max = std::size_t{1} << 26U;  // 768 MiB of means and counts
    if (bins.size() * operations.size() > cells_max) return std::nullopt;
    Matrix means(bins.size(), operations.size());
    std::vector<std::uint32_t> counts(bins.size() * operations.size());
    for (std::size_t i = 0; i < spans.size(); ++i) {
        const auto bin = std::lower_bound(bins.begin(), bins.end(), bin_of(i)) - bins.begin();
        const std::size_t o = operations.of_span[i];
        means(static_cast<std::size_t>(bin), o) += duration_ms(spans, i);
        ++counts[o * bins.size() + static_cast<std::size_t>(bin)];
    }
    for (std::size_t k = 0; k < counts.size(); ++k) {
        double& mean = means.data()[k];
        mean = counts[k] > 0 ? mean / counts[k] : std::numeric_limits<double>::quiet_NaN();
    }
    std::vector<TimePoint> times;
    times.reserve(bins.size());
    for (const std::int64_t bin : bins) times.push_back(time_from_ns(bin * bin_ns));
    std::vector<Column> columns;
    columns.reserve(operations.size());
    for (std::size_t o = 0; o < operations.size(); ++o)
        columns.push_back({.name = operations.names[o],
                           .service = operations.services[o],
                           .metric = "duration",
                           .unit = "ms"});
    auto frame = Frame::make(std::move(times), std::move(columns), std::move(means));
    if (!frame) return std::nullopt;
    return std::move(*frame);
}

}  // namespace culprit
