#include "culprit/report/evidence_text.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "culprit/report/quantity_text.h"
#include "culprit/report/text_table.h"

namespace culprit {
namespace {

using Json = nlohmann::ordered_json;

std::string score_text(double score) {
    return fmt::format("{}{}", score > 0 ? "+" : "", format_number(score));
}

struct InWords {
    const std::string& service;

    EvidenceText operator()(const ShiftEvidence& e) const {
        const bool is_own = e.column.starts_with(service + "_");
        // What hardly moved has no beginning worth a line.
        constexpr double moved_min = 1.0;
        return {
            .when = std::abs(e.score) < moved_min ? "" : when_text(e.onset, e.onset_uncertainty),
            .what = printable(is_own ? e.column.substr(service.size() + 1) : e.column),
            .moved = fmt::format("{} → {}", format_quantity(e.baseline, e.unit),
                                 format_quantity(e.peak, e.unit)),
            .score = score_text(e.score)};
    }
    EvidenceText operator()(const LogEvidence& e) const {
        return {.when = when_text(e.first_seen, Duration{0}),
                .what = fmt::format("log \"{}\"", printable(e.log_template)),
                .moved = fmt::format("{} → {} per min", format_number(e.baseline_per_minute),
                                     format_number(e.suspect_per_minute)),
                .score = score_text(e.score)};
    }
    EvidenceText operator()(const SpanEvidence& e) const {
        return {.when = when_text(e.onset, Duration{0}),
                .what = e.operation.empty()
                            ? fmt::format("spans of {} {}", printable(e.service), e.quantity)
                            : fmt::format("span {} {}", printable(e.operation), e.quantity),
                .moved = fmt::format("{} → {}", format_quantity(e.baseline, e.unit),
                                     format_quantity(e.suspect, e.unit)),
                .score = score_text(e.score)};
    }
    EvidenceText operator()(const EdgeEvidence& e) const {
        return {.when = "",
                .what = fmt::format("{} → {}", printable(e.cause), printable(e.effect)),
                .moved = "edge",
                .score = score_text(e.strength)};
    }
};

// Null where nobody measured when it began.
Json time_json(TimePoint when) {
    return when == TimePoint{} ? Json(nullptr) : Json(format_rfc3339(when));
}

struct AsJson {
    Json operator()(const ShiftEvidence& e) const {
        return {{"kind", "metric"},
                {"column", e.column},
                {"unit", e.unit},
                {"baseline", e.baseline},
                {"peak", e.peak},
                {"score", e.score},
                {"onset", time_json(e.onset)},
                {"onset_uncertainty_s", to_seconds(e.onset_uncertainty)}};
    }
    Json operator()(const LogEvidence& e) const {
        return {{"kind", "log"},
                {"source", e.source},
                {"template", e.log_template},
                {"baseline_per_minute", e.baseline_per_minute},
                {"suspect_per_minute", e.suspect_per_minute},
                {"score", e.score},
                {"first_seen", time_json(e.first_seen)},
                {"example", e.example}};
    }
    Json operator()(const SpanEvidence& e) const {
        return {{"kind", "span"},         {"service", e.service}, {"operation", e.operation},
                {"quantity", e.quantity}, {"unit", e.unit},       {"baseline", e.baseline},
                {"suspect", e.suspect},   {"score", e.score},     {"onset", time_json(e.onset)}};
    }
    Json operator()(const EdgeEvidence& e) const {
        return {
            {"kind", "edge"}, {"cause", e.cause}, {"effect", e.effect}, {"strength", e.strength}};
    }
};

}  // namespace

std::string when_text(TimePoint when, Duration uncertainty) {
    if (when == TimePoint{}) return "";
    if (uncertainty <= Duration{0}) return format_clock(when);
    return fmt::format("{} ±{}", format_clock(when), format_duration(uncertainty));
}

EvidenceText evidence_text(const Evidence& evidence, const std::string& service) {
    return std::visit(InWords{service}, evidence);
}

nlohmann::ordered_json evidence_json(const Evidence& evidence) {
    return std::visit(AsJson{}, evidence);
}

}  // namespace culprit
