#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "culprit/methods/study_view.h"
#include "culprit/rca/method.h"
#include "culprit/stats/deviation.h"

namespace culprit {

/// A method's number as a Ranking takes it: NaN is put below everything, infinities at the ends.
double finite_score(double score);

/// `score(c, scratch)` of every series c in [0, count), on the context's threads; `scratch` belongs
/// to the calling thread. A stop is looked for every `grain` series, which is also the least that a
/// thread takes: 1 where a series costs milliseconds. Refuses: deadline_exceeded, cancelled.
Result<std::vector<double>> series_scores(
    std::size_t count, const RunContext& context,
    const std::function<double(std::size_t c, std::vector<double>& scratch)>& score,
    std::size_t grain = 32);

/// Which columns of the study's table a metric method scores. The reference implementation drops
/// what is constant on either side of the alert; a published method only what never moves.
bool is_scored(const StudyView& view, std::size_t column, Variant variant);
bool is_scored(std::span<const double> before, std::span<const double> after, Variant variant);

/// The score of every column of the incident by `deviation` of its values before and after the
/// alert, NaN for columns that are not scored: what baro, nsigma and mean_shift differ in. Every
/// value is read from memory once.
using Deviation = double (*)(std::span<const double> before, std::span<const double> after,
                             const stats::DeviationOptions& options, std::vector<double>& scratch);
Result<std::vector<double>> deviation_scores(const StudyView& view, const RunContext& context,
                                             Deviation deviation);

/// {one, up} for the reference, {relative, both} for a published method.
stats::DeviationOptions deviation_options(Variant variant);

/// Refuses (too_few_samples) a view without rows on one side of the alert.
Status check_both_sides(const StudyView& view, std::string_view method);

/// Suspects of the columns with a score, in column order; NaN means "not ranked".
std::vector<Suspect> column_suspects(const StudyView& view, const std::vector<double>& scores);

}  // namespace culprit
