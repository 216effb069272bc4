#include "culprit/catalogue/catalogue.h"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <optional>
#include <utility>

#include "culprit/base/check.h"
#include "culprit/catalogue/csv_rows.h"
#include "culprit/catalogue/embedded_tables.h"

namespace culprit {
namespace {

constexpr std::array<std::string_view, 5> layer_names = {"infrastructure", "platform", "toolkit",
                                                         "framework", "model"};
constexpr std::array<std::string_view, 4> modality_names = {"metric", "log", "span", "derived"};
constexpr std::array<std::string_view, 9> type_names = {
    "gauge", "counter", "histogram", "untyped", "info", "window_count", "log", "span", "derived"};
constexpr std::array<std::string_view, 4> bad_names = {"up", "down", "both", "none"};
constexpr std::array<std::string_view, 13> entity_names = {
    "unknown", "cluster", "host",  "gpu",    "pod",     "container", "deployment",
    "replica", "engine",  "proxy", "router", "service", "link"};

template <class Enum, std::size_t size>
Result<Enum> parse_enum(const std::array<std::string_view, size>& names, std::string_view text,
                        std::string_view column, std::size_t line) {
    for (std::size_t i = 0; i < size; ++i)
        if (names[i] == text) return static_cast<Enum>(i);
    return fail(ErrorCode::malformed_data,
                fmt::format("line {}: column \"{}\" knows no \"{}\"", line, column, text));
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> words;
    while (!text.empty()) {
        const auto end = std::min(text.find(separator), text.size());
        if (end > 0) words.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return words;
}

enum Column : std::size_t {
    column_signal,
    column_where,
    column_aliases,
    column_quantity,
    column_layer,
    column_component,
    column_modality,
    column_type,
    column_unit,
    column_bad,
    column_entity,
    column_faults,
    column_default,
    column_enable,
    num_columns,
};

Result<Signal> parse_signal(const std::vector<std::string>& row, std::size_t line) {
    Signal signal;
    signal.name = row[column_signal];
    for (const std::string& condition : split(row[column_where], ';')) {
        const auto equals = condition.find('=');
        if (equals == std::string::npos)
            return fail(
                ErrorCode::malformed_data,
                fmt::format("line {}: expected label=value, found \"{}\"", line, condition));
        signal.where[condition.substr(0, equals)] = condition.substr(equals + 1);
    }
    signal.aliases = split(row[column_aliases], ' ');
    signal.quantity = row[column_quantity];
    signal.component = row[column_component];
    signal.unit = row[column_unit];
    signal.faults = split(row[column_faults], ' ');
    signal.by_default = row[column_default] != "no";
    signal.enable = row[column_enable];
    CULPRIT_TRY(signal.layer, parse_enum<Layer>(layer_names, row[column_layer], "layer", line));
    CULPRIT_TRY(signal.modality,
                parse_enum<Modality>(modality_names, row[column_modality], "modality", line));
    CULPRIT_TRY(signal.type, parse_enum<SignalType>(type_names, row[column_type], "type", line));
    CULPRIT_TRY(signal.bad, parse_enum<BadDirection>(bad_names, row[column_bad], "bad", line));
    CULPRIT_TRY(signal.entity,
                parse_enum<EntityKind>(entity_names, row[column_entity], "entity", line));
    return signal;
}

std::string_view without_port(std::string_view instance) {
    const auto colon = instance.rfind(':');
    return colon == std::string_view::npos ? instance : instance.substr(0, colon);
}

/// A dotted name of OpenTelemetry as its exporters to Prometheus write it: "_" for ".", and perhaps
/// the unit at the end.
std::vector<std::string> translations_of(std::string_view name) {
    std::vector<std::string> names;
    if (name.find('.') == std::string_view::npos) return names;
    std::string plain(name);
    for (char& c : plain)
        if (c == '.') c = '_';
    for (const char* unit : {"", "_seconds", "_bytes", "_ratio", "_milliseconds"})
        names.push_back(plain + unit);
    return names;
}

// The first of `wanted` that the labels have and that is not empty.
std::string_view first_of(const Labels& labels, std::initializer_list<std::string_view> wanted) {
    for (const std::string_view label : wanted) {
        const auto found = labels.find(std::string(label));
        if (found != labels.end() && !found->second.empty()) return found->second;
    }
    return {};
}

}  // namespace

std::string_view to_string(Layer layer) { return layer_names[static_cast<std::size_t>(layer)]; }
std::string_view to_string(Modality modality) {
    return modality_names[static_cast<std::size_t>(modality)];
}
std::string_view to_string(SignalType type) { return type_names[static_cast<std::size_t>(type)]; }
std::string_view to_string(EntityKind kind) { return entity_names[static_cast<std::size_t>(kind)]; }

std::string normalise_series_name(std::string_view name) {
    for (const auto& [prefix, canonical] :
         {std::pair<std::string_view, std::string_view>{"ray_vllm:", "vllm:"},
          {"ray_vllm_", "vllm:"},
          {"vllm_", "vllm:"},
          {"ray_sglang:", "sglang:"},
          {"ray_sglang_", "sglang:"},
          {"sglang_", "sglang:"},
          {"llamacpp_", "llamacpp:"}})
        if (name.starts_with(prefix))
            return std::string(canonical) + std::string(name.substr(prefix.size()));
    return std::string(name);
}

std::string normalise_pci_address(std::string_view address) {
    std::string text;
    for (const char c : address)
        text.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
    if (text.starts_with("pci:")) text.erase(0, 4);
    if (text.find(':') == text.rfind(':')) text.insert(0, "0000:");
    if (text.find('.') == std::string::npos) text += ".0";
    const auto colon = text.find(':');
    if (colon < 8) text.insert(0, 8 - colon, '0');
    return text;
}

Result<Catalogue> Catalogue::parse(std::string_view signals_csv, std::string_view labels_csv,
                                   std::string_view components_csv) {
    Catalogue catalogue;
    CULPRIT_TRY(const auto rows, parse_csv_rows(signals_csv));
    if (rows.empty() || rows[0].size() != num_columns)
        return fail(ErrorCode::malformed_data, fmt::format("signals: expected {} columns, found {}",
                                                           static_cast<std::size_t>(num_columns),
                                                           rows.empty() ? 0 : rows[0].size()));
    for (std::size_t r = 1; r < rows.size(); ++r) {
        CULPRIT_TRY(auto signal, parse_signal(rows[r], r + 1));
        const std::size_t index = catalogue.signals_.size();
        std::vector<std::string> names = signal.aliases;
        names.insert(names.begin(), signal.name);
        for (const std::string& name : names) {
            const auto [entry, is_new] = catalogue.by_name_.try_emplace(name, index);
            for (const std::string& translated : translations_of(name))
                catalogue.by_name_.try_emplace(translated, index);
            if (is_new) continue;
            const Signal& other = catalogue.signals_[entry->second];
            if (other.where == signal.where)
                return fail(
                    ErrorCode::malformed_data,
                    fmt::format("line {}: \"{}\" also names \"{}\"", r + 1, name, other.name));
            if (signal.where.empty()) entry->second = index;
        }
        catalogue.signals_.push_back(std::move(signal));
    }
    CULPRIT_TRY(const auto labels, parse_csv_rows(labels_csv));
    for (std::size_t r = 1; r < labels.size(); ++r) {
        if (labels[r].size() != 2)
            return fail(ErrorCode::malformed_data,
                        fmt::format("labels: line {}: expected label,aliases", r + 1));
        std::size_t rank = 0;
        for (const std::string& alias : split(labels[r][1], ' '))
            catalogue.by_label_.try_emplace(alias, labels[r][0], rank++);
    }
    CULPRIT_TRY(const auto components, parse_csv_rows(components_csv));
    for (std::size_t r = 1; r < components.size(); ++r) {
        const auto& row = components[r];
        if (row.size() != 6)
            return fail(ErrorCode::malformed_data,
                        fmt::format("components: line {}: expected 6 columns", r + 1));
        Component component{.name = row[0], .expected = row[1], .title = row[4], .enable = row[5]};
        component.effort = row[2].size() == 1 ? row[2][0] - '0' : 1;
        CULPRIT_TRY(component.layer, parse_enum<Layer>(layer_names, row[3], "layer", r + 1));
        catalogue.components_.push_back(std::move(component));
    }
    return catalogue;
}

const Component* Catalogue::find_component(std::string_view name) const {
    for (const Component& component : components_)
        if (component.name == name) return &component;
    return nullptr;
}

const Catalogue& Catalogue::builtin() {
    static const Catalogue catalogue = [] {
        auto parsed =
            parse(embedded_signals_csv(), embedded_labels_csv(), embedded_components_csv());
        CULPRIT_CHECK(parsed.has_value());
        return std::move(*parsed);
    }();
    return catalogue;
}

const Signal* Catalogue::find(std::string_view name) const {
    const auto found = by_name_.find(std::string(name));
    return found == by_name_.end() ? nullptr : &signals_[found->second];
}

SeriesMatch Catalogue::match(std::string_view series_name) const {
    std::string name = normalise_series_name(series_name);
    if (const Signal* signal = find(name)) return {signal, {}};
    // A counter's exposition may add or lack _total.
    if (const Signal* signal = find(name + "_total");
        signal != nullptr && signal->type == SignalType::counter)
        return {signal, {}};
    if (name.ends_with("_total"))
        if (const Signal* signal = find(name.substr(0, name.size() - 6))) return {signal, {}};
    for (const std::string_view part : {"bucket", "sum", "count"}) {
        if (name.size() <= part.size() + 1 || !name.ends_with(part)) continue;
        if (name[name.size() - part.size() - 1] != '_') continue;
        const Signal* signal = find(name.substr(0, name.size() - part.size() - 1));
        if (signal != nullptr && signal->type == SignalType::histogram) return {signal, part};
    }
    return {};
}

std::vector<std::string> Catalogue::stored_names(const Signal& signal) const {
    std::vector<std::string> names;
    const auto add = [&names](const std::string& name) {
        names.push_back(name);
        for (const std::string_view engine : {"vllm", "sglang"})
            if (name.starts_with(std::string(engine) + ":")) {
                const std::string rest = name.substr(engine.size() + 1);
                names.push_back(fmt::format("ray_{}:{}", engine, rest));
                names.push_back(fmt::format("ray_{}_{}", engine, rest));
                names.push_back(fmt::format("{}_{}", engine, rest));
            }
    };
    add(signal.name);
    for (const std::string& alias : signal.aliases) add(alias);
    return names;
}

std::string_view Catalogue::canonical_label(std::string_view label) const {
    const auto found = by_label_.find(std::string(label));
    return found == by_label_.end() ? label : std::string_view(found->second.first);
}

Labels Catalogue::canonical_labels(const Labels& labels) const {
    Labels canonical;
    std::map<std::string, std::size_t> rank_of;
    for (const auto& [label, value] : labels) {
        const auto found = by_label_.find(label);
        const std::string& name = found == by_label_.end() ? label : found->second.first;
        const std::size_t rank = found == by_label_.end() ? 0 : found->second.second;
        const auto [entry, is_new] = rank_of.try_emplace(name, rank);
        if (!is_new && entry->second <= rank) continue;
        entry->second = rank;
        canonical[name] = value;
    }
    return canonical;
}

Entity Catalogue::entity_of(const Signal* signal, const Labels& labels) const {
    const Labels known = canonical_labels(labels);
    Entity entity;
    entity.kind = signal == nullptr ? EntityKind::unknown : signal->entity;
    const auto pod = first_of(known, {"pod"});
    const auto instance = without_port(first_of(known, {"instance"}));
    std::string host(first_of(known, {"host"}));
    if (host.empty()) host = instance;
    const auto or_else = [](std::string_view first, std::string_view second) {
        return std::string(first.empty() ? second : first);
    };
    switch (entity.kind) {
        case EntityKind::link: {
            const auto from = first_of(known, {"source"});
            const auto to = first_of(known, {"destination", "server", "model", "service"});
            entity.name = from.empty() ? std::string(to) : fmt::format("{}>{}", from, to);
            entity.service = or_else(to, or_else(pod, instance));
            break;
        }
        case EntityKind::host:
            entity.name = host;
            entity.service = host;
            // Node-level series that an agent in a pod exports (Ray) belong to that pod.
            if (signal->component != "node-exporter" && !pod.empty()) entity.service = pod;
            break;
        case EntityKind::gpu:
            entity.name = or_else(first_of(known, {"gpu_uuid", "pci_bus_id"}),
                                  fmt::format("{}/gpu{}", host, first_of(known, {"gpu_index"})));
            entity.service = or_else(pod, host);
            break;
        case EntityKind::deployment:
            entity.service = or_else(first_of(known, {"deployment", "service", "application"}),
                                     or_else(pod, instance));
            entity.name = entity.service;
            break;
        case EntityKind::router:
        case EntityKind::engine:
        case EntityKind::replica:
        case EntityKind::proxy:
            entity.service = or_else(pod, first_of(known, {"replica", "service"}));
            if (entity.service.empty()) entity.service = or_else(instance, host);
            if (entity.service.empty()) entity.service = first_of(known, {"model", "job"});
            entity.name = entity.service;
            if (const auto engine = first_of(known, {"engine"}); !engine.empty() && engine != "0")
                entity.name += fmt::format("/engine{}", engine);
            break;
        default:
            entity.service = or_else(pod, first_of(known, {"service", "deployment"}));
            // Containers without Kubernetes are told apart by their own names.
            if (pod.empty() && entity.kind == EntityKind::container)
                entity.service = or_else(first_of(known, {"container", "name"}), entity.service);
            if (entity.service.empty()) entity.service = or_else(host, first_of(known, {"job"}));
            entity.name = entity.service;
            if (entity.kind == EntityKind::container)
                if (const auto container = first_of(known, {"container"}); !container.empty())
                    entity.name = fmt::format("{}/{}", entity.service, container);
    }
    return entity;
}

}  // namespace culprit
