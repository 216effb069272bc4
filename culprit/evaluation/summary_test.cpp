#include "culprit/evaluation/summary.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "culprit/evaluation/runner.h"

namespace culprit {
namespace {

CellRecord cell(const std::string& method, const std::string& fault, std::size_t rank) {
    CellRecord cell;
    static int count = 0;
    cell.key.dataset = fault == "gpu" ? "two" : "one";
    cell.key.case_id = std::to_string(count++ % 4);
    cell.key.method = method;
    cell.fault = fault;
    cell.truth = {"proxy"};
    cell.service = rank == 0 ? Score{} : score_at(rank);
    cell.cpu_seconds = static_cast<double>(rank);
    return cell;
}

const SummaryRow& row(const EvaluationSummary& summary, const std::string& value,
                      const std::string& method) {
    const auto group = std::find_if(summary.groups.begin(), summary.groups.end(),
                                    [&](const SummaryGroup& g) { return g.value == value; });
    return *std::find_if(group->rows.begin(), group->rows.end(),
                         [&](const SummaryRow& r) { return r.method == method; });
}

TEST(Summary, AveragesByHandAndCountsAFailureAsAMiss) {
    std::vector<CellRecord> cells = {cell("m", "cpu", 1), cell("m", "cpu", 3), cell("m", "gpu", 6),
                                     cell("m", "gpu", 0)};
    cells[3].status = CellStatus::failed;
    cells[3].reason = "needs 32 samples, got 18";
    cells[2].status = CellStatus::degenerate;
    cells[2].reason = "empty graph";
    const EvaluationSummary summary = summarize(cells, {});
    const SummaryRow& all = row(summary, "all", "m");
    EXPECT_EQ(all.num_cells, 4U);
    EXPECT_EQ(all.num_failed, 1U);
    EXPECT_EQ(all.num_degenerate, 1U);
    EXPECT_EQ(all.service.num_cases, 4U);
    EXPECT_DOUBLE_EQ(all.service.ac[0].mean, 0.25);
    EXPECT_DOUBLE_EQ(all.service.ac[2].mean, 0.5);
    EXPECT_DOUBLE_EQ(all.service.average_at_5.mean, (1.0 + 0.6) / 4);
    EXPECT_DOUBLE_EQ(all.service.reciprocal_rank.mean, (1 + 1. / 3 + 1. / 6) / 4);
    EXPECT_EQ(all.metric.num_cases, 0U);
    EXPECT_DOUBLE_EQ(row(summary, "cpu", "m").service.ac[0].mean, 0.5);
    EXPECT_DOUBLE_EQ(row(summary, "two", "m").service.ac[4].mean, 0.0);
    EXPECT_EQ(row(summary, "proxy", "m").num_cells, 4U);
    ASSERT_EQ(summary.reasons.size(), 2U);
}

TEST(Summary, LeavesOutWhatDoesNotApplyAndWhatHasNoRootCause) {
    std::vector<CellRecord> cells = {cell("m", "cpu", 1), cell("m", "cpu", 1), cell("m", "cpu", 1)};
    cells[1].status = CellStatus::not_applicable;
    cells[1].service.reset();
    cells[2].service.reset();
    const EvaluationSummary summary = summarize(cells, {});
    const SummaryRow& all = row(summary, "all", "m");
    EXPECT_EQ(all.service.num_cases, 1U);
    EXPECT_EQ(all.num_not_applicable, 1U);
    EXPECT_EQ(all.num_without_root_cause, 1U);
}

TEST(Summary, PutsChanceLastAndRepeatsItselfOnAnyNumberOfThreads) {
    std::vector<CellRecord> cells;
    for (std::size_t rank : {1U, 2U, 3U, 1U}) cells.push_back(cell(chance_name, "cpu", rank));
    for (std::size_t rank : {2U, 2U, 0U, 5U}) cells.push_back(cell("weak", "cpu", rank));
    for (std::size_t rank : {1U, 2U, 1U, 5U}) cells.push_back(cell("strong", "cpu", rank));
    const EvaluationSummary one = summarize(cells, {.seed = 3, .num_threads = 1});
    const EvaluationSummary two = summarize(cells, {.seed = 3, .num_threads = 2});
    ASSERT_EQ(one.groups[0].rows.size(), 3U);
    EXPECT_EQ(one.groups[0].rows[0].method, "strong");
    EXPECT_EQ(one.groups[0].rows[2].method, chance_name);
    for (std::size_t r = 0; r < 3; ++r)
        EXPECT_EQ(one.groups[0].rows[r].service.average_at_5.interval.low,
                  two.groups[0].rows[r].service.average_at_5.interval.low);
}

}  // namespace
}  // namespace culprit
