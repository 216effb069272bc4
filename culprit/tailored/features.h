#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "culprit/base/stop.h"
#include "culprit/catalogue/catalogue.h"
#include "culprit/rca/incident.h"

namespace culprit::tailored {

/// How a feature's numbers are to be read.
enum class FeatureKind : std::uint8_t {
    level,    ///< a gauge
    rate,     ///< per second, from a counter
    average,  ///< mean of a histogram per interval: change of the sum over change of the count
    ratio,    ///< of two counters
};

/// One signal of one component on the incident's time grid.
struct Feature {
    std::string service;
    std::string signal;  ///< the catalogue's quantity ("engine.itl") or canonical name
    std::string unit;
    FeatureKind kind = FeatureKind::level;
    bool counts_events = false;  ///< a counter of whole events: rare ones are compared as counts
    bool bad_when_up = false;    ///< says the catalogue: one event of it is news
    std::vector<std::size_t> columns;  ///< of the incident's frame
    std::vector<double> values;        ///< [rows], NaN = unknown
    /// [rows], of an average: of how many requests, each of which counts in one row only. Empty:
    /// not known.
    std::vector<double> requests;
};

/// Does only an inference engine have this signal? Queues, requests in work, their latency and the
/// way to them are to be found in any system.
bool is_of_inference(std::string_view signal);

/// Does its name say that a component stands in front of others ("llm-gateway", "litellm-7f9c",
/// "haproxy")? It may then export latencies and tokens as an engine does, and is none.
bool is_named_front(std::string_view service);

/// Signals of the catalogue that the incident has, by component, in the order of the columns.
///
/// Counters become rates (a fall is a restart and counts from zero), histograms their mean per
/// interval, prefix hits and queries their ratio, and so do segments sent again and packets sent; a
/// series that the catalogue calls a counter but that falls often is taken as a rate already.
/// Several series of one signal in one component (one per GPU, per CPU mode) are added when they
/// are rates and averaged when they are levels; idle CPU time is left out. Times of starts become
/// events, one per change. The study's own column names (ctn_cpu, latency-90, ...) are known too,
/// and names written by hand are read by their words (read_metric_words); a histogram of how long
/// requests take is known by the end of its name.
///
/// Of quantiles of one signal the lowest counts, beside a mean none. Of several GPUs of a component
/// the one that is farthest from its own usual level gives clock, limit, temperature and events:
/// one that is held back holds back the others. Where an engine counts nothing itself, its
/// histograms do (requests, tokens), and times that it adds up are divided by what they are the
/// times of.
///
/// Cost: O(columns * rows), the same answer on any number of threads.
Result<std::vector<Feature>> features_of(const Incident& incident, const Catalogue& catalogue,
                                         const Stop& stop, unsigned num_threads);

}  // namespace culprit::tailored
