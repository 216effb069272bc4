#pragma once

#include <cstdint>
#include <string>

#include "culprit/evaluation/summary.h"
#include "culprit/report/style.h"

namespace culprit {

/// What a report says about how it was made.
struct EvaluationHeader {
    std::string command;
    std::string version;
    std::uint64_t seed = 0;
    std::string machine;  ///< processor and cores
    std::size_t num_cases = 0;
    std::size_t num_contenders = 0;
    std::int64_t process_peak_bytes = 0;  ///< resident, of the whole run
};

/// The tables of all cases and of each dataset, for a terminal.
std::string evaluation_table(const EvaluationSummary& summary, const Style& style);
/// Every table: all, datasets, faults, services; service and metric level; reasons of failures.
std::string evaluation_markdown(const EvaluationSummary& summary, const EvaluationHeader& header);
/// One line per group, method, variant and level, full precision.
std::string evaluation_csv(const EvaluationSummary& summary);
/// Every table and charts, one self-contained page.
std::string evaluation_html(const EvaluationSummary& summary, const EvaluationHeader& header);
std::string evaluation_json(const EvaluationSummary& summary, const EvaluationHeader& header);

}  // namespace culprit
