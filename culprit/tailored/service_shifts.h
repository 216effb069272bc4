#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "culprit/base/stop.h"
#include "culprit/rca/incident.h"
#include "culprit/rca/ranking.h"
#include "culprit/stats/robust_shift.h"
#include "culprit/tailored/metric_family.h"
#include "culprit/tailored/windows.h"

namespace culprit::tailored {

/// One metric column and how it moved.
struct ColumnShift {
    std::size_t column = 0;
    std::string service;
    MetricFamily family;
    stats::Shift shift;  ///< score 0 when the column has too few values
    /// What was compared where it is not the column itself: increases of a running total, means of
    /// a histogram. [rows]
    std::vector<double> derived = {};
    /// How far, in scales, the mean over as many rows as are suspect strayed while all was well.
    double excursion = 0.0;
    double beyond_load = 0.0;  ///< of the score: what a change of the load does not explain
};

/// Every column of the frame that names a service, in the frame's order. A series that was always
/// zero has no scale; how often it is something else now is a count, with its surprise as score.
Result<std::vector<ColumnShift>> column_shifts(const Frame& frame, const Windows& windows,
                                               const Stop& stop, unsigned num_threads);

/// How much each service moved by itself, in natural-log units of robust deviations.
///
///   e(s, f) = log(1 + max over the columns of family f in service s of |score|)
///   n(f)    = (sum_s p)^2 / sum_s p^2 with p = max(0, e(s, f) - 1): how many services share f
///   score(s) = max over f of e(s, f) / sqrt(n(f))
///
/// A change that n services share tells less about each of them: latency rises at every caller of
/// a slow service, while CPU or memory of one service rises alone. n(f) is the participation ratio,
/// 1 when one service holds all of it; p starts at e = 1 (1.7 deviations) so that noise does not
/// count as sharing.
///
/// Cost: O(columns).
struct OwnChangeOptions {
    /// Leave out the families that travel along calls: a call graph explains them better.
    bool skip_flow = false;
    /// `beyond_load` for the score. Of a fall of the load too little is known: clients that wait
    /// for answers ask less.
    bool load_rose = false;
};
std::map<std::string, double> own_change(const std::vector<ColumnShift>& shifts,
                                         const OwnChangeOptions& options);

/// The `count` columns of each service that moved most, with onsets.
std::map<std::string, std::vector<ShiftEvidence>> shift_evidence(
    const Frame& frame, const Windows& windows, const std::vector<ColumnShift>& shifts,
    std::size_t count);

}  // namespace culprit::tailored
