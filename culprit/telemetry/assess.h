#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "culprit/catalogue/catalogue.h"
#include "culprit/rca/case.h"
#include "culprit/signatures/fault_signature.h"

namespace culprit {

/// How well one catalogue signal can be seen.
enum class Visibility : std::uint8_t { absent, impaired, present };

struct SeenSignal {
    Visibility visibility = Visibility::absent;
    std::uint64_t num_series = 0;
    double interval_seconds = 0.0;     ///< median distance between values
    std::vector<std::string> defects;  ///< "stale for 420 s", "every 30 s hides a 60 s fault", …
};

/// What telemetry there is, whatever it was read from.
struct Inventory {
    std::map<std::string, SeenSignal> signals;  ///< by canonical name; absent ones are not listed
    std::uint64_t num_generic_series = 0;
    std::uint64_t num_log_sources = 0;
    bool has_system_log = false;    ///< a kernel or journal source
    bool logs_name_models = false;  ///< some source or line carries model or GPU
    std::uint64_t num_span_services = 0;
    bool has_inner_spans = false;  ///< a span below another of its own service
    bool has_propagation = false;  ///< a span below one of another service
    bool counts_errors = false;    ///< a metric counted failed requests
    bool has_changes = false;      ///< a source of change events answered
    bool has_kubernetes = false;
    std::vector<std::string> defects;  ///< of logs and traces as a whole
};

struct AssessOptions {
    double fault_seconds = 60.0;               ///< the shortest fault that must show: the study's
    std::vector<std::string> seen_names = {};  ///< info metrics and others that give no column
};

Inventory take_inventory(const Case& observed, const AssessOptions& options);

/// One cell of the audit: what this layer should tell in this modality.
struct AuditCell {
    double points = 0.0;
    double points_max = 0.0;
    std::vector<std::string> present;
    std::vector<std::string> impaired;  ///< with the reason
    std::vector<std::string> absent;
};

/// A setting that would make signals visible.
struct Addition {
    std::string what;  ///< "DCGM_FI_DEV_CLOCKS_EVENT_REASONS" or "NVIDIA dcgm-exporter"
    std::string how;   ///< the exact flag, line or scrape job
    int effort = 1;    ///< 1 a setting, 2 a component to run, 3 a change of architecture
    std::uint64_t num_newly_visible = 0;  ///< faults that leave a trace only with it
    std::uint64_t num_separated = 0;      ///< pairs of faults told apart only with it
    std::vector<std::string> examples;    ///< of both, at most three
};

struct Assessment {
    std::array<std::array<AuditCell, 3>, 5> cells;  ///< [layer][metric, log, span]
    std::array<double, 5> layer_score{};            ///< in [0, 1]; -1 where nothing is expected
    double score = 0.0;                             ///< mean of the layers' scores
    std::vector<std::string> blind;                 ///< names of faults that leave no trace
    std::vector<std::vector<std::string>> groups;   ///< visible faults that look the same
    std::uint64_t num_faults = 0;
    std::uint64_t num_pairs_apart = 0;
    std::uint64_t num_pairs = 0;
    std::vector<Addition> additions;  ///< best value first
    std::vector<std::string> defects;
};

/// The audit, and what it costs.
///
///   A cell's points: 1 + (number of fault signatures that name the signal) for each signal that is
///   present, half of it where impaired, over the same sum for every signal expected. Expected are
///   the components of any GPU serving stack, and those of which something was seen (a stack
///   without SGLang misses none of its metrics). A layer's score is points / points_max over its
///   cells, the score the mean over the layers. A fault is blind when no visible signal moves under
///   it with weight 2 ("usually") or more and no log line of it would be collected. Two faults are
///   told apart by a visible signal that moves differently in both, that moves almost always
///   (weight 3 or more) in one and is not named by the other, by a log line of weight 3 or more
///   that only one writes, by a change event that only one has, or by the number of replicas that
///   they reach. Faults that are not told apart form groups (transitively). Additions are chosen
///   greedily: the largest (faults made visible + pairs told apart) per effort, then the next given
///   that one, until none changes anything or ten are found.
///
/// Cost: O(faults^2 * signals per fault * additions).
Assessment assess(const Inventory& inventory, const Catalogue& catalogue,
                  const FaultLibrary& faults);

std::string assessment_text(const Assessment& assessment);
std::string assessment_json(const Assessment& assessment);
/// One page without any reference to other files.
std::string assessment_html(const Assessment& assessment);

}  // namespace culprit
