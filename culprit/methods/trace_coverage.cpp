#include "culprit/methods/trace_coverage.h"

#include <algorithm>
#include <limits>
#include <unordered_map>

namespace culprit {
namespace {

constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

std::uint64_t hash_of(const std::vector<std::uint32_t>& values, std::uint64_t seed) {
    std::uint64_t hash = seed + 0x9e3779b97f4a7c15U;
    for (const std::uint32_t value : values) {
        hash ^= value;
        hash *= 0xff51afd7ed558ccdU;
        hash ^= hash >> 32U;
    }
    return hash;
}

// Numbers equal keys alike. Collisions of the hash are told apart by comparing.
class ClassIndex {
public:
    std::uint32_t of(const std::vector<std::uint32_t>& operations, std::uint32_t num_spans,
                     std::vector<TraceCoverage::TraceClass>& classes) {
        std::vector<std::uint32_t>& candidates = by_hash_[hash_of(operations, num_spans)];
        for (const std::uint32_t id : candidates)
            if (classes[id].num_spans == num_spans && classes[id].operations == operations)
                return id;
        candidates.push_back(static_cast<std::uint32_t>(classes.size()));
        classes.push_back({.operations = operations, .num_spans = num_spans});
        return candidates.back();
    }

private:
    std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> by_hash_;
};

// Spans of each trace, side by side (counting sort by trace).
struct SpansByTrace {
    std::vector<std::uint32_t> first;      // per trace, into `operation`; one more at the end
    std::vector<std::uint32_t> operation;  // local operation of each span
};

SpansByTrace group(const SpanTable& spans, const std::vector<std::uint32_t>& local_of_span) {
    SpansByTrace grouped;
    grouped.first.assign(spans.traces.size() + 1, 0);
    std::uint32_t count = 0;
    for (std::size_t i = 0; i < spans.size(); ++i) {
        if (local_of_span[i] == none) continue;
        ++grouped.first[spans.trace[i] + 1];
        ++count;
    }
    for (std::size_t t = 1; t < grouped.first.size(); ++t) grouped.first[t] += grouped.first[t - 1];
    grouped.operation.resize(count);
    std::vector<std::uint32_t> next(grouped.first.begin(), grouped.first.end() - 1);
    for (std::size_t i = 0; i < spans.size(); ++i)
        if (local_of_span[i] != none) grouped.operation[next[spans.trace[i]]++] = local_of_span[i];
    return grouped;
}

void add_classes(const SpansByTrace& grouped, TraceCoverage& coverage) {
    ClassIndex index;
    std::vector<std::uint32_t> operations;
    for (std::size_t t = 0; t + 1 < grouped.first.size(); ++t) {
        const auto begin = grouped.operation.begin() + grouped.first[t];
        const auto end = grouped.operation.begin() + grouped.first[t + 1];
        if (begin == end) continue;
        operations.assign(begin, end);
        std::sort(operations.begin(), operations.end());
        operations.erase(std::unique(operations.begin(), operations.end()), operations.end());
        const auto num_spans = static_cast<std::uint32_t>(end - begin);
        ++coverage.classes[index.of(operations, num_spans, coverage.classes)].num_traces;
    }
    // Kinds look at the operations alone: the same index with the span count held constant.
    ClassIndex kinds;
    std::vector<TraceCoverage::TraceClass> by_kind;
    std::vector<std::uint32_t> kind_of;
    for (const auto& c : coverage.classes) {
        kind_of.push_back(kinds.of(c.operations, 0, by_kind));
        by_kind[kind_of.back()].num_traces += c.num_traces;
    }
    coverage.num_traces_of.assign(coverage.num_operations(), 0);
    for (std::size_t k = 0; k < coverage.classes.size(); ++k) {
        coverage.classes[k].kind = by_kind[kind_of[k]].num_traces;
        for (const std::uint32_t o : coverage.classes[k].operations)
            coverage.num_traces_of[o] += coverage.classes[k].num_traces;
    }
}

void add_children(const SpanTable& spans, const std::vector<std::uint32_t>& local_of_span,
                  CallGraph graph, TraceCoverage& coverage) {
    coverage.children.resize(coverage.num_operations());
    // Which operation a span id stands for as a parent.
    std::unordered_map<std::uint64_t, std::uint32_t> parents;
    std::vector<std::size_t> last(coverage.num_operations(), 0);
    for (std::size_t i = 0; i < spans.size(); ++i) {
        if (local_of_span[i] == none || spans.id[i] == 0) continue;
        if (graph == CallGraph::all_spans) parents.emplace(spans.id[i], local_of_span[i]);
    }
    if (graph == CallGraph::last_span) {
        for (std::size_t i = 0; i < spans.size(); ++i)
            if (local_of_span[i] != none) last[local_of_span[i]] = i;
        for (std::uint32_t o = 0; o < coverage.num_operations(); ++o)
            if (spans.id[last[o]] != 0) parents.emplace(spans.id[last[o]], o);
    }
    for (std::size_t i = 0; i < spans.size(); ++i) {
        if (local_of_span[i] == none || spans.parent_id[i] == 0) continue;
        const auto parent = parents.find(spans.parent_id[i]);
        if (parent == parents.end()) continue;
        auto& children = coverage.children[parent->second];
        if (std::find(children.begin(), children.end(), local_of_span[i]) == children.end())
            children.push_back(local_of_span[i]);
    }
}

// As the reference stores a matrix entry.
double as_float(double value) { return static_cast<double>(static_cast<float>(value)); }

// The preference of one trace of each class.
std::vector<double> preferences(const TraceCoverage& coverage, TracePreference preference) {
    double sum_of_kinds = 0.0;
    double sum_of_lengths = 0.0;
    for (const auto& c : coverage.classes) {
        sum_of_kinds += c.num_traces / static_cast<double>(c.kind);
        sum_of_lengths += c.num_traces / static_cast<double>(c.num_spans);
    }
    std::vector<double> v;
    v.reserve(coverage.classes.size());
    for (const auto& c : coverage.classes) {
        const auto kind = static_cast<double>(c.kind);
        const double rare = 1.0 / kind / sum_of_kinds;
        const double anomalous =
            1.0 / (kind / sum_of_kinds * 0.5 + 1.0 / c.num_spans) / sum_of_lengths * 0.5;
        v.push_back(as_float(preference == TracePreference::rare_kinds ? rare : anomalous));
    }
    return v;
}

void divide_by_maximum(std::vector<double>& values) {
    const double maximum = *std::max_element(values.begin(), values.end());
    if (maximum > 0.0)
        for (double& v : values) v /= maximum;
}

}  // namespace

std::uint64_t TraceCoverage::num_traces() const {
    std::uint64_t sum = 0;
    for (const TraceClass& c : classes) sum += c.num_traces;
    return sum;
}

TraceCoverage trace_coverage(const SpanTable& spans, const Operations& operations,
                             const std::function<bool(std::size_t)>& chosen, CallGraph graph) {
    TraceCoverage coverage;
    std::vector<std::uint32_t> local(operations.size(), none);
    std::vector<std::uint32_t> local_of_span(spans.size(), none);
    for (std::size_t i = 0; i < spans.size(); ++i) {
        if (!chosen(i)) continue;
        std::uint32_t& id = local[operations.of_span[i]];
        if (id == none) {
            id = static_cast<std::uint32_t>(coverage.operation.size());
            coverage.operation.push_back(operations.of_span[i]);
        }
        local_of_span[i] = id;
    }
    add_classes(group(spans, local_of_span), coverage);
    add_children(spans, local_of_span, graph, coverage);
    return coverage;
}

std::vector<double> operation_weights(const TraceCoverage& coverage, TracePreference preference) {
    constexpr double damping = 0.85;
    constexpr double call_weight = 0.01;
    constexpr int iterations = 25;
    const std::size_t num_operations = coverage.num_operations();
    if (num_operations == 0) return {};
    // A Python number times a float32 vector stays float32.
    std::vector<double> restart = preferences(coverage, preference);
    for (double& v : restart)
        v = static_cast<double>(static_cast<float>(1.0 - damping) * static_cast<float>(v));
    const double start = 1.0 / static_cast<double>(num_operations + coverage.num_traces());
    std::vector<double> s(num_operations, start);
    std::vector<double> r(coverage.classes.size(), start);
    for (int i = 0; i < iterations; ++i) {
        std::vector<double> next_s(num_operations, 0.0);
        std::vector<double> next_r(r.size(), 0.0);
        for (std::size_t o = 0; o < num_operations; ++o) {
            const auto& children = coverage.children[o];
            const double share = as_float(1.0 / static_cast<double>(children.size()));
            for (const std::uint32_t child : children) next_s[child] += call_weight * share * s[o];
        }
        for (std::size_t k = 0; k < r.size(); ++k) {
            const auto& c = coverage.classes[k];
            const double share = as_float(1.0 / static_cast<double>(c.operations.size()));
            for (const std::uint32_t o : c.operations) {
                next_s[o] += c.num_traces * share * r[k];
                next_r[k] += as_float(1.0 / coverage.num_traces_of[o]) * s[o];
            }
            next_r[k] = damping * next_r[k] + restart[k];
        }
        for (double& value : next_s) value *= damping;
        divide_by_maximum(next_s);
        divide_by_maximum(next_r);
        s = std::move(next_s);
        r = std::move(next_r);
    }
    divide_by_maximum(s);
    double sum = 0.0;
    for (const double value : s) sum += value;
    for (double& value : s) value *= sum / static_cast<double>(num_operations);
    return s;
}

}  // namespace culprit
