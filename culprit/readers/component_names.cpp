#include "culprit/readers/component_names.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "culprit/catalogue/catalogue.h"
#include "culprit/catalogue/metric_words.h"

namespace culprit {
namespace {

constexpr std::string_view separators = "_-./:| ";
constexpr double agreement_min = 0.9;
constexpr double known_bonus = 6.0;  // in natural logs of how often a name comes again
constexpr double words_bonus = 0.5;  // for each word
constexpr double convention_bonus = 0.5;
constexpr std::size_t candidates_max = 40;

/// A name as Prometheus writes it.
struct Labelled {
    std::string metric;
    Labels labels;
};

std::string unescaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 1 < text.size()) ++i;
        out += text[i];
    }
    return out;
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

/// `key="value"` pairs separated by commas; quotes may be missing. Empty when it is none.
std::optional<Labels> read_labels(std::string_view text) {
    Labels labels;
    while (!trimmed(text).empty()) {
        const std::size_t equals = text.find('=');
        if (equals == std::string_view::npos) return std::nullopt;
        const std::string key(trimmed(text.substr(0, equals)));
        text.remove_prefix(equals + 1);
        while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
        std::size_t end = 0;
        std::string value;
        if (!text.empty() && (text.front() == '"' || text.front() == '\'')) {
            const char quote = text.front();
            for (end = 1; end < text.size() && text[end] != quote; ++end)
                if (text[end] == '\\') ++end;
            if (end >= text.size()) return std::nullopt;
            value = unescaped(text.substr(1, end - 1));
            ++end;
        } else {
            end = std::min(text.find(','), text.size());
            value = std::string(trimmed(text.substr(0, end)));
        }
        if (key.empty()) return std::nullopt;
        labels[key] = std::move(value);
        text.remove_prefix(end);
        while (!text.empty() && (text.front() == ' ' || text.front() == ',')) text.remove_prefix(1);
    }
    return labels;
}

std::optional<Labelled> read_labelled(const std::string& name) {
    const std::size_t open = name.find('{');
    const std::size_t close = name.rfind('}');
    if (open == std::string::npos || close == std::string::npos || close < open)
        return std::nullopt;
    auto labels = read_labels(std::string_view(name).substr(open + 1, close - open - 1));
    if (!labels) return std::nullopt;
    Labelled read{.metric = name.substr(0, open), .labels = std::move(*labels)};
    if (const auto named = read.labels.find("__name__"); named != read.labels.end()) {
        read.metric = named->second;
        read.labels.erase(named);
    }
    return read;
}

/// Metric names that somebody's exporter or a person writes, without any component in them.
class MetricNames {
public:
    const Signal* find(std::string_view metric) const {
        strip_statistic(metric);
        for (const std::string_view suffix : {":rate", ":mean", ":ratio"})
            if (metric.ends_with(suffix)) metric.remove_suffix(suffix.size());
        return Catalogue::builtin().match(metric).signal;
    }
    bool knows(std::string_view metric) const { return find(metric) != nullptr; }
    /// "(%)", "total" and "sum" come again in every other column, and are no metric.
    bool is_end_of_metric(std::string_view rest) const {
        return (says_only_how(rest) || rest == "sum" || rest == "count" || rest == "bucket") &&
               !knows(rest);
    }
    bool is_words(std::string_view metric) const { return is_all_metric_words(metric); }
};

/// Splits names of component and metric where the table as a whole says.
class Splitter {
public:
    explicit Splitter(std::vector<std::string_view> names) : names_(std::move(names)) {
        for (const std::string_view name : names_) {
            const std::size_t at = name.find('_');
            if (at == std::string_view::npos) continue;
            ++by_convention_[name.substr(0, at)];
            ++rests_by_convention_[name.substr(at + 1)];
        }
        std::size_t agree = 0;
        for (const std::string_view name : names_) agree += agrees(name) ? 1 : 0;
        convention_ = static_cast<double>(agree) >=
                      agreement_min * static_cast<double>(std::max<std::size_t>(1, names_.size()));
        if (convention_) return;
        for (const std::string_view name : names_)
            for (std::size_t at = 1; at + 1 < name.size(); ++at)
                if (separators.find(name[at]) != std::string_view::npos) {
                    ++prefixes_[name.substr(0, at + 1)];
                    ++rests_[name.substr(at)];
                }
    }

