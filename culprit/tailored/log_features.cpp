#include "culprit/tailored/log_features.h"

#include <algorithm>
#include <set>
#include <string>

namespace culprit::tailored {
namespace {

constexpr double growth_min = 4.0;       // times the usual rate
constexpr double more_lines_min = 50.0;  // lines/s
constexpr double rows_share_min = 0.5;

/// Many lines in many rows: a process that dumps its state now and then fills single ones.
bool is_flood(const std::vector<double>& lines, RowRange before, RowRange after, double step) {
    double usual = 0.0;
    for (std::size_t r = before.first; r < before.last; ++r) usual += lines[r];
    usual /= static_cast<double>(before.size());
    const double least = std::max(growth_min * usual, usual + more_lines_min * step);
    const auto first = lines.begin() + static_cast<std::ptrdiff_t>(after.first);
    const auto last = lines.begin() + static_cast<std::ptrdiff_t>(after.last);
    const auto rows = std::count_if(first, last, [&](double n) { return n >= least; });
    return static_cast<double>(rows) >= rows_share_min * static_cast<double>(after.size());
}

}  // namespace

void add_log_features(std::vector<Feature>& features, const LogTable& logs, const Frame& frame,
                      const Windows& windows) {
    const RowRange before = rows_in(frame, windows.reference);
    const RowRange after = rows_in(frame, windows.suspect);
    if (before.size() == 0 || after.size() == 0) return;
    std::set<std::string> components;
    for (const Feature& f : features) components.insert(f.service);
    std::vector<std::vector<double>> lines(logs.sources.size());
    for (std::uint32_t s = 0; s < lines.size(); ++s)
        if (components.contains(std::string(logs.sources[s])))
            lines[s].assign(frame.num_rows(), 0.0);
    for (std::size_t i = 0; i < logs.size(); ++i) {
        std::vector<double>& of_source = lines[logs.source[i]];
        const std::size_t row = of_source.empty() ? 0 : frame.first_row_at(logs.time[i]);
        // Row 0 would take all lines from before the grid.
        if (row > 0 && row < of_source.size()) of_source[row] += 1.0;
    }
    const double step = std::max(1e-9, to_seconds(frame.step()));
    for (std::uint32_t s = 0; s < lines.size(); ++s) {
        if (lines[s].empty() || !is_flood(lines[s], before, after, step)) continue;
        for (double& v : lines[s]) v /= step;
        features.push_back({.service = std::string(logs.sources[s]),
                            .signal = "log.lines",
                            .unit = "{line}",
                            .kind = FeatureKind::rate,
                            .values = std::move(lines[s])});
    }
}

}  // namespace culprit::tailored
