#pragma once

#include <cstdint>
#include <vector>

#include "culprit/base/matrix.h"
#include "culprit/base/result.h"
#include "culprit/frame/log_table.h"
#include "culprit/frame/time_grid.h"
#include "culprit/logs/template_miner.h"

namespace culprit {

/// How often each source printed each template, over time.
struct TemplateCounts {
    struct Key {
        std::uint32_t source = 0;       ///< index into LogTable::sources
        std::uint32_t template_id = 0;  ///< index into LogTemplates::templates
        std::uint64_t count = 0;        ///< records inside the grid
    };
    std::vector<Key> keys;  ///< pairs that occur, by first record
    Matrix counts;          ///< bins x keys
};

/// Records outside the grid are left out. Cost: O(records + bins * keys).
/// Refuses (invalid_input): more than 2e8 cells.
Result<TemplateCounts> count_templates(const LogTable& logs, const LogTemplates& templates,
                                       const TimeGrid& grid);

}  // namespace culprit
