#include <algorithm>
#include <string>
#include <unordered_map>

#include "culprit/stats/robust_shift.h"
#include "culprit/tailored/hypotheses.h"

namespace culprit::tailored {
namespace {

/// A literal run of the pattern, at least four characters long, that every match contains; empty
/// when the pattern has none (alternatives, leading classes). Most lines are ruled out by it
/// without running the expression.
std::string literal_of(const LogPattern& pattern) {
    const std::string& p = pattern.pattern;
    if (p.starts_with("(?i)") || p.find('|') != std::string::npos) return {};
    std::string best;
    std::string run;
    int depth = 0;  // inside a group or class nothing is certain
    for (std::size_t i = 0; i < p.size(); ++i) {
        const char c = p[i];
        if (c == '(' || c == '[') ++depth;
        if (c == ')' || c == ']') --depth;
        if (depth > 0) {
            if (c == '\\') ++i;
            run.clear();
            continue;
        }
        const bool escaped_literal =
            c == '\\' && i + 1 < p.size() &&
            std::string("().[]{}*+?|^$\\").find(p[i + 1]) != std::string::npos;
        const bool plain = std::string("\\.*+?()[]{}^$").find(c) == std::string::npos;
        if (plain || escaped_literal) {
            run += escaped_literal ? p[++i] : c;
            if (i + 1 < p.size() && std::string("*?{").find(p[i + 1]) != std::string::npos)
                run.pop_back();
            else if (run.size() > best.size())
                best = run;
            continue;
        }
        run.clear();
    }
    return best.size() >= 4 ? best : std::string();
}

}  // namespace

LogMatches match_logs(const Incident& incident, const Windows& windows,
                      const FaultLibrary& library) {
    LogMatches matches;
    if (!incident.logs) return matches;
    struct Candidate {
        const LogPattern* pattern;
        std::string literal;
    };
    std::vector<Candidate> candidates;
    for (const FaultSignature& fault : library.signatures())
        for (const LogPattern& pattern : fault.logs)
            candidates.push_back({&pattern, literal_of(pattern)});
    const LogTable& logs = *incident.logs;
    for (std::size_t i = 0; i < logs.size(); ++i) {
        const bool before = windows.reference.contains(logs.time[i]);
        if (!before && !windows.search.contains(logs.time[i])) continue;
        const std::string_view line = logs.message(i).substr(0, 2000);
        for (const Candidate& candidate : candidates) {
            if (!candidate.literal.empty() && line.find(candidate.literal) == line.npos) continue;
            if (!std::regex_search(line.begin(), line.end(), candidate.pattern->compiled)) continue;
            LogMatch& match = matches[std::string(logs.sources[logs.source[i]])][candidate.pattern];
            match.pattern = candidate.pattern;
            (before ? match.before : match.after) += 1.0;
            if (!before && (match.example.empty() || logs.time[i] < match.first)) {
                match.first = logs.time[i];
                match.example = line.substr(0, 200);
            }
        }
    }
    const double reference = to_seconds(windows.reference.length());
    const double search = to_seconds(windows.search.length());
    for (auto& [service, found] : matches)
        for (auto& [pattern, match] : found)
            match.deviations = stats::count_shift(match.before, reference, match.after, search);
    return matches;
}

}  // namespace culprit::tailored