    bool keeps_convention() const { return convention_; }

    /// Position of the separator; npos: the name has none.
    std::size_t split(std::string_view name) const {
        if (convention_) return name.find('_');
        std::size_t best = std::string_view::npos;
        double highest = 0.0;
        std::size_t tried = 0;
        const std::size_t first = name.find('_');
        for (std::size_t at = 1; at + 1 < name.size() && tried < candidates_max; ++at) {
            if (separators.find(name[at]) == std::string_view::npos) continue;
            ++tried;
            const std::string_view rest = name.substr(at + 1);
            if (metrics_.is_end_of_metric(rest)) continue;
            double score = std::log(static_cast<double>(prefixes_.at(name.substr(0, at + 1)))) +
                           2.0 * std::log(static_cast<double>(rests_.at(name.substr(at))));
            if (metrics_.knows(rest))
                score += known_bonus;
            else if (metrics_.is_words(rest))
                score += words_bonus * static_cast<double>(words_of(rest).size());
            if (at == first) score += convention_bonus;
            if (best == std::string_view::npos || score > highest) {
                best = at;
                highest = score;
            }
        }
        return best;
    }

private:
    using Counts = std::unordered_map<std::string_view, std::size_t>;

    bool agrees(std::string_view name) const {
        const std::size_t at = name.find('_');
        if (at == std::string_view::npos || at == 0) return false;
        const std::string_view service = name.substr(0, at);
        if (service.find_first_of(":/|{") != std::string_view::npos) return false;
        const std::string_view rest = name.substr(at + 1);
        // "prefill-0", "decode" and "gpu-node" are words for measurements too.
        if (metrics_.is_words(service) && !metrics_.knows(rest)) return false;
        const bool again = rests_by_convention_.at(rest) >= 2;
        if (by_convention_.at(service) < 2) return again;
        // "0_queue_size": the component goes on.
        if (rest.find_first_not_of("0123456789") != std::string_view::npos &&
            rest.find_first_of("0123456789") == 0)
            return false;
        return again || metrics_.knows(rest) || metrics_.is_words(rest);
    }

    MetricNames metrics_;
    std::vector<std::string_view> names_;
    Counts by_convention_;
    Counts rests_by_convention_;
    bool convention_ = true;
    Counts prefixes_;
    Counts rests_;
};

std::string label_of(const Labels& labels, const char* name) {
    const auto found = labels.find(name);
    return found == labels.end() ? std::string() : found->second;
}

std::string without_port(const std::string& instance) {
    return instance.substr(0, instance.rfind(':'));
}

/// Labels that can say whose series it is.
bool names_a_thing(const Labels& canonical) {
    for (const char* label :
         {"pod", "host", "gpu_uuid", "container", "deployment", "replica", "service", "instance",
          "source", "destination", "server", "job", "application", "component", "model"})
        if (!label_of(canonical, label).empty()) return true;
    return false;
}

/// Puts series that only know an address or a host to the pod that they speak of.
class Placements {
public:
    /// `signal` may be null.
    void learn(const Signal* signal, const std::string& metric, const Labels& labels) {
        const std::string pod = label_of(labels, "pod");
        const std::string host = label_of(labels, "host");
        const std::string instance = label_of(labels, "instance");
        if (!pod.empty()) {
            if (const std::string ip = label_of(labels, "pod_ip"); !ip.empty()) pod_of_[ip] = pod;
            if (!host.empty() && says_where(signal)) host_of_[pod] = host;
            if (is_engine(signal)) engine_pods_.insert(pod);
            return;
        }
        if (instance.empty()) return;
        if (is_engine(signal)) engine_instances_.insert(without_port(instance));
        Labels others = labels;
        others.erase("instance");
        auto& first = instance_of_[without_port(instance)][{metric, others}];
        if (first.empty()) first = instance;
        if (first != instance) several_ports_.insert(without_port(instance));
    }

