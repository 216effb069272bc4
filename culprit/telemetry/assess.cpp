#include "culprit/telemetry/assess.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>
#include <set>

namespace culprit {
namespace {

constexpr int weight_usual = 2;
constexpr int weight_almost_always = 3;
constexpr std::size_t additions_max = 10;

// What a derived signal is computed from; every one must be there.
const std::map<std::string, std::vector<std::string>>& inputs_of_derived() {
    static const std::map<std::string, std::vector<std::string>> inputs = {
        {"derived:frontend_residual_seconds",
         {"vllm:time_to_first_token_seconds", "vllm:request_queue_time_seconds",
          "vllm:request_prefill_time_seconds"}},
        {"derived:path_residual_seconds",
         {"ray_serve_http_request_latency_ms", "vllm:e2e_request_latency_seconds"}},
        {"derived:client_residual_seconds",
         {"gen_ai.client.operation.time_to_first_chunk", "vllm:time_to_first_token_seconds"}},
        {"derived:kv_full", {"vllm:kv_cache_usage_perc"}},
        {"derived:kv_per_request", {"vllm:kv_cache_usage_perc", "vllm:num_requests_running"}},
        {"derived:stalled",
         {"vllm:generation_tokens_total", "vllm:num_requests_running",
          "vllm:num_requests_waiting"}},
        {"derived:repeated_starts", {"kube_pod_container_status_restarts_total"}},
        {"derived:queue_share",
         {"vllm:request_queue_time_seconds", "vllm:e2e_request_latency_seconds"}},
        {"derived:step_slowdown",
         {"vllm:inter_token_latency_seconds", "vllm:iteration_tokens_total"}},
        {"derived:tokens_per_dram_active",
         {"vllm:generation_tokens_total", "DCGM_FI_PROF_DRAM_ACTIVE"}},
        {"derived:tokens_per_joule", {"vllm:generation_tokens_total", "DCGM_FI_DEV_POWER_USAGE"}},
        {"derived:power_headroom_watts",
         {"DCGM_FI_DEV_ENFORCED_POWER_LIMIT", "DCGM_FI_DEV_POWER_USAGE"}},
        {"derived:thermal_headroom_celsius", {"DCGM_FI_DEV_SLOWDOWN_TEMP", "DCGM_FI_DEV_GPU_TEMP"}},
        {"derived:starvation", {"DCGM_FI_DEV_GPU_UTIL", "vllm:num_requests_running"}},
        {"derived:spin",
         {"DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_PROF_DRAM_ACTIVE", "vllm:generation_tokens_total"}},
        {"derived:lost_requests_per_second",
         {"http_requests_total", "vllm:request_success_total", "vllm:num_requests_running",
          "vllm:num_requests_waiting"}},
        {"derived:replica_skew", {"vllm:inter_token_latency_seconds"}},
        {"derived:clock_spread_mhz", {"DCGM_FI_DEV_SM_CLOCK"}},
        {"derived:prefix_hit_ratio",
         {"vllm:prefix_cache_hits_total", "vllm:prefix_cache_queries_total"}},
        {"derived:retransmit_share",
         {"node_netstat_Tcp_RetransSegs", "node_network_transmit_packets_total"}},
        {"derived:prefill_miss_share",
         {"vllm:request_prefill_kv_computed_tokens", "vllm:prompt_tokens_total"}},
        {"derived:configuration_change", {"vllm:cache_config_info"}},
    };
    return inputs;
}

using Visible = std::set<std::string>;  // canonical signal names

void add_derived(Visible& visible) {
    for (const auto& [name, inputs] : inputs_of_derived())
        if (std::ranges::all_of(inputs,
                                [&](const std::string& input) { return visible.contains(input); }))
            visible.insert(name);
}

// What faults do to signals: every name resolved to catalogue signals, and for every pair the
// effects that would tell it apart, found once.
class FaultEffects {
public:
    FaultEffects(const Catalogue& catalogue, const FaultLibrary& faults) : faults_(faults) {
        std::map<std::string, std::vector<std::string>> by_quantity;
        for (const Signal& signal : catalogue.signals())
            if (!signal.quantity.empty()) by_quantity[signal.quantity].push_back(signal.name);
        for (std::size_t f = 0; f < size(); ++f) {
            begin_.push_back(effects_.size());
            for (const ExpectedSignal& expected : fault(f).signals) {
                const auto found = by_quantity.find(expected.signal);
                effects_.push_back({found != by_quantity.end()
                                        ? found->second
                                        : std::vector<std::string>{expected.signal},
                                    expected.signal, expected.direction, expected.weight});
            }
        }
        begin_.push_back(effects_.size());
        telling_.resize(size() * size());
        for (std::size_t f = 0; f < size(); ++f)
            for (std::size_t g = f + 1; g < size(); ++g) {
                find_telling(f, g, telling_[f * size() + g]);
                find_telling(g, f, telling_[f * size() + g]);
            }
    }

