#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "culprit/report/diagnosis_report.h"

namespace culprit {

/// Lines that the terminal, Markdown and HTML share.

inline constexpr std::size_t services_shown = 5;
/// A finding below it is named, but its chain is not told.
inline constexpr double told_probability_min = 0.15;

/// "93 %", "< 1 %".
std::string percent(double share);

/// "test/x/3, alert 2026-11-22 08:03:49 UTC, 31 s before and 28 s after".
std::string incident_line(const Case& found);

/// What users felt, since when, how many replicas, which load; empty when no method said so.
std::string symptom_line(const std::vector<MethodAnswer>& answers);

/// "culprit (published), 8.5 ms".
std::string method_line(const MethodAnswer& answer);

/// "ray-replicas-1: GPU power cap"; only the name when no component is to blame.
std::string title_of(const Finding& finding);

/// Empty while the first finding is known and likely; else what stands instead of an answer:
/// "ray-replicas-1 (97 %), but no known fault fits for sure; best 43 %: Batch limit set too low;
/// first to move: ...".
std::string doubt_line(const Diagnosis& diagnosis);

/// Log templates of the finding's component that were never printed before and that its chain does
/// not tell, as someone reads them in the log; two at most, the most frequent first.
std::vector<std::string> new_log_lines(const Diagnosis& diagnosis, const Finding& finding);

/// "3, 4", or "nothing" of none.
std::string joined(const std::vector<std::string>& parts);

/// The suspects of one service: the best first, with all that speaks for the service.
struct ServiceSuspects {
    std::string service;
    std::vector<const Suspect*> suspects;
};
std::vector<ServiceSuspects> by_service(const Ranking& ranking);

}  // namespace culprit
