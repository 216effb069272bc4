#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/evaluation/accuracy.h"

namespace culprit {

/// What makes a result the same result: with an equal key nothing is computed again.
struct CellKey {
    std::string dataset;
    std::string case_id;
    std::string method;
    std::string variant;  ///< "reference", "published"; "-" for chance
    std::uint64_t seed = 0;
    std::string options;      ///< "name=value,..." of the options that the method takes
    std::string version;      ///< of the program, and the digest of the method's code
    std::string fingerprint;  ///< of the case's files: names, sizes, times of modification

    std::string text() const;
    friend bool operator==(const CellKey&, const CellKey&) = default;
};

enum class CellStatus : std::uint8_t {
    ok,
    degenerate,
    failed,          ///< no answer: counts as a miss
    not_applicable,  ///< the question does not arise (blame the latest change, and there was none)
};
std::string_view to_string(CellStatus status);

/// One method on one case: the answer's place, its cost, and why when there is none.
struct CellRecord {
    CellKey key;
    CellStatus status = CellStatus::ok;
    std::string reason;
    std::string fault;
    std::vector<std::string> truth;  ///< root-cause services; empty: nothing to score
    std::optional<Score> service;    ///< absent when there is no truth
    std::optional<Score> metric;     ///< only where truth and ranking name metric columns
    std::size_t service_rank = 0;    ///< 0 = not in the ranking
    std::size_t metric_rank = 0;
    std::size_t num_suspects = 0;
    std::vector<std::pair<std::string, double>> top;  ///< the first five names and their scores
    double wall_seconds = 0.0;
    double cpu_seconds = 0.0;
    std::int64_t heap_peak_bytes = -1;  ///< above what was held before; -1 = not measured
};

/// One line of JSON without the newline; numbers survive the way there and back.
std::string to_json_line(const CellRecord& cell);
Result<CellRecord> cell_from_json_line(std::string_view line);

}  // namespace culprit
