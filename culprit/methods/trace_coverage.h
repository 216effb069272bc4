#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "culprit/methods/operations.h"

namespace culprit {

/// Which operations a chosen part of the traces passes through: the input of MicroRank's PageRank.
///
/// Traces with the same operations and the same number of spans are one class, since PageRank
/// cannot tell them apart; a service has a handful of classes however many requests it serves.
///
/// Cost: O(spans) expected time and memory (hashing of operation sets).
struct TraceCoverage {
    struct TraceClass {
        std::vector<std::uint32_t> operations;  ///< local, ascending
        std::uint32_t num_spans = 0;            ///< of each trace
        std::uint32_t num_traces = 0;
        std::uint32_t kind = 0;  ///< traces with the same operations, whatever their spans
    };
    std::vector<std::uint32_t> operation;  ///< local -> Operations, by first appearance
    std::vector<TraceClass> classes;
    std::vector<std::vector<std::uint32_t>> children;  ///< local, distinct, per local operation
    std::vector<std::uint32_t> num_traces_of;          ///< traces through each local operation

    std::size_t num_operations() const { return operation.size(); }
    std::uint64_t num_traces() const;
};

enum class CallGraph {
    all_spans,  ///< children of an operation: those of all its spans
    last_span,  ///< those of its last span alone (the reference implementation's reset)
};

/// Coverage of the spans that `chosen` picks.
TraceCoverage trace_coverage(const SpanTable& spans, const Operations& operations,
                             const std::function<bool(std::size_t span)>& chosen, CallGraph graph);

/// How the walk prefers traces when it restarts.
enum class TracePreference {
    rare_kinds,  ///< normal traces: 1 / kind
    anomalous,   ///< 1 / (kind share / 2 + 1 / spans), rare kinds and long traces first
};

/// MicroRank's PageRank of the operations, weighted by the mean score.
///
///   s' = 0.85 (Psr r + 0.01 Pss s);  r' = 0.85 Prs s + 0.15 v;  both divided by their maximum
///   25 times from 1 / (O + T);  weight_o = s_o sum(s) / O
///   Psr[o][t] = 1 / |operations(t)|, Prs[t][o] = 1 / |traces(o)|, Pss[c][o] = 1 / |children(o)|
///
/// Units: none.   Cost: O(25 (sum of class sizes + edges)).
/// Source: G. Yu et al., MicroRank, WWW 2021, section 4.   Parity: the reference's float32 matrices
/// under float64 vectors, 1e-9 relative.
std::vector<double> operation_weights(const TraceCoverage& coverage, TracePreference preference);

}  // namespace culprit
