#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "culprit/rca/incident.h"
#include "culprit/rca/ranking.h"

namespace culprit {

struct ExplainOptions {
    double score_min = 3.0;  ///< robust deviations below which a change is no evidence
    std::size_t shifts_per_service_max = 4;
    std::size_t logs_per_service_max = 3;
    std::size_t spans_per_service_max = 3;
};

/// The facts that speak for a service, whichever method suspects it: metrics that moved, log
/// templates whose rate changed, operations and edges whose spans changed. Computed once per
/// incident, for all services together.
///
/// Metrics and span series:
///   score = (mean of the suspect window - median of the baseline) / scale
///   scale = robust scale of stats/robust_shift.h, at least 2 % of the largest absolute value, so
///           that a series that was zero until now counts, but at most 50 deviations
///   onset = start of the moved segment by likelihood ratio (stats::find_onset), looked for from
///           the last quarter of the baseline on, at most ten minutes before the alert: an alert is
///           rarely early and often late; its 95 % interval is the uncertainty
///   peak  = the value farthest from the median in the direction of the move, from the onset on
/// Log templates: signed Poisson deviance of the counts (stats::count_shift).
/// Spans: median duration, median self time, median gap between client and server span, share of
/// failed spans, in 120 bins over both windows, as series.
///
/// Cost: O(values + log bytes + spans log children) time; memory of the results only.
/// Safe to read from several threads. The incident must outlive it.
class Explainer {
public:
    explicit Explainer(const Incident& incident, ExplainOptions options = {});

    /// How a metric column moved, strong or not; nothing when it has no values on one side. The
    /// study's short name (`a_latency` for `a_latency-90`) is understood too.
    std::optional<ShiftEvidence> shift_of(std::string_view column) const;
    /// The strongest evidence of each kind at this service, strongest first within a kind.
    std::vector<Evidence> evidence_of(std::string_view service) const;
    /// Adds to every suspect that is a metric column its own shift, and to each service's first
    /// suspect what else speaks for the service, of the kinds that the method gave none of. What
    /// the method gave comes first.
    Ranking explain(const Ranking& ranking) const;

private:
    void add_shifts();
    void add_logs();
    void add_spans();

    const Incident& incident_;
    ExplainOptions options_;
    std::map<std::string, ShiftEvidence, std::less<>> shifts_;  // by column
    std::map<std::string, std::vector<Evidence>, std::less<>> by_service_;
};

}  // namespace culprit
