#include "culprit/methods/column_scores.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "culprit/base/parallel.h"

namespace culprit {

double finite_score(double score) {
    constexpr double largest = std::numeric_limits<double>::max();
    if (std::isnan(score)) return -largest;
    return std::clamp(score, -largest, largest);
}

Result<std::vector<double>> series_scores(
    std::size_t count, const RunContext& context,
    const std::function<double(std::size_t, std::vector<double>&)>& score, std::size_t grain) {
    std::vector<double> scores(count);
    parallel_for(
        count, context.num_threads,
        [&](std::size_t begin, std::size_t end) {
            std::vector<double> scratch;
            for (std::size_t c = begin; c < end; ++c) {
                if ((c - begin) % grain == 0 && context.stop.requested()) return;
                scores[c] = score(c, scratch);
            }
        },
        grain);
    CULPRIT_TRY_STATUS(context.stop.check());
    return scores;
}

bool is_scored(const StudyView& view, std::size_t column, Variant variant) {
    if (variant == Variant::published) return varies(view.column(column));
    return varies(view.normal(column)) && varies(view.anomalous(column));
}

bool is_scored(std::span<const double> before, std::span<const double> after, Variant variant) {
    if (variant == Variant::reference) return varies(before) && varies(after);
    return varies(before) || varies(after) || before[0] != after[0];
}

namespace {

// The harness divides memory by 1e6, which shows where a scale is set to 1.
std::span<const double> in_millions(std::span<const double> values, std::vector<double>& filled) {
    if (filled.empty()) filled.assign(values.begin(), values.end());
    for (double& v : filled) v /= 1e6;
    return filled;
}

}  // namespace

Result<std::vector<double>> deviation_scores(const StudyView& view, const RunContext& context,
                                             Deviation deviation) {
    const stats::DeviationOptions options = deviation_options(context.variant);
    return series_scores(
        view.num_columns(), context, [&](std::size_t c, std::vector<double>& scratch) {
            std::vector<double> filled;
            auto values = view.complete(c, filled);
            if (context.variant == Variant::reference && view.names()[c].ends_with("_mem"))
                values = in_millions(values, filled);
            const auto before = values.first(view.num_normal());
            const auto after = values.subspan(view.num_normal());
            if (!is_scored(before, after, context.variant))
                return std::numeric_limits<double>::quiet_NaN();
            return deviation(before, after, options, scratch);
        });
}

stats::DeviationOptions deviation_options(Variant variant) {
    if (variant == Variant::published) return {};
    return {.floor = stats::ScaleFloor::one, .sides = stats::Sides::up};
}

Status check_both_sides(const StudyView& view, std::string_view method) {
    if (view.num_normal() > 0 && view.num_normal() < view.num_rows()) return {};
    return fail(ErrorCode::too_few_samples,
                fmt::format("{} needs rows on both sides of the alert, got {} before and {} after",
                            method, view.num_normal(), view.num_rows() - view.num_normal()));
}

std::vector<Suspect> column_suspects(const StudyView& view, const std::vector<double>& scores) {
    std::vector<Suspect> suspects;
    suspects.reserve(scores.size());
    for (std::size_t c = 0; c < scores.size(); ++c)
        if (!std::isnan(scores[c]))
            suspects.push_back({view.names()[c], view.service(c), finite_score(scores[c])});
    return suspects;
}

}  // namespace culprit
