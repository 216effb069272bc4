#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/base/time.h"

namespace culprit {

/// A metric that moved at the incident.
struct ShiftEvidence {
    std::string column;
    std::string unit;
    double baseline = 0.0;  ///< median before the alert
    double peak = 0.0;      ///< the value farthest from it afterwards
    double score = 0.0;     ///< robust deviations, signed
    TimePoint onset;
    Duration onset_uncertainty{};
};

/// A log template whose rate changed.
struct LogEvidence {
    std::string source;
    std::string log_template;
    double baseline_per_minute = 0.0;
    double suspect_per_minute = 0.0;
    double score = 0.0;
    TimePoint first_seen;
    std::string example;
};

/// An operation or edge whose spans changed.
struct SpanEvidence {
    std::string service;
    std::string operation;
    std::string quantity;  ///< "duration", "self time", "client-server gap", "error share"
    std::string unit;
    double baseline = 0.0;
    double suspect = 0.0;
    double score = 0.0;
    TimePoint onset;
};

/// A learned or known edge on which the answer rests.
struct EdgeEvidence {
    std::string cause;
    std::string effect;
    double strength = 0.0;
};

using Evidence = std::variant<ShiftEvidence, LogEvidence, SpanEvidence, EdgeEvidence>;

/// One candidate. `name` is what the method ranks: a metric column, an operation or a service.
struct Suspect {
    std::string name;
    std::string service;
    double score = 0.0;
    std::vector<Evidence> evidence = {};
};

/// Suspects by falling score; equal scores keep the order in which the method gave them. Every
/// score is finite.
class Ranking {
public:
    Ranking() = default;
    /// Sorts stably. A NaN or infinite score is a bug in the method: CULPRIT_CHECK.
    static Ranking from(std::vector<Suspect> suspects);
    /// For methods that order names without scoring them: scores n, n-1, ..., 1.
    static Ranking in_order(std::span<const std::string> names);

    std::span<const Suspect> suspects() const { return suspects_; }
    bool empty() const { return suspects_.empty(); }
    std::size_t size() const { return suspects_.size(); }
    /// Services in order, each at its first appearance.
    std::vector<std::string> services() const;

private:
    std::vector<Suspect> suspects_;
};

enum class DiagnosisStatus : std::uint8_t {
    ok,
    degenerate,  ///< an answer by rule, not by the method's mathematics; `reason` says why
};
std::string_view to_string(DiagnosisStatus status);

struct Diagnosis {
    DiagnosisStatus status = DiagnosisStatus::ok;
    std::string reason;  ///< empty when ok
    Ranking ranking;
    std::vector<std::string> notes = {};  ///< facts about the run, e.g. how fragile a graph is
};

}  // namespace culprit
