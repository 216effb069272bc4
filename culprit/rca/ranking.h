#pragma once

#include <cstdint>
#include <optional>
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

/// A signal of one component as the method read it: one value per row of the incident's metrics.
struct SignalSeries {
    std::string component;
    std::vector<double> values;  ///< NaN = unknown
};

/// One step from cause to symptom, in words and in the numbers behind them. A log line has none.
struct FindingStep {
    TimePoint when;  ///< TimePoint{}: nobody knows
    Duration uncertainty{};
    std::string text;       ///< "SM clock 1980 -> 1110 MHz, siblings 1980"
    std::string remark;     ///< "first to move", or empty
    std::string signal;     ///< the catalogue's name, "gpu.sm_clock"; empty for a log line
    std::string unit = {};  ///< of the numbers
    std::optional<double> baseline = {};
    std::optional<double> now = {};
    std::optional<double> siblings = {};    ///< their median now
    std::vector<SignalSeries> series = {};  ///< the component's, then some of its siblings'
};

/// From here on an answer counts as known: below, reports say so and advise to look, not to mend.
inline constexpr double known_probability_min = 0.5;

/// Something to do; `command` may be empty, its words in capitals are to be filled in.
struct Advice {
    std::string action;
    std::string command;
};

/// An answer of a method that knows faults: which component, which fault, how sure.
struct Finding {
    std::string component;  ///< empty: no component is broken, or nothing is wrong
    std::string fault;      ///< id of a fault signature; "unknown" and "nothing" are no ids
    std::string name;       ///< for people: "GPU power cap"
    std::string layer;      ///< infrastructure, platform, toolkit, framework, model; may be empty
    double probability = 0.0;
    std::string beside = {};  ///< what most probably came with it: a changed load, another fault
    std::vector<FindingStep> chain = {};
    std::string where = {};  ///< inside the component: which spans grew, by how much per request
    std::vector<std::string> against = {};    ///< what speaks against it
    std::vector<std::string> ruled_out = {};  ///< what it is not, and the signal that says so
    std::vector<Advice> advice = {};
    std::optional<Advice> meanwhile = {};  ///< what keeps users served until it is mended
};

struct Diagnosis {
    DiagnosisStatus status = DiagnosisStatus::ok;
    std::string reason;  ///< empty when ok
    Ranking ranking;
    std::vector<std::string> notes = {};  ///< facts about the run, e.g. how fragile a graph is
    /// What users felt, before anybody is blamed; `remark` says how many replicas and which load.
    std::optional<FindingStep> symptom = {};
    /// Most probable first, but that nobody is broken comes first only from 0.4 on. Two components
    /// may be broken at once: then probabilities sum to more than 1. The first is "unknown" without
    /// a component where something is wrong and nobody stands out. Empty for methods that only
    /// rank.
    std::vector<Finding> findings = {};
    double nobody = 0.0;  ///< probability that no component is broken; 0 without findings
    /// Signals that are missing and would decide between the first findings, with how to get them.
    std::vector<std::string> blind_spots = {};
};

}  // namespace culprit