    void finish() {
        for (const std::string& address : engine_instances_)
            if (const auto known = pod_of_.find(address); known != pod_of_.end())
                engine_pods_.insert(known->second);
        std::map<std::string, std::vector<std::string>> engines_on;
        for (const auto& [pod, host] : host_of_)
            if (engine_pods_.contains(pod)) engines_on[host].push_back(pod);
        for (const auto& [host, pods] : engines_on)
            if (pods.size() == 1) only_engine_on_[host] = pods.front();
    }

    std::string component(const Signal* signal, const Labels& labels, Entity entity) const {
        if (!label_of(labels, "pod").empty()) return std::move(entity.service);
        if (const auto known = pod_of_.find(entity.service); known != pod_of_.end())
            return known->second;
        const bool of_host = signal != nullptr && (signal->entity == EntityKind::host ||
                                                   signal->entity == EntityKind::gpu);
        if (of_host) {
            const auto only = only_engine_on_.find(entity.service);
            return only == only_engine_on_.end() ? entity.service : only->second;
        }
        // Several engines behind the ports of one address.
        std::string instance = label_of(labels, "instance");
        if (several_ports_.contains(entity.service) && without_port(instance) == entity.service)
            return instance;
        return std::move(entity.service);
    }

private:
    static bool is_engine(const Signal* signal) {
        return signal != nullptr && signal->quantity.starts_with("engine.") &&
               signal->entity == EntityKind::engine;
    }
    /// The host label of GPU and node exporters is the host; elsewhere it may be the scraper's.
    static bool says_where(const Signal* signal) {
        return signal != nullptr &&
               (signal->entity == EntityKind::pod || signal->entity == EntityKind::container ||
                signal->entity == EntityKind::gpu);
    }

    std::map<std::string, std::string> pod_of_;   // address -> pod
    std::map<std::string, std::string> host_of_;  // pod -> host
    std::set<std::string> engine_pods_;
    std::set<std::string> engine_instances_;
    std::map<std::string, std::map<std::pair<std::string, Labels>, std::string>> instance_of_;
    std::set<std::string> several_ports_;
    std::map<std::string, std::string> only_engine_on_;  // host -> pod
};

}  // namespace

Result<Frame> name_components(const Frame& frame) {
    if (frame.num_columns() == 0) return frame;
    const Catalogue& catalogue = Catalogue::builtin();
    const MetricNames metrics;
    std::vector<Column> columns(frame.columns().begin(), frame.columns().end());
    std::vector<std::optional<Labelled>> labelled(columns.size());
    std::vector<std::string_view> heads(columns.size());  // to be split; empty: labels say it all
    Placements placements;
    bool any_labels = false;
    for (std::size_t c = 0; c < columns.size(); ++c) {
        heads[c] = columns[c].name;
        labelled[c] = read_labelled(columns[c].name);
        if (!labelled[c]) continue;
        any_labels = true;
        labelled[c]->labels = catalogue.canonical_labels(labelled[c]->labels);
        heads[c] = labelled[c]->metric;
        if (!names_a_thing(labelled[c]->labels)) continue;
        placements.learn(metrics.find(heads[c]), labelled[c]->metric, labelled[c]->labels);
        heads[c] = {};
    }
    std::vector<std::string_view> to_split;
    for (const std::string_view head : heads)
        if (!head.empty()) to_split.push_back(head);
    const Splitter splitter(to_split);
    if (!any_labels && splitter.keeps_convention()) return frame;
    placements.finish();
    for (std::size_t c = 0; c < columns.size(); ++c) {
        Column& column = columns[c];
        if (labelled[c]) column.labels = labelled[c]->labels;
        if (heads[c].empty()) {
            const Signal* signal = metrics.find(labelled[c]->metric);
            column.metric = labelled[c]->metric;
            column.service = placements.component(signal, column.labels,
                                                  catalogue.entity_of(signal, column.labels));
            continue;
        }
        const std::string head(heads[c]);
        const std::size_t at = splitter.split(head);
        column.service = head.substr(0, at);
        column.metric = at == std::string::npos ? std::string() : head.substr(at + 1);
    }
    std::vector<TimePoint> times(frame.times().begin(), frame.times().end());
    // The values stay where they are: the old frame lives on in the pointer's deleter.
    const Frame::Values values(frame.matrix().data(), [keep = frame](const double*) {});
    return Frame::make(std::move(times), std::move(columns), values);
}

}  // namespace culprit
