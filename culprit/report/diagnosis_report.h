#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "culprit/rca/case.h"
#include "culprit/rca/method.h"
#include "culprit/report/style.h"

namespace culprit {

/// What one method said about an incident: its diagnosis, or why there is none.
struct MethodAnswer {
    std::string method;
    Variant variant = Variant::published;
    std::optional<Error> error;  ///< set: failed, and `diagnosis` is empty
    Diagnosis diagnosis;         ///< its ranking carries the evidence to show
    double seconds = 0.0;        ///< time that the method took

    /// "ok", "degenerate" or "failed".
    std::string_view status() const;
    std::string_view reason() const;
};

/// Everything that a report shows of one incident.
struct DiagnosisReport {
    const Case* found = nullptr;
    std::vector<MethodAnswer> answers;
    std::optional<std::size_t> top;  ///< entries of each ranking to show; all (JSON) or five
    std::string report_path;         ///< of the HTML report beside; empty = none was written
    std::string again;               ///< how to repeat it without the live systems; may be empty
    double read_seconds = 0.0;
};

/// One object, or with several methods an array of them:
///   {"method": "baro", "variant": "published", "status": "ok|degenerate|failed",
///    "ranking": [{"name": ..., "service": ..., "score": ..., "evidence": [...]}, ...]}
/// best first and complete unless `top` is set; "reason" is there when the status is not "ok",
/// "notes" when the method left some, "symptom" (what users felt), "findings" and "blind_spots"
/// when it knows faults. Evidence has "kind": "metric", "log", "span" or "edge"; times are RFC 3339
/// or null, durations seconds.
std::string diagnosis_json(const DiagnosisReport& report);

/// For a terminal, in the order in which one reads at night: what users feel, what is broken, since
/// when, why, what speaks against it, what to do; then what would make it surer, what was seen and
/// what was missing. Methods that only rank: the suspects service by service with what speaks for
/// them. Prose is broken to the style's width; commands are not, so that they can be copied.
std::string diagnosis_text(const DiagnosisReport& report, const Style& style);
std::string diagnosis_markdown(const DiagnosisReport& report);

/// One self-contained page with the suspects' series, the service graph and the evidence; reads
/// nothing from the network.
std::string diagnosis_html(const DiagnosisReport& report);

/// What of the incident's modalities is there, e.g. "49 metrics of 11 services every 1 s", and what
/// is not, e.g. "spans".
struct Coverage {
    std::vector<std::string> seen;
    std::vector<std::string> missing;
};
Coverage coverage_of(const Incident& incident);

}  // namespace culprit
