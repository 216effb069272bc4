#include "culprit/frame/frame.h"

#include <fmt/format.h>

#include <algorithm>

#include "culprit/base/check.h"

namespace culprit {
namespace {

Duration median_step(const std::vector<TimePoint>& times) {
    if (times.size() < 2) return Duration{0};
    std::vector<Duration> steps(times.size() - 1);
    for (std::size_t i = 0; i + 1 < times.size(); ++i) steps[i] = times[i + 1] - times[i];
    const auto middle = steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2);
    std::nth_element(steps.begin(), middle, steps.end());
    return *middle;
}

}  // namespace

Result<Frame> Frame::make(std::vector<TimePoint> times, std::vector<Column> columns,
                          Values values) {
    for (std::size_t i = 1; i < times.size(); ++i) {
        if (times[i - 1] >= times[i])
            return fail(ErrorCode::invalid_input,
                        fmt::format("expected ascending times, found {} after {} in row {}",
                                    format_time(times[i]), format_time(times[i - 1]), i));
    }
    auto shape = std::make_shared<Shape>();
    shape->step = median_step(times);
    shape->times = std::move(times);
    shape->columns = std::move(columns);
    shape->index.reserve(shape->columns.size());
    for (std::size_t c = 0; c < shape->columns.size(); ++c) {
        const std::string& name = shape->columns[c].name;
        if (name.empty())
            return fail(ErrorCode::invalid_input, fmt::format("column {} has no name", c));
        if (!shape->index.emplace(name, c).second)
            return fail(ErrorCode::invalid_input, fmt::format("two columns named \"{}\"", name));
    }
    CULPRIT_CHECK(values || shape->times.empty() || shape->columns.empty());
    Frame frame;
    frame.shape_ = std::move(shape);
    frame.values_ = std::move(values);
    return frame;
}

Result<Frame> Frame::make(std::vector<TimePoint> times, std::vector<Column> columns,
                          Matrix values) {
    CULPRIT_CHECK(values.num_rows() == times.size() && values.num_columns() == columns.size());
    auto owner = std::make_shared<const Matrix>(std::move(values));
    const double* data = owner->data();
    return make(std::move(times), std::move(columns), Values(std::move(owner), data));
}

std::size_t Frame::num_rows() const { return shape_ ? shape_->times.size() : 0; }
std::size_t Frame::num_columns() const { return shape_ ? shape_->columns.size() : 0; }

std::span<const TimePoint> Frame::times() const {
    if (!shape_) return {};
    return shape_->times;
}

std::span<const Column> Frame::columns() const {
    if (!shape_) return {};
    return shape_->columns;
}

const Column& Frame::column(std::size_t index) const {
    CULPRIT_CHECK(index < num_columns());
    return shape_->columns[index];
}

std::span<const double> Frame::values(std::size_t index) const {
    CULPRIT_CHECK(index < num_columns());
    return {values_.get() + index * num_rows(), num_rows()};
}

MatrixView Frame::matrix() const { return {values_.get(), num_rows(), num_columns()}; }

std::optional<std::size_t> Frame::find(std::string_view column_name) const {
    if (!shape_) return std::nullopt;
    const auto it = shape_->index.find(column_name);
    if (it == shape_->index.end()) return std::nullopt;
    return it->second;
}

std::size_t Frame::first_row_at(TimePoint t) const {
    const auto all = times();
    return static_cast<std::size_t>(std::lower_bound(all.begin(), all.end(), t) - all.begin());
}

Duration Frame::step() const { return shape_ ? shape_->step : Duration{0}; }

}  // namespace culprit
