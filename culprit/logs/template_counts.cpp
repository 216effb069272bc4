#include "culprit/logs/template_counts.h"

#include <fmt/format.h>

#include <unordered_map>

#include "culprit/base/check.h"

namespace culprit {

Result<TemplateCounts> count_templates(const LogTable& logs, const LogTemplates& templates,
                                       const TimeGrid& grid) {
    constexpr std::size_t cells_max = 200'000'000;
    CULPRIT_CHECK(templates.of_record.size() == logs.size());
    TemplateCounts result;
    std::unordered_map<std::uint64_t, std::size_t> index;
    struct Hit {
        std::size_t key;
        std::size_t bin;
    };
    std::vector<Hit> hits;
    hits.reserve(logs.size());
    for (std::size_t i = 0; i < logs.size(); ++i) {
        const std::size_t bin = grid.bin(logs.time[i]);
        if (bin == grid.num_bins) continue;
        const std::uint32_t template_id = templates.of_record[i];
        const std::uint64_t pair =
            (static_cast<std::uint64_t>(logs.source[i]) << 32U) | template_id;
        const auto [it, is_new] = index.emplace(pair, result.keys.size());
        if (is_new) result.keys.push_back({logs.source[i], template_id, 0});
        ++result.keys[it->second].count;
        hits.push_back({it->second, bin});
    }
    if (!result.keys.empty() && grid.num_bins > cells_max / result.keys.size())
        return fail(ErrorCode::invalid_input,
                    fmt::format("expected at most {} cells of log template counts, found {} bins "
                                "of {} templates",
                                cells_max, grid.num_bins, result.keys.size()));
    result.counts = Matrix(grid.num_bins, result.keys.size());
    for (const Hit& hit : hits) result.counts(hit.bin, hit.key) += 1.0;
    return result;
}

}  // namespace culprit
