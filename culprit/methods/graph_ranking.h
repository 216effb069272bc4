#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "culprit/base/matrix.h"
#include "culprit/causal/independence_test.h"
#include "culprit/graph/mixed_graph.h"
#include "culprit/methods/study_view.h"
#include "culprit/rca/method.h"

namespace culprit {

/// What the methods share that learn a graph over the metric columns and then walk on it.

/// Steps of a surfer who looks for causes: effect -> cause along directed edges and along o->, both
/// ways along edges without a direction (-, o-o, <->). Entry (i, j) is 1 for a step i -> j.
Matrix cause_steps(const MixedGraph& graph);

/// The study's adapter: as above, but o-> is stepped from cause to effect.
Matrix study_steps(const MixedGraph& graph);

/// One suspect per kept column with its score; NaN ranks last.
Ranking rank_columns(const StudyView& view, const StudyMatrix& table,
                     std::span<const double> scores);
/// All kept columns with score 0, in column order.
Ranking columns_in_order(const StudyView& view, const StudyMatrix& table);

/// The study's random walk over the kept columns.
Ranking study_walk(const StudyView& view, const StudyMatrix& table);

/// The walk that the papers describe: from the symptom, steps weighted by |correlation with the
/// symptom|, expected visits of 10000 steps. `correlations`: [p x p] of the kept columns.
Result<Ranking> published_walk(const StudyView& view, const StudyMatrix& table,
                               const MixedGraph& graph, MatrixView correlations,
                               const Incident& incident);

/// The kept column that raised the alarm: the incident's symptom, else the first latency column,
/// preferring the service that stands first, else the first column.
std::size_t symptom_column(const StudyView& view, const StudyMatrix& table,
                           const Incident& incident);

/// An answer by rule with its reason.
Diagnosis degenerate(std::string reason, Ranking ranking = {});

/// The random walk of either variant over a searched graph: the study's, or the papers', which is
/// degenerate (column order) without an edge. `search` names the search in the reason.
Result<Diagnosis> walk_from_symptom(const StudyView& view, const StudyMatrix& table,
                                    const MixedGraph& graph, MatrixView correlations,
                                    const Incident& incident, Variant variant,
                                    std::string_view search);

/// Notes on the search: how fragile its graph is, and whether a bound cut it short.
void add_search_notes(Diagnosis& diagnosis, const MixedGraph& graph, const TestCounts& counts,
                      bool truncated);

/// "graph: 12 edges from 3,402 tests, 7.1 % of them with p within a factor of two of alpha".
std::string fragility_note(const MixedGraph& graph, const TestCounts& counts);

/// What all four random walks of the study have in common.
Divergence study_walk_divergence();

/// Options of the searches: alpha first, then the bounds on the conditioning sets and on the work.
std::vector<OptionInfo> search_options();
std::size_t conditioning_max(const RunContext& context, const MethodInfo& info);
std::uint64_t tests_max(const RunContext& context, const MethodInfo& info);
/// FCI's second phase cannot share work between its tests; it gets a fiftieth of the bound, which
/// takes about as long.
std::uint64_t dsep_tests_max(const RunContext& context, const MethodInfo& info);

}  // namespace culprit
