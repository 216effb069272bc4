#include "culprit/telemetry/metric_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace culprit {
namespace {

// A regular expression of more alternatives gets slow on the server.
constexpr std::size_t alternatives_max = 200;

std::string without_suffix(const std::string& name, std::string_view suffix) {
    return name.substr(0, name.size() - suffix.size());
}

const MetricMetadata* metadata_of(const std::map<std::string, MetricMetadata>& metadata,
                                  const std::string& name) {
    auto found = metadata.find(name);
    if (found == metadata.end() && name.ends_with("_total"))
        found = metadata.find(without_suffix(name, "_total"));
    return found == metadata.end() ? nullptr : &found->second;
}

SignalType type_by_suffix(const std::string& name) {
    for (const std::string_view suffix : {"_total", "_sum", "_count", "_bucket"})
        if (name.ends_with(suffix)) return SignalType::counter;
    if (name.ends_with("_info")) return SignalType::info;
    return SignalType::gauge;
}

SignalType decide_type(const std::string& name, const Signal* signal,
                       const MetricMetadata* metadata) {
    if (signal != nullptr &&
        (signal->type == SignalType::info || signal->type == SignalType::window_count))
        return signal->type;
    if (metadata != nullptr) {
        if (metadata->type == "counter") return SignalType::counter;
        if (metadata->type == "info") return SignalType::info;
        if (metadata->type == "gauge")
            return name.ends_with("_info") ? SignalType::info : SignalType::gauge;
    }
    if (signal != nullptr) return signal->type;
    return type_by_suffix(name);
}

// The base of a histogram's part, or "".
std::string histogram_base(const std::string& name, const std::set<std::string>& names,
                           const std::map<std::string, MetricMetadata>& metadata,
                           const Catalogue& catalogue) {
    for (const std::string_view suffix : {"_bucket", "_sum", "_count"}) {
        if (!name.ends_with(suffix)) continue;
        const std::string base = without_suffix(name, suffix);
        if (!names.contains(base + "_bucket")) return {};
        const auto* entry = metadata_of(metadata, base);
        if (entry != nullptr && !entry->type.empty() && entry->type != "unknown")
            return entry->type == "histogram" ? base : std::string{};
        const SeriesMatch match = catalogue.match(name);
        if (match.signal != nullptr)
            return match.signal->type == SignalType::histogram ? base : std::string{};
        return names.contains(base + "_count") ? base : std::string{};
    }
    return {};
}

// What PromQL takes without quotes; since Prometheus 3 a name may be any text.
bool is_plain_name(std::string_view name) {
    const auto is_letter = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
    };
    return !name.empty() && is_letter(name.front()) && std::ranges::all_of(name, [&](char c) {
        return is_letter(c) || (c >= '0' && c <= '9');
    });
}

std::string regex_alternative(const std::string& value) {
    std::string out;
    for (const char c : value) {
        if (std::string_view("\\.+*?()|[]{}^$").find(c) != std::string_view::npos) out += '\\';
        out += c;
    }
    return out;
}

std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        if (c == '\n')
            out += "\\n";
        else
            out += c;
    }
    return out + "\"";
}

class Partition {
public:
    Partition(std::size_t per_request, std::string keep_together)
        : per_request_(per_request), keep_together_(std::move(keep_together)) {}

    void split(const std::vector<const Labels*>& series, const std::string& matchers) {
        const std::string label = series.size() <= per_request_ ? "" : label_that_splits(series);
        if (label.empty()) {
            parts_.push_back(matchers);
            return;
        }
        std::map<std::string, std::vector<const Labels*>> by_value;
        for (const Labels* labels : series) {
            const auto found = labels->find(label);
            by_value[found == labels->end() ? "" : found->second].push_back(labels);
        }
        std::vector<const Labels*> batch;
        std::vector<std::string> values;
        const auto flush = [&] {
            if (values.empty()) return;
            std::string alternatives;
            for (const std::string& value : values)
                alternatives += (alternatives.empty() ? "" : "|") + regex_alternative(value);
            const std::string matcher = label + "=~" + quoted(alternatives);
            parts_.push_back(matchers.empty() ? matcher : matchers + "," + matcher);
            batch.clear();
            values.clear();
        };
        for (const auto& [value, members] : by_value) {
            if (members.size() > per_request_ || value.empty()) {
                const std::string separator = matchers.empty() ? "" : ",";
                split(members, fmt::format("{}{}{}={}", matchers, separator, label, quoted(value)));
                continue;
            }
            if (batch.size() + members.size() > per_request_ || values.size() >= alternatives_max)
                flush();
            batch.insert(batch.end(), members.begin(), members.end());
            values.push_back(value);
        }
        flush();
    }
    std::vector<std::string> take() { return std::move(parts_); }

private:
    // The label with the most values; "" when the series differ in none.
    std::string label_that_splits(const std::vector<const Labels*>& series) const {
        std::map<std::string, std::set<std::string_view>> values_of;
        for (const Labels* labels : series)
            for (const auto& [label, value] : *labels)
                if (label != keep_together_ && label != "__name__" && is_plain_name(label))
                    values_of[label].insert(value);
        std::string best;
        std::size_t most = 1;
        for (const auto& [label, values] : values_of)
            if (values.size() > most) {
                most = values.size();
                best = label;
            }
        return best;
    }

