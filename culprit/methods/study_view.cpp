#include "culprit/methods/study_view.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

namespace culprit {
namespace {

// length 60 minutes of the harness: floor(60 * 60 / 2) rows on each side, counted in rows.
constexpr std::size_t rows_per_side_max = 1800;

bool ends_with(std::string_view text, std::string_view end) { return text.ends_with(end); }

bool is_dropped(std::string_view name) {
    return name.find("_pod_") != std::string_view::npos ||
           name.find("_node_") != std::string_view::npos ||
           name.find("unknown") != std::string_view::npos;
}

std::string study_name(const std::string& name) {
    return ends_with(name, "_latency-90") ? name.substr(0, name.size() - 3) : name;
}

// 0 v is 0 for a number and NaN for anything else: no branch per value.
bool all_finite(std::span<const double> values) {
    constexpr std::size_t lanes = 8;
    std::array<double, lanes> sums{};
    const std::size_t whole = values.size() / lanes * lanes;
    for (std::size_t i = 0; i < whole; i += lanes)
        for (std::size_t k = 0; k < lanes; ++k) sums[k] += 0.0 * values[i + k];
    for (std::size_t i = whole; i < values.size(); ++i) sums[0] += 0.0 * values[i];
    return std::all_of(sums.begin(), sums.end(), [](double v) { return v == 0.0; });
}

// Forward fill from the start of the file (not of the window), then 0, as the harness does.
void repair(const double* whole, std::size_t first, std::size_t count,
            std::vector<double>& filled) {
    double last = 0.0;
    filled.clear();
    filled.reserve(count);
    for (std::size_t row = 0; row < first + count; ++row) {
        if (std::isfinite(whole[row])) last = whole[row];
        if (row >= first) filled.push_back(last);
    }
}

}  // namespace

Result<StudyView> StudyView::of(const Incident& incident, Columns columns) {
    return make(incident, columns, true);
}

Result<StudyView> StudyView::unrepaired(const Incident& incident, Columns columns) {
    return make(incident, columns, false);
}

std::span<const double> StudyView::complete(std::size_t c, std::vector<double>& scratch) const {
    if (all_finite(columns_[c])) return columns_[c];
    repair(whole_[c], first_row_, num_rows_, scratch);
    return scratch;
}

Result<StudyView> StudyView::make(const Incident& incident, Columns columns, bool repairs) {
    const bool all = columns == Columns::all;
    const Frame& frame = incident.metrics;
    const std::size_t split = frame.first_row_at(incident.alert);
    const std::size_t first = split > rows_per_side_max ? split - rows_per_side_max : 0;
    const std::size_t last = std::min(frame.num_rows(), split + rows_per_side_max);

    StudyView view;
    view.num_rows_ = last - first;
    view.num_normal_ = split - first;
    view.first_row_ = first;
    if (view.num_rows_ == 0)
        return fail(ErrorCode::too_few_samples, "the metric table has no rows");
    view.times_ = frame.times().subspan(first, view.num_rows_);
    for (std::size_t c = 0; c < frame.num_columns(); ++c) {
        const Column& column = frame.column(c);
        if (!all && ends_with(column.name, "_latency-50")) continue;
        ++view.num_node_;
        if (!all && is_dropped(column.name)) continue;
        view.source_.push_back(c);
        view.names_.push_back(all ? column.name : study_name(column.name));
        view.services_.push_back(column.service.empty() ? service_of_name(column.name)
                                                        : column.service);
        const auto window = frame.values(c).subspan(first, view.num_rows_);
        view.whole_.push_back(frame.values(c).data());
        view.columns_.push_back(window);
        if (repairs && !all_finite(window)) {
            view.repaired_.emplace_back();
            repair(view.whole_.back(), first, view.num_rows_, view.repaired_.back());
            view.columns_.back() = view.repaired_.back();
        }
    }
    for (const std::string& name : incident.text_columns)
        view.num_node_ += ends_with(name, "_latency-50") ? 0 : 1;
    if (view.columns_.empty())
        return fail(ErrorCode::too_few_samples, "the metric table has no usable column");
    return view;
}

bool varies(std::span<const double> values) {
    return std::any_of(values.begin(), values.end(), [&](double v) { return v != values[0]; });
}

StudyMatrix preprocess(const StudyView& view) {
    StudyMatrix result;
    for (std::size_t c = 0; c < view.num_columns(); ++c) {
        if (!varies(view.column(c))) continue;
        result.columns.push_back(c);
        result.names.push_back(view.names()[c]);
    }
    result.values = Matrix(view.num_rows(), result.columns.size());
    for (std::size_t k = 0; k < result.columns.size(); ++k) {
        const double scale = ends_with(result.names[k], "_mem") ? 1e6 : 1.0;
        const auto source = view.column(result.columns[k]);
        const auto target = result.values.column(k);
        std::transform(source.begin(), source.end(), target.begin(),
                       [scale](double v) { return v / scale; });
    }
    return result;
}

}  // namespace culprit
