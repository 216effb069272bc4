#include "culprit/tailored/span_features.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "culprit/frame/span_series.h"

namespace culprit::tailored {
namespace {

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
constexpr double spans_min = 10.0;     // of a signal: fewer tell nothing about a change
constexpr std::size_t fastest_of = 8;  // requests: with loss some of so many still arrive at once
constexpr std::string_view path = "engine.path_residual";
constexpr std::string_view floor_of_path = "engine.path_floor";
constexpr std::string_view request = "istio_request_duration_milliseconds";
constexpr std::string_view completed = "engine.completed";

/// Words of an operation's name and the phase of a request that they speak of; the first that fits.
struct Phase {
    std::string_view word;
    std::string_view signal;
};
constexpr std::array phases = {
    Phase{"queue", "engine.queue_time"},      Phase{"waiting", "engine.queue_time"},
    Phase{"prefill", "engine.prefill_time"},  Phase{"decode", "engine.decode_time"},
    Phase{"tokeniz", "engine.tokenize_time"},
};

std::string_view phase_of(std::string operation) {
    std::ranges::transform(operation, operation.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (operation.find("detokeniz") != std::string::npos) return {};
    for (const Phase& phase : phases)
        if (operation.find(phase.word) != std::string::npos) return phase.signal;
    return {};
}

struct Series {
    std::vector<double> sum;
    std::vector<double> count;
    double total = 0.0;
};

class SpanReader {
public:
    SpanReader(const SpanTable& spans, const Frame& frame)
        : spans_(spans), frame_(frame), parent_(parents_of(spans)), remote_(spans.size(), 0) {
        for (std::size_t i = 0; i < spans.size(); ++i)
            if (has_parent(i) && spans.service[parent_[i]] != spans.service[i]) {
                ++remote_[parent_[i]];
                callers_.insert(spans.service[parent_[i]]);
            }
    }

    void read() {
        for (std::size_t o = 0; o < spans_.operations.size(); ++o)
            phases_.push_back(
                phase_of(std::string(spans_.operations[static_cast<std::uint32_t>(o)])));
        for (std::size_t i = 0; i < spans_.size(); ++i) {
            const std::size_t p = parent_[i];
            const bool local = has_parent(i) && spans_.service[p] == spans_.service[i];
            if (local) {
                const std::string_view phase = phases_[spans_.operation[i]];
                if (!phase.empty()) add(i, phase, to_seconds(spans_.duration[i]), i);
                continue;
            }
            if (!callers_.contains(spans_.service[i])) {
                add(i, request, 1e3 * to_seconds(spans_.duration[i]), i);
                add(i, completed, 1.0, i);
            }
            if (has_parent(i) && remote_[p] == 1) {
                const double way =
                    std::max(0.0, to_seconds(spans_.duration[p] - spans_.duration[i]));
                add(i, path, way, p);
                ways_[spans_.service[i]].emplace_back(spans_.end(p), way);
            }
        }
        for (auto& [service, ways] : ways_) add_floor(service, ways);
    }

    void append_to(std::vector<Feature>& features) const {
        std::set<std::pair<std::string, std::string>> known;
        for (const Feature& f : features) known.emplace(f.service, f.signal);
        for (const auto& [key, series] : series_) {
            Feature feature{.service = std::string(spans_.services[key.first]),
                            .signal = std::string(key.second),
                            .unit = key.second == request ? "ms" : "s",
                            .kind = FeatureKind::average};
            if (series.total < spans_min || known.contains({feature.service, feature.signal}))
                continue;
            if (key.second == completed)
                make_rate(feature, series);
            else
                make_average(feature, series);
            features.push_back(std::move(feature));
        }
    }

private:
    bool has_parent(std::size_t i) const { return parent_[i] != SpanTimes::no_parent; }

    void make_average(Feature& feature, const Series& series) const {
        feature.values.assign(frame_.num_rows(), nan_value);
        for (std::size_t r = 0; r < feature.values.size(); ++r)
            if (series.count[r] > 0.0) feature.values[r] = series.sum[r] / series.count[r];
        if (feature.signal != floor_of_path) feature.requests = series.count;
    }

    /// Nothing ended in a row in which others' spans did: 0, not unknown.
    void make_rate(Feature& feature, const Series& series) const {
        feature.kind = FeatureKind::rate;
        feature.unit = "{request}";
        feature.counts_events = true;
        feature.values.assign(frame_.num_rows(), nan_value);
        const double step = std::max(1e-9, to_seconds(frame_.step()));
        for (std::size_t r = first_row_; r <= last_row_; ++r)
            feature.values[r] = series.count[r] / step;
    }

    /// The way of the fastest of the last requests, at the end of each.
    void add_floor(std::uint32_t service, std::vector<std::pair<TimePoint, double>>& ways) {
        std::ranges::sort(ways);
        for (std::size_t i = 0; i < ways.size(); ++i) {
            double fastest = ways[i].second;
            for (std::size_t k = i - std::min(i, fastest_of - 1); k < i; ++k)
                fastest = std::min(fastest, ways[k].second);
            add(service, floor_of_path, fastest, ways[i].first);
        }
    }

    /// `value` of the component of span i, in the row in which span `ended` ends.
    void add(std::size_t i, std::string_view signal, double value, std::size_t ended) {
        add(spans_.service[i], signal, value, spans_.end(ended));
    }

    void add(std::uint32_t service, std::string_view signal, double value, TimePoint end) {
        const std::size_t row = frame_.first_row_at(end);
        if (row >= frame_.num_rows()) return;
        if (row == 0 && end + frame_.step() <= frame_.times().front()) return;
        Series& series = series_[{service, signal}];
        if (series.sum.empty()) {
            series.sum.assign(frame_.num_rows(), 0.0);
            series.count.assign(frame_.num_rows(), 0.0);
        }
        first_row_ = std::min(first_row_, row);
        last_row_ = std::max(last_row_, row);
        series.sum[row] += value;
        series.count[row] += 1.0;
        series.total += 1.0;
    }

    const SpanTable& spans_;
    const Frame& frame_;
    const std::vector<std::uint32_t> parent_;
    std::vector<std::uint32_t> remote_;  // children in other components
    std::set<std::uint32_t> callers_;
    std::size_t first_row_ = std::numeric_limits<std::size_t>::max();  // that a span ended in
    std::size_t last_row_ = 0;
    std::vector<std::string_view> phases_;                                     // of operations
    std::map<std::uint32_t, std::vector<std::pair<TimePoint, double>>> ways_;  // by callee
    std::map<std::pair<std::uint32_t, std::string_view>, Series> series_;
};

}  // namespace

bool speaks_of_inference(const SpanTable& spans) {
    for (std::uint32_t o = 0; o < spans.operations.size(); ++o) {
        const std::string_view phase = phase_of(std::string(spans.operations[o]));
        if (phase == "engine.prefill_time" || phase == "engine.decode_time") return true;
    }
    return false;
}

bool speaks_of_decoding(std::string_view operation) {
    return phase_of(std::string(operation)) == "engine.decode_time";
}

void add_span_features(std::vector<Feature>& features, const SpanTable& spans, const Frame& frame) {
    if (spans.size() == 0 || frame.num_rows() == 0) return;
    SpanReader reader(spans, frame);
    reader.read();
    reader.append_to(features);
}

}  // namespace culprit::tailored