    std::size_t size() const { return faults_.signatures().size(); }
    const FaultSignature& fault(std::size_t f) const { return faults_.signatures()[f]; }

    // How many signatures name this signal.
    std::uint64_t num_naming(const std::string& signal) const {
        std::uint64_t count = 0;
        for (std::size_t f = 0; f < size(); ++f)
            count += std::any_of(begin_of(f), begin_of(f + 1), [&](const Effect& effect) {
                return std::ranges::find(effect.names, signal) != effect.names.end();
            });
        return count;
    }
    // Of every effect: whether it would be seen.
    std::vector<bool> seen_with(const Visible& visible) const {
        std::vector<bool> seen(effects_.size());
        for (std::size_t e = 0; e < effects_.size(); ++e)
            seen[e] = std::ranges::any_of(
                effects_[e].names, [&](const std::string& name) { return visible.contains(name); });
        return seen;
    }
    bool leaves_trace(std::size_t f, const std::vector<bool>& seen, bool has_logs) const {
        if (has_logs && !fault(f).logs.empty()) return true;
        for (std::size_t e = begin_[f]; e < begin_[f + 1]; ++e)
            if (seen[e] && effects_[e].direction != Direction::flat &&
                effects_[e].weight >= weight_usual)
                return true;
        return false;
    }
    bool signals_tell(std::size_t f, std::size_t g, const std::vector<bool>& seen) const {
        return std::ranges::any_of(telling_[f * size() + g],
                                   [&](std::size_t effect) { return seen[effect]; });
    }
    bool lines_tell(std::size_t f, std::size_t g) const {
        return has_own_line(f, g) || has_own_line(g, f);
    }
    bool changes_tell(std::size_t f, std::size_t g) const {
        return fault(f).changes.empty() != fault(g).changes.empty();
    }
    bool scopes_tell(std::size_t f, std::size_t g) const {
        return (fault(f).scope == FaultScope::all) != (fault(g).scope == FaultScope::all);
    }

private:
    struct Effect {
        std::vector<std::string> names;
        std::string key;  // as the signature spells it
        Direction direction;
        int weight;
    };
    using Position = std::vector<Effect>::const_iterator;
    Position begin_of(std::size_t f) const {
        return effects_.begin() + static_cast<std::ptrdiff_t>(begin_[f]);
    }
    bool has_own_line(std::size_t f, std::size_t g) const {
        return std::ranges::any_of(fault(f).logs, [&](const LogPattern& pattern) {
            return pattern.weight >= weight_almost_always &&
                   std::ranges::none_of(fault(g).logs, [&](const LogPattern& other) {
                       return other.pattern == pattern.pattern;
                   });
        });
    }
    void find_telling(std::size_t f, std::size_t g, std::vector<std::size_t>& out) const {
        for (std::size_t e = begin_[f]; e < begin_[f + 1]; ++e) {
            const Effect& effect = effects_[e];
            const auto other = std::find_if(begin_of(g), begin_of(g + 1),
                                            [&](const Effect& it) { return it.key == effect.key; });
            const bool tells =
                other != begin_of(g + 1)
                    ? other->direction != effect.direction &&
                          std::max(other->weight, effect.weight) >= weight_usual
                    : effect.direction != Direction::flat && effect.weight >= weight_almost_always;
            if (tells) out.push_back(e);
        }
    }

