#include <string>
#include <vector>

#include "culprit/base/cut.h"
#include "culprit/stats/robust_shift.h"
#include "culprit/tailored/hypotheses.h"

namespace culprit::tailored {
constexpr std::size_t line_max = 2000;  // bytes: what a line says is said by then

LogMatches match_logs(const Incident& incident, const Windows& windows,
                      const FaultLibrary& library) {
    LogMatches matches;
    if (!incident.logs) return matches;
    const LogPatternSet& patterns = library.log_patterns();
    const LogTable& logs = *incident.logs;
    std::vector<LogPatternSet::Place> found;
    for (std::size_t i = 0; i < logs.size(); ++i) {
        const bool before = windows.reference.contains(logs.time[i]);
        if (!before && !windows.search.contains(logs.time[i])) continue;
        const std::string_view line = logs.message(i).substr(0, line_max);
        found.clear();
        patterns.match(line, found);
        for (const LogPatternSet::Place& place : found) {
            const LogPattern* pattern = &library.signatures()[place.fault].logs[place.pattern];
            LogMatch& match = matches[std::string(logs.sources[logs.source[i]])][pattern];
            match.pattern = pattern;
            (before ? match.before : match.after) += 1.0;
            if (!before && (match.example.empty() || logs.time[i] < match.first)) {
                match.first = logs.time[i];
                match.example = cut(line, 200);
            }
        }
    }
    const double reference = to_seconds(windows.reference.length());
    const double search = to_seconds(windows.search.length());
    for (auto& [service, by_pattern] : matches)
        for (auto& [pattern, match] : by_pattern)
            match.deviations = stats::count_shift(match.before, reference, match.after, search);
    return matches;
}

}  // namespace culprit::tailored