    std::size_t per_request_;
    std::string keep_together_;
    std::vector<std::string> parts_;
};

}  // namespace

std::vector<MetricPlan> plan_metrics(const std::vector<std::string>& names,
                                     const std::map<std::string, MetricMetadata>& metadata,
                                     const Catalogue& catalogue) {
    const std::set<std::string> all(names.begin(), names.end());
    std::map<std::pair<bool, std::string>, MetricPlan> plans;
    for (const std::string& name : all) {
        MetricPlan plan;
        plan.stored_name = histogram_base(name, all, metadata, catalogue);
        const bool is_histogram = !plan.stored_name.empty();
        if (!is_histogram) plan.stored_name = name;
        plan.signal = catalogue.match(plan.stored_name).signal;
        if (plan.signal != nullptr && plan.signal->modality != Modality::metric)
            plan.signal = nullptr;
        const auto* entry = metadata_of(metadata, plan.stored_name);
        plan.type = is_histogram ? SignalType::histogram
                                 : decide_type(plan.stored_name, plan.signal, entry);
        // A catalogued histogram that arrives without buckets is what its parts say.
        if (!is_histogram && plan.type == SignalType::histogram) plan.type = type_by_suffix(name);
        plan.canonical_name =
            plan.signal != nullptr ? plan.signal->name : normalise_series_name(plan.stored_name);
        plan.unit = plan.signal != nullptr ? plan.signal->unit
                    : entry != nullptr     ? entry->unit
                                           : "";
        std::pair<bool, std::string> key{plan.signal == nullptr, plan.stored_name};
        plans.try_emplace(std::move(key), std::move(plan));
    }
    std::vector<MetricPlan> ordered;
    ordered.reserve(plans.size());
    for (auto& [key, plan] : plans) ordered.push_back(std::move(plan));
    return ordered;
}

std::vector<std::string> partition_matchers(const std::vector<Labels>& series,
                                            std::size_t series_per_request,
                                            const std::string& keep_together) {
    std::vector<const Labels*> pointers;
    pointers.reserve(series.size());
    for (const Labels& labels : series) pointers.push_back(&labels);
    Partition partition(std::max<std::size_t>(series_per_request, 1), keep_together);
    partition.split(pointers, "");
    return partition.take();
}

std::string metric_selector(const std::string& name, std::string_view matchers) {
    if (!is_plain_name(name))
        return fmt::format("{{__name__={}{}{}}}", quoted(name), matchers.empty() ? "" : ",",
                           matchers);
    return matchers.empty() ? name : fmt::format("{}{{{}}}", name, matchers);
}

LiveColumn describe_live_column(const MetricPlan& plan, const Catalogue& catalogue,
                                const Labels& labels, std::string_view part) {
    const Entity entity = catalogue.entity_of(plan.signal, labels);
    LiveColumn column;
    column.service = entity.service;
    column.metric = plan.canonical_name;
    if (!part.empty()) column.metric += ":" + std::string(part);
    column.labels = catalogue.canonical_labels(labels);
    column.labels["signal"] = plan.canonical_name;
    column.labels["entity"] = entity.name;
    column.labels["entity_kind"] = to_string(entity.kind);
    if (plan.signal != nullptr && !plan.signal->quantity.empty())
        column.labels["quantity"] = plan.signal->quantity;
    column.unit = plan.unit;
    if (part == "rate")
        column.unit = "/s";
    else if (plan.type == SignalType::counter)
        column.unit += "/s";
    return column;
}

}  // namespace culprit