    const FaultLibrary& faults_;
    std::vector<Effect> effects_;
    std::vector<std::size_t> begin_;  // of each fault's effects, and the end
    std::vector<std::vector<std::size_t>> telling_;
};

struct Sight {
    Visible visible;
    bool has_logs = false;
    bool has_changes = false;
    bool has_replicas = false;
};

struct Reach {
    std::vector<bool> leaves_trace;
    std::vector<bool> apart;  // [f * n + g], f < g
    std::uint64_t num_visible = 0;
    std::uint64_t num_apart = 0;
};

Reach reach_of(const FaultEffects& effects, const Sight& sight) {
    const std::size_t n = effects.size();
    const std::vector<bool> seen = effects.seen_with(sight.visible);
    Reach reach{std::vector<bool>(n), std::vector<bool>(n * n)};
    for (std::size_t f = 0; f < n; ++f) {
        reach.leaves_trace[f] = effects.leaves_trace(f, seen, sight.has_logs);
        if (reach.leaves_trace[f]) ++reach.num_visible;
    }
    // Two faults that leave no trace are not told apart, whatever else differs.
    for (std::size_t f = 0; f < n; ++f)
        for (std::size_t g = f + 1; g < n; ++g) {
            if (!reach.leaves_trace[f] && !reach.leaves_trace[g]) continue;
            const bool apart = effects.signals_tell(f, g, seen) ||
                               (sight.has_logs && effects.lines_tell(f, g)) ||
                               (sight.has_changes && effects.changes_tell(f, g)) ||
                               (sight.has_replicas && effects.scopes_tell(f, g));
            reach.apart[f * n + g] = apart;
            reach.num_apart += apart ? 1 : 0;
        }
    return reach;
}

// Something that could be switched on, and what it would show.
struct Candidate {
    std::string what;
    std::string how;
    int effort = 1;
    std::vector<std::string> signals;
    bool gives_logs = false;
    std::string component;
    std::string how_once_there;  // of a field of a component that is missing as a whole
};

bool is_engine(const std::string& component) {
    return component == "vllm" || component == "sglang" || component == "tgi" ||
           component == "triton" || component == "llama.cpp";
}

// Components whose signals are expected here.
std::set<std::string> expected_components(const Inventory& inventory, const Catalogue& catalogue) {
    std::set<std::string> seen;
    for (const auto& [name, signal] : inventory.signals)
        if (const Signal* known = catalogue.find(name)) seen.insert(known->component);
    const bool has_engine = std::ranges::any_of(seen, is_engine);
    std::set<std::string> expected;
    for (const Component& component : catalogue.components()) {
        const bool wanted = component.expected == "always" || seen.contains(component.name) ||
                            (component.expected == "kubernetes" && inventory.has_kubernetes) ||
                            (component.expected == "engine" && !has_engine);
        if (wanted && component.expected != "derived") expected.insert(component.name);
    }
    return expected;
}

Visibility visibility_of(const Inventory& inventory, const std::string& name) {
    const auto found = inventory.signals.find(name);
    return found == inventory.signals.end() ? Visibility::absent : found->second.visibility;
}

std::string label_of(const Signal& signal) {
    std::string label = signal.name;
    for (const auto& [key, value] : signal.where) label += fmt::format("{{{}={}}}", key, value);
    return label;
}

void audit(const Inventory& inventory, const Catalogue& catalogue, const FaultEffects& effects,
           Assessment& out) {
    const auto expected = expected_components(inventory, catalogue);
    for (const Signal& signal : catalogue.signals()) {
        if (signal.modality == Modality::derived || !expected.contains(signal.component)) continue;
        AuditCell& cell = out.cells[static_cast<std::size_t>(signal.layer)]
                                   [static_cast<std::size_t>(signal.modality)];
        const double points = 1.0 + static_cast<double>(effects.num_naming(signal.name));
        cell.points_max += points;
        const Visibility visibility = visibility_of(inventory, signal.name);
        if (visibility == Visibility::present) {
            cell.points += points;
            cell.present.push_back(label_of(signal));
        } else if (visibility == Visibility::impaired) {
            cell.points += points / 2;
            std::string why;
            for (const std::string& defect : inventory.signals.at(signal.name).defects)
                why += (why.empty() ? "" : "; ") + defect;
            cell.impaired.push_back(fmt::format("{} ({})", label_of(signal), why));
        } else {
            cell.absent.push_back(label_of(signal));
        }
    }
    double sum = 0;
    int count = 0;
    for (std::size_t layer = 0; layer < out.cells.size(); ++layer) {
        double points = 0;
        double points_max = 0;
        for (const AuditCell& cell : out.cells[layer]) {
            points += cell.points;
            points_max += cell.points_max;
        }
        out.layer_score[layer] = points_max > 0 ? points / points_max : -1.0;
        if (points_max <= 0) continue;
        sum += out.layer_score[layer];
        ++count;
    }
    out.score = count > 0 ? sum / count : 0.0;
}

Sight with(const Sight& sight, const Candidate& candidate) {
    Sight more = sight;
    more.visible.insert(candidate.signals.begin(), candidate.signals.end());
    more.has_logs = more.has_logs || candidate.gives_logs;
    add_derived(more.visible);
    return more;
}

// What a component that runs should give without being asked, does not, and would tell more.
std::optional<Candidate> left_out_of(const Component& component, const Inventory& inventory,
                                     const Catalogue& catalogue, const FaultEffects& effects,
                                     const Sight& sight, const Reach& reach) {
    constexpr std::size_t names_max = 6;
    Candidate candidate{.what = component.title + ", what it leaves out", .effort = 1};
    std::vector<std::pair<std::uint64_t, std::string>> gains;
    std::set<std::string> ways;
    for (const Signal& signal : catalogue.signals()) {
        if (signal.component != component.name || signal.modality != Modality::metric ||
            !signal.by_default || effects.num_naming(signal.name) == 0 ||
            visibility_of(inventory, signal.name) != Visibility::absent)
            continue;
        const Reach after = reach_of(effects, with(sight, Candidate{.signals = {signal.name}}));
        const std::uint64_t gain =
            after.num_visible + after.num_apart - reach.num_visible - reach.num_apart;
        if (gain == 0) continue;
        gains.emplace_back(gain, signal.name);
        if (!signal.enable.empty()) ways.insert(signal.enable);
    }
    if (gains.empty()) return {};
    std::ranges::stable_sort(gains, std::ranges::greater{},
                             [](const auto& it) { return it.first; });
    std::string names;
    for (const auto& [gain, name] : gains) {
        candidate.signals.push_back(name);
        if (candidate.signals.size() <= names_max) names += (names.empty() ? "" : ", ") + name;
    }
    if (gains.size() > names_max) names += fmt::format(" and {} more", gains.size() - names_max);
    candidate.how = fmt::format(
        "it runs, but gives no {}: a collector that is switched off, a metric_relabel_configs rule "
        "that drops it, or a feature that is not in use",
        names);
    for (const std::string& way : ways) candidate.how += "; " + way;
    return candidate;
}

std::vector<Candidate> candidates_of(const Inventory& inventory, const Catalogue& catalogue,
                                     const FaultEffects& effects, const Sight& sight,
                                     const Reach& reach) {
    std::vector<Candidate> candidates;
    std::set<std::string> seen;
    for (const auto& [name, signal] : inventory.signals)
        if (const Signal* known = catalogue.find(name)) seen.insert(known->component);
    const auto expected = expected_components(inventory, catalogue);
    for (const Component& component : catalogue.components()) {
        if (component.expected == "derived" || !expected.contains(component.name)) continue;
        Candidate whole{.what = component.title,
                        .how = component.enable,
                        .effort = std::max(component.effort, 1),
                        .component = component.name};
        for (const Signal& signal : catalogue.signals()) {
            if (signal.component != component.name || signal.modality == Modality::derived ||
                visibility_of(inventory, signal.name) != Visibility::absent)
                continue;
            if (signal.by_default) {
                whole.signals.push_back(signal.name);
                whole.gives_logs = whole.gives_logs || signal.modality == Modality::log;
                continue;
            }
            Candidate setting{
                .what = signal.name, .how = signal.enable, .effort = 1, .signals = {signal.name}};
            // A field of an exporter that is not there needs the exporter, too.
            if (!seen.contains(component.name)) {
                setting.component = component.name;
                setting.how_once_there = signal.enable;
                setting.how = component.enable + "; then " + signal.enable;
                setting.effort = component.effort + 1;
            }
            candidates.push_back(std::move(setting));
        }
        if (!seen.contains(component.name)) {
            if (!whole.signals.empty()) candidates.push_back(std::move(whole));
        } else if (auto rest =
                       left_out_of(component, inventory, catalogue, effects, sight, reach)) {
            candidates.push_back(std::move(*rest));
        }
    }
    return candidates;
}

std::vector<std::string> examples_of(const FaultEffects& effects, const Reach& before,
                                     const Reach& after) {
    std::vector<std::string> examples;
    const std::size_t n = effects.size();
    for (std::size_t f = 0; f < n && examples.size() < 3; ++f)
        if (after.leaves_trace[f] && !before.leaves_trace[f])
            examples.push_back("sees " + effects.fault(f).name);
    for (std::size_t f = 0; f < n; ++f)
        for (std::size_t g = f + 1; g < n && examples.size() < 3; ++g)
            if (after.apart[f * n + g] && !before.apart[f * n + g] && before.leaves_trace[f] &&
                before.leaves_trace[g])
                examples.push_back(
                    fmt::format("{} from {}", effects.fault(f).name, effects.fault(g).name));
    return examples;
}

void choose_additions(const FaultEffects& effects, Sight sight, std::vector<Candidate> candidates,
                      Assessment& out) {
    Reach reach = reach_of(effects, sight);
    while (out.additions.size() < additions_max) {
        double best_value = 0;
        std::size_t best = candidates.size();
        std::optional<Reach> best_reach;
        for (std::size_t c = 0; c < candidates.size(); ++c) {
            Reach after = reach_of(effects, with(sight, candidates[c]));
            const double gain = static_cast<double>(after.num_visible - reach.num_visible) +
                                static_cast<double>(after.num_apart - reach.num_apart);
            const double value = gain / candidates[c].effort;
            if (value <= best_value) continue;
            best_value = value;
            best = c;
            best_reach = std::move(after);
        }
        if (best == candidates.size()) return;
        const Candidate& chosen = candidates[best];
        out.additions.push_back({.what = chosen.what,
                                 .how = chosen.how,
                                 .effort = chosen.effort,
                                 .num_newly_visible = best_reach->num_visible - reach.num_visible,
                                 .num_separated = best_reach->num_apart - reach.num_apart,
                                 .examples = examples_of(effects, reach, *best_reach)});
        sight = with(sight, chosen);
        reach = std::move(*best_reach);
        // With its component there, a field is a setting.
        for (Candidate& candidate : candidates) {
            if (chosen.component.empty() || candidate.component != chosen.component ||
                candidate.how_once_there.empty())
                continue;
            candidate.how = candidate.how_once_there;
            candidate.effort = 1;
        }
        candidates.erase(candidates.begin() + static_cast<std::ptrdiff_t>(best));
    }
}

// Visible faults joined while they are not told apart.
std::vector<std::vector<std::string>> groups_of(const FaultEffects& effects, const Reach& reach) {
    const std::size_t n = effects.size();
    std::vector<std::size_t> root(n);
    std::iota(root.begin(), root.end(), std::size_t{0});
    const std::function<std::size_t(std::size_t)> find = [&](std::size_t f) {
        while (root[f] != f) f = root[f] = root[root[f]];
        return f;
    };
    for (std::size_t f = 0; f < n; ++f)
        for (std::size_t g = f + 1; g < n; ++g)
            if (reach.leaves_trace[f] && reach.leaves_trace[g] && !reach.apart[f * n + g])
                root[find(g)] = find(f);
    std::map<std::size_t, std::vector<std::string>> members;
    for (std::size_t f = 0; f < n; ++f)
        if (reach.leaves_trace[f]) members[find(f)].push_back(effects.fault(f).name);
    std::vector<std::vector<std::string>> groups;
    for (auto& [first, names] : members)
        if (names.size() > 1) groups.push_back(std::move(names));
    std::ranges::stable_sort(groups,
                             [](const auto& a, const auto& b) { return a.size() > b.size(); });
    return groups;
}

}  // namespace

Assessment assess(const Inventory& inventory, const Catalogue& catalogue,
                  const FaultLibrary& faults) {
    const FaultEffects effects(catalogue, faults);
    Assessment out;
    out.defects = inventory.defects;
    audit(inventory, catalogue, effects, out);
    Sight sight{.has_logs = inventory.num_log_sources > 0, .has_changes = inventory.has_changes};
    for (const auto& [name, seen] : inventory.signals) {
        if (seen.visibility == Visibility::absent) continue;
        sight.visible.insert(name);
        const Signal* signal = catalogue.find(name);
        sight.has_replicas =
            sight.has_replicas ||
            (signal != nullptr && signal->entity == EntityKind::engine && seen.num_series > 1);
    }
    add_derived(sight.visible);
    const Reach reach = reach_of(effects, sight);
    out.num_faults = effects.size();
    out.num_pairs = effects.size() * (effects.size() - 1) / 2;
    out.num_pairs_apart = reach.num_apart;
    for (std::size_t f = 0; f < effects.size(); ++f)
        if (!reach.leaves_trace[f]) out.blind.push_back(effects.fault(f).name);
    out.groups = groups_of(effects, reach);
    choose_additions(effects, sight, candidates_of(inventory, catalogue, effects, sight, reach),
                     out);
    return out;
}

}  // namespace culprit
