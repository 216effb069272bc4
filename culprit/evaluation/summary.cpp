#include "culprit/evaluation/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "culprit/base/parallel.h"
#include "culprit/base/random.h"
#include "culprit/evaluation/runner.h"

namespace culprit {
namespace {

using Cells = std::vector<const CellRecord*>;
using EntrantKey = std::tuple<std::string, std::string, std::string>;  // method, variant, options

constexpr std::size_t num_quantities = Score::k_max + 2;

Accuracy accuracy_of(const std::vector<const Score*>& scores, const SummaryOptions& options,
                     const std::string& part) {
    Accuracy accuracy;
    accuracy.num_cases = scores.size();
    Matrix table(scores.size(), num_quantities);
    for (std::size_t r = 0; r < scores.size(); ++r) {
        for (std::size_t k = 0; k < Score::k_max; ++k) table(r, k) = scores[r]->hit[k];
        table(r, Score::k_max) = scores[r]->average_at_5();
        table(r, Score::k_max + 1) = scores[r]->reciprocal_rank;
    }
    const auto intervals = bootstrap_means(
        table, {.seed = derive_seed(options.seed, part), .num_resamples = options.num_resamples});
    const auto estimate = [&](std::size_t c) {
        double sum = 0.0;
        for (const double value : table.column(c)) sum += value;
        return Estimate{scores.empty() ? 0.0 : sum / static_cast<double>(scores.size()),
                        intervals[c]};
    };
    for (std::size_t k = 0; k < Score::k_max; ++k) accuracy.ac[k] = estimate(k);
    accuracy.average_at_5 = estimate(Score::k_max);
    accuracy.reciprocal_rank = estimate(Score::k_max + 1);
    return accuracy;
}

double median(std::vector<double> values) {
    if (values.empty()) return 0.0;
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

SummaryRow row_of(const EntrantKey& entrant, const Cells& cells, const SummaryOptions& options,
                  const std::string& group) {
    SummaryRow row;
    std::tie(row.method, row.variant, row.options) = entrant;
    std::vector<const Score*> service;
    std::vector<const Score*> metric;
    std::vector<double> cpu_seconds;
    for (const CellRecord* cell : cells) {
        ++row.num_cells;
        row.num_failed += cell->status == CellStatus::failed;
        row.num_degenerate += cell->status == CellStatus::degenerate;
        row.num_not_applicable += cell->status == CellStatus::not_applicable;
        if (cell->status == CellStatus::not_applicable) continue;
        row.num_without_root_cause += !cell->service.has_value();
        if (cell->service) service.push_back(&*cell->service);
        if (cell->metric) metric.push_back(&*cell->metric);
        // A refusal takes no time and says nothing about an answer's cost.
        if (cell->status != CellStatus::failed) cpu_seconds.push_back(cell->cpu_seconds);
        row.cpu_seconds_max = std::max(row.cpu_seconds_max, cell->cpu_seconds);
        row.wall_seconds_total += cell->wall_seconds;
        row.heap_peak_bytes = std::max(row.heap_peak_bytes, cell->heap_peak_bytes);
    }
    // One seed per group and level: methods in a table are compared on the same resamples.
    row.service = accuracy_of(service, options, group + "/service");
    row.metric = accuracy_of(metric, options, group + "/metric");
    row.cpu_seconds_median = median(std::move(cpu_seconds));
    return row;
}

void sort_rows(std::vector<SummaryRow>& rows) {
    std::stable_sort(rows.begin(), rows.end(), [](const SummaryRow& a, const SummaryRow& b) {
        const bool a_is_chance = a.method == chance_name;
        const bool b_is_chance = b.method == chance_name;
        if (a_is_chance != b_is_chance) return b_is_chance;
        // What could not be asked at all comes after what was asked and missed.
        const bool a_scored = a.service.num_cases > 0;
        const bool b_scored = b.service.num_cases > 0;
        if (a_scored != b_scored) return a_scored;
        if (a.service.average_at_5.mean != b.service.average_at_5.mean)
            return a.service.average_at_5.mean > b.service.average_at_5.mean;
        return a.service.ac[0].mean > b.service.ac[0].mean;
    });
}

std::string joined(const std::vector<std::string>& names) {
    return names.empty() ? "(none)" : fmt::format("{}", fmt::join(names, "+"));
}

std::vector<FailureReason> reasons_of(std::span<const CellRecord> cells) {
    std::map<std::tuple<std::string, std::string, CellStatus, std::string>, FailureReason> found;
    for (const CellRecord& cell : cells) {
        if (cell.status == CellStatus::ok) continue;
        // Paths and numbers differ from case to case; what is the same up to its digits is one.
        std::string kind;
        for (const char c : cell.reason)
            if (c < '0' || c > '9') kind += c;
        FailureReason& reason =
            found[{cell.key.method, cell.key.variant, cell.status,
                   cell.reason.starts_with("case not read") ? "case not read" : kind}];
        if (reason.count++ == 0)
            reason = {cell.key.method, cell.key.variant, cell.status, cell.reason, 1,
                      cell.key.case_id};
    }
    std::vector<FailureReason> reasons;
    reasons.reserve(found.size());
    for (auto& [kind, reason] : found) reasons.push_back(std::move(reason));
    return reasons;
}

struct GroupKey {
    int order = 0;
    std::string dimension;
    std::string value;
    friend auto operator<=>(const GroupKey&, const GroupKey&) = default;
};

struct Pending {
    std::map<EntrantKey, Cells> cells;
    std::set<std::pair<std::string, std::string>> cases;
};

}  // namespace

EvaluationSummary summarize(std::span<const CellRecord> cells, const SummaryOptions& options) {
    std::map<GroupKey, Pending> groups;
    std::vector<EntrantKey> entrants;  // in the order of the plan
    for (const CellRecord& cell : cells) {
        const EntrantKey entrant{cell.key.method, cell.key.variant, cell.key.options};
        if (std::find(entrants.begin(), entrants.end(), entrant) == entrants.end())
            entrants.push_back(entrant);
        for (const GroupKey& key :
             {GroupKey{0, "all", "all"}, GroupKey{1, "dataset", cell.key.dataset},
              GroupKey{2, "fault", cell.fault.empty() ? "(none)" : cell.fault},
              GroupKey{3, "service", joined(cell.truth)}}) {
            groups[key].cells[entrant].push_back(&cell);
            groups[key].cases.emplace(cell.key.dataset, cell.key.case_id);
        }
    }
    struct Job {
        const Cells* cells;
        const EntrantKey* entrant;
        std::string group;
        SummaryRow* row;
    };
    EvaluationSummary summary;
    summary.groups.reserve(groups.size());
    std::vector<Job> jobs;
    for (auto& [key, pending] : groups) {
        SummaryGroup group{key.dimension, key.value, pending.cases.size(), {}};
        group.rows.resize(pending.cells.size());
        summary.groups.push_back(std::move(group));
        std::size_t r = 0;
        for (const EntrantKey& entrant : entrants) {
            const auto found = pending.cells.find(entrant);
            if (found == pending.cells.end()) continue;
            jobs.push_back({&found->second, &found->first, key.dimension + "/" + key.value,
                            &summary.groups.back().rows[r++]});
        }
    }
    parallel_for(jobs.size(), options.num_threads, [&](std::size_t begin, std::size_t end) {
        for (std::size_t j = begin; j < end; ++j)
            *jobs[j].row = row_of(*jobs[j].entrant, *jobs[j].cells, options, jobs[j].group);
    });
    for (SummaryGroup& group : summary.groups) sort_rows(group.rows);
    summary.reasons = reasons_of(cells);
    return summary;
}

}  // namespace culprit
