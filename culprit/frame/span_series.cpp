#include "culprit/frame/span_series.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "culprit/base/check.h"
#include "culprit/frame/pair_numbers.h"

namespace culprit {
namespace {

constexpr std::size_t cells_max = 200'000'000;
constexpr std::uint32_t no_key = std::numeric_limits<std::uint32_t>::max();

// Open addressing over the span ids: one probe per span where a node-based map takes a cache miss
// for the bucket and one for the node.
class SpanIndex {
public:
    explicit SpanIndex(const SpanTable& spans) {
        std::size_t capacity = 16;
        while (capacity < spans.size() * 2) capacity *= 2;
        mask_ = capacity - 1;
        slots_.assign(capacity, {0, 0});
        for (std::uint32_t i = 0; i < spans.size(); ++i) {
            if (spans.id[i] == 0) continue;
            std::size_t at = spans.id[i] & mask_;
            while (slots_[at].id != 0 && slots_[at].id != spans.id[i]) at = (at + 1) & mask_;
            if (slots_[at].id == 0) slots_[at] = {spans.id[i], i};  // the first of equal ids
        }
    }
    std::uint32_t find(std::uint64_t id) const {
        if (id == 0) return SpanTimes::no_parent;
        for (std::size_t at = id & mask_; slots_[at].id != 0; at = (at + 1) & mask_)
            if (slots_[at].id == id) return slots_[at].span;
        return SpanTimes::no_parent;
    }

private:
    struct Slot {
        std::uint64_t id;
        std::uint32_t span;
    };
    std::vector<Slot> slots_;
    std::size_t mask_ = 0;
};

// Children of span p: child[begin[p]] .. child[begin[p + 1]], in the order of the source.
struct Children {
    std::vector<std::uint32_t> begin;
    std::vector<std::uint32_t> child;
};

Children group_children(const std::vector<std::uint32_t>& parent) {
    Children children;
    children.begin.assign(parent.size() + 1, 0);
    for (const std::uint32_t p : parent)
        if (p != SpanTimes::no_parent) ++children.begin[p + 1];
    for (std::size_t i = 1; i < children.begin.size(); ++i)
        children.begin[i] += children.begin[i - 1];
    children.child.resize(children.begin.back());
    std::vector<std::uint32_t> next(children.begin.begin(), children.begin.end() - 1);
    for (std::uint32_t i = 0; i < parent.size(); ++i)
        if (parent[i] != SpanTimes::no_parent) children.child[next[parent[i]]++] = i;
    return children;
}

// Length of the union of the children's intervals inside [begin, end). Sorts `kids` by start.
Duration covered(const SpanTable& spans, std::uint32_t* kids, std::size_t num_kids, TimePoint begin,
                 TimePoint end) {
    std::sort(kids, kids + num_kids, [&](std::uint32_t a, std::uint32_t b) {
        return std::pair(spans.start[a], a) < std::pair(spans.start[b], b);
    });
    Duration sum{0};
    TimePoint reached = begin;
    for (std::size_t k = 0; k < num_kids; ++k) {
        const TimePoint from = std::max(spans.start[kids[k]], reached);
        const TimePoint to = std::min(spans.end(kids[k]), end);
        if (to <= from) continue;
        sum += to - from;
        reached = to;
    }
    return sum;
}

// Which series each span belongs to; no_key = none.
struct Keyed {
    std::vector<SpanSeriesKey> keys;
    std::vector<std::uint32_t> key;
};

struct Samples {
    std::vector<std::uint64_t> cell;  // key * num_bins + bin
    std::vector<double> value;
};

// Values of each cell, brought together by a counting sort: linear in samples and cells.
void reduce(const Samples& samples, SpanStatistic statistic, Matrix& into) {
    const std::size_t num_cells = into.num_rows() * into.num_columns();
    std::vector<std::uint32_t> begin(num_cells + 1, 0);
    for (const std::uint64_t cell : samples.cell) ++begin[cell + 1];
    for (std::size_t i = 1; i <= num_cells; ++i) begin[i] += begin[i - 1];
    std::vector<double> grouped(samples.value.size());
    std::vector<std::uint32_t> next(begin.begin(), begin.end() - 1);
    for (std::size_t i = 0; i < samples.cell.size(); ++i)
        grouped[next[samples.cell[i]]++] = samples.value[i];
    std::vector<double> values;
    for (std::size_t cell = 0; cell < num_cells; ++cell) {
        if (begin[cell] == begin[cell + 1]) continue;
        values.assign(grouped.begin() + begin[cell], grouped.begin() + begin[cell + 1]);
        into.data()[cell] = statistic_of(values, statistic);
    }
}

void count_rate(const Samples& samples, double step_s, Matrix& into) {
    std::fill_n(into.data(), into.num_rows() * into.num_columns(), 0.0);
    for (const std::uint64_t cell : samples.cell) into.data()[cell] += 1.0 / step_s;
}

Result<SpanSeries> make_series(const SpanTable& spans, const SpanTimes& times, Keyed keyed,
                               bool gap_of_parent, SpanQuantity quantity,
                               const SpanSeriesOptions& options) {
    const TimeGrid& grid = options.grid;
    const std::size_t num_keys = keyed.keys.size();
    if (num_keys != 0 && grid.num_bins > cells_max / num_keys)
        return fail(ErrorCode::invalid_input,
                    fmt::format("expected at most {} cells of span series, found {} bins of {} "
                                "series",
                                cells_max, grid.num_bins, num_keys));
    const SpanFailure failed(spans);
    Samples samples;
    samples.cell.reserve(spans.size());
    samples.value.reserve(spans.size());
    for (std::uint32_t i = 0; i < spans.size(); ++i) {
        const std::size_t bin = grid.bin(spans.start[i]);
        if (keyed.key[i] == no_key || bin == grid.num_bins) continue;
        double value = 0.0;
        switch (quantity) {
            case SpanQuantity::duration:
                value = to_seconds(spans.duration[i]);
                break;
            case SpanQuantity::self_time:
                value = to_seconds(times.self_time[i]);
                break;
            case SpanQuantity::error_share:
                value = failed(spans.status[i]) ? 1.0 : 0.0;
                break;
            case SpanQuantity::rate:
                break;
            case SpanQuantity::gap: {
                const Duration gap = times.gap[gap_of_parent ? times.parent[i] : i];
                if (gap == SpanTimes::no_gap) continue;
                value = to_seconds(gap);
            }
        }
        samples.cell.push_back(keyed.key[i] * grid.num_bins + bin);
        samples.value.push_back(value);
    }
    SpanSeries series;
    series.values = Matrix(grid.num_bins, num_keys, std::numeric_limits<double>::quiet_NaN());
    if (quantity == SpanQuantity::rate)
        count_rate(samples, to_seconds(grid.step), series.values);
    else
        reduce(samples,
               quantity == SpanQuantity::error_share ? SpanStatistic::mean : options.statistic,
               series.values);
    series.keys = std::move(keyed.keys);
    return series;
}

}  // namespace

double statistic_of(std::vector<double>& values, SpanStatistic statistic) {
    if (statistic == SpanStatistic::mean) {
        double sum = 0.0;
        for (const double v : values) sum += v;
        return sum / static_cast<double>(values.size());
    }
    const double share = statistic == SpanStatistic::median ? 0.5 : 0.9;
    const double at = share * static_cast<double>(values.size() - 1);
    const auto low = static_cast<std::size_t>(at);
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(low);
    std::nth_element(values.begin(), middle, values.end());
    const double lower = *middle;
    if (low + 1 == values.size()) return lower;
    const double upper = *std::min_element(middle + 1, values.end());
    return lower + (at - static_cast<double>(low)) * (upper - lower);
}

std::vector<std::uint32_t> parents_of(const SpanTable& spans) {
    CULPRIT_CHECK(spans.size() < SpanTimes::no_parent);
    const SpanIndex index(spans);
    std::vector<std::uint32_t> parents;
    parents.reserve(spans.size());
    for (std::uint32_t i = 0; i < spans.size(); ++i) {
        const std::uint32_t parent = index.find(spans.parent_id[i]);
        parents.push_back(parent == i ? SpanTimes::no_parent : parent);
    }
    return parents;
}

SpanTimes time_spans(const SpanTable& spans) {
    SpanTimes times{.parent = parents_of(spans)};
    Children children = group_children(times.parent);
    times.self_time.resize(spans.size());
    times.gap.assign(spans.size(), SpanTimes::no_gap);
    for (std::uint32_t i = 0; i < spans.size(); ++i) {
        std::uint32_t* const kids = children.child.data() + children.begin[i];
        const std::size_t num_kids = children.begin[i + 1] - children.begin[i];
        const Duration children_time = covered(spans, kids, num_kids, spans.start[i], spans.end(i));
        times.self_time[i] = std::max(spans.duration[i] - children_time, Duration{0});
        if (num_kids == 1 && spans.service[kids[0]] != spans.service[i])
            times.gap[i] = spans.duration[i] - spans.duration[kids[0]];
    }
    return times;
}

SpanFailure::SpanFailure(const SpanTable& spans)
    : is_http_(std::any_of(spans.status.begin(), spans.status.end(),
                           [](std::int32_t status) { return status >= 100; })) {}

Result<SpanSeries> operation_series(const SpanTable& spans, const SpanTimes& times,
                                    SpanQuantity quantity, const SpanSeriesOptions& options) {
    Keyed keyed;
    PairNumbers numbers;
    keyed.key.reserve(spans.size());
    for (std::uint32_t i = 0; i < spans.size(); ++i) {
        const bool has_method = !spans.operations[spans.method[i]].empty();
        const std::uint32_t operation = has_method ? spans.method[i] : spans.operation[i];
        const auto [key, is_new] = numbers.number(spans.service[i], operation);
        if (is_new)
            keyed.keys.push_back({std::string(spans.services[spans.service[i]]),
                                  std::string(spans.operations[operation]), ""});
        ++keyed.keys[key].num_spans;
        keyed.key.push_back(key);
    }
    return make_series(spans, times, std::move(keyed), false, quantity, options);
}

Result<SpanSeries> edge_series(const SpanTable& spans, const SpanTimes& times,
                               SpanQuantity quantity, const SpanSeriesOptions& options) {
    Keyed keyed;
    PairNumbers numbers;
    keyed.key.assign(spans.size(), no_key);
    for (std::uint32_t i = 0; i < spans.size(); ++i) {
        const std::uint32_t parent = times.parent[i];
        if (parent == SpanTimes::no_parent || spans.service[parent] == spans.service[i]) continue;
        const auto [key, is_new] = numbers.number(spans.service[parent], spans.service[i]);
        if (is_new)
            keyed.keys.push_back({std::string(spans.services[spans.service[i]]), "",
                                  std::string(spans.services[spans.service[parent]])});
        ++keyed.keys[key].num_spans;
        keyed.key[i] = key;
    }
    return make_series(spans, times, std::move(keyed), true, quantity, options);
}

}  // namespace culprit
