#include "culprit/tailored/hypotheses.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <unordered_map>

#include "culprit/base/parallel.h"
#include "culprit/tailored/call_shares.h"

namespace culprit::tailored {
namespace {

constexpr double load_share = 0.35;  // prior of faults that reach all replicas, given some fault
constexpr double order_gain = 0.15;
constexpr double order_loss = 0.6;
constexpr double order_reach = 2.5;
constexpr std::array<double, 5> log_gain = {0.7, 1.5, 3.0, 5.0, 7.0};
constexpr double log_silence = 0.7;  // a line that belongs to the fault's definition is missing
constexpr double change_gain = 1.5;
constexpr double burden_share = 0.5;
constexpr std::size_t broken_at_once_max = 8;  // considered, two by two
constexpr double shared_deviations = 3.0;      // of what another sibling shows as well
constexpr double felt_loss = 0.8;              // of "nothing", where users feel something
constexpr double unfelt_loss = 0.5;            // of whoever is broken, where users feel nothing
constexpr double load_evidence_min = 1.0;      // log odds below which a changed load is no partner
// Who sends unequal shares: more often the serving framework's router than the proxy before it.
constexpr double serving_router_share = 0.6;
// Spans show whose calls are spread otherwise than before.
constexpr double shifted_weight = 10.0;
constexpr double steady_weight = 0.1;
// Series that stop are one fact however many they are: their exporter was not reached.
constexpr double silence_deviations = 8.0;

/// KubeRay names the head's pod "<cluster>-head-<id>" and the others
/// "<cluster>-<group>-worker-<id>".
bool is_named_head(std::string_view service) {
    constexpr std::string_view word = "head";
    const auto bounds = [&](std::size_t at) {
        return at >= service.size() || service[at] == '-' || service[at] == '_';
    };
    for (std::size_t at = service.find(word); at != std::string_view::npos;
         at = service.find(word, at + 1))
        if (bounds(at + word.size()) && (at == 0 || bounds(at - 1))) return true;
    return false;
}

/// A fault's expectations by signal number; null = not mentioned.
using SignalIndex = std::vector<const ExpectedSignal*>;

class Weigher {
public:
    Weigher(const Observations& seen, const Incident& incident, const Windows& windows,
            const FaultLibrary& library, const LogMatches& logs, const HypothesisOptions& options)
        : seen_(seen),
          incident_(incident),
          windows_(windows),
          library_(library),
          options_(options),
          logs_(logs) {
        if (incident.spans) shares_ = CallShares(*incident.spans, windows);
        number_of("up");
        std::vector<SignalFamily> family_of_number = {family_of_signal("up")};
        std::vector<bool> busy_of_number = {false};
        for (const Feature& feature : seen.features) {
            const std::size_t number = number_of(feature.signal);
            if (number == family_of_number.size()) {
                family_of_number.push_back(family_of_signal(feature.signal));
                busy_of_number.push_back(is_use_of_processors(feature.signal));
            }
            numbers_.push_back(number);
            families_.push_back(family_of_number[number]);
            busy_.push_back(busy_of_number[number]);
        }
        for (const PeerGroup& group : seen.groups)
            for (const auto& [signal, deviations] : group.common) number_of(signal);
        for (const FaultSignature& fault : library.signatures()) {
            SignalIndex& index = signals_.emplace_back(number_of_.size(), nullptr);
            for (const ExpectedSignal& expected : fault.signals)
                if (const auto known = number_of_.find(expected.signal); known != number_of_.end())
                    index[known->second] = &expected;
        }
        std::vector<decltype(readings_)::iterator> places;
        for (const auto& [service, observations] : seen.of) {
            classify(service, observations);
            places.push_back(readings_.try_emplace(readings_.end(), service));
        }
        classify_fronts();
        classify_callers();
        for (const PeerGroup& group : seen.groups)
            if (!proxies_.contains(group.services.front()))
                for (const char* latency : {"istio_request_duration_milliseconds", "engine.e2e"})
                    if (const auto at = group.common.find(latency); at != group.common.end())
                        behind_ = std::max(behind_, at->second);
        parallel_for(places.size(), options.num_threads, [&](std::size_t begin, std::size_t end) {
            for (std::size_t i = begin; i < end; ++i)
                places[i]->second = readings_of(places[i]->first, seen.of.at(places[i]->first));
        });
        for (const auto& [service, observations] : seen.of)
            if (!seen.group_of.contains(service))
                without_siblings_.emplace_back(&service, &observations);
        shared_ = shared_readings("");
        burden_of_all_ = burden(shared_, burdened);
        std::vector<Seen> front;
        for (const std::string& proxy : proxies_)
            front.insert(front.end(), readings_.at(proxy).begin(), readings_.at(proxy).end());
        burden_of_front_ = burden(front, burdened);
        for (const PeerGroup& group : seen.groups)
            burden_of_one_ = std::max(burden_of_one_, burden_of_one(group));
        for (const std::string& proxy : proxies_)
            shared_of_proxy_[proxy] = proxies_.size() == 1 ? shared_ : shared_readings(proxy);
    }

    std::vector<Hypothesis> run() const {
        // By fault, then "unknown" and "nothing".
        const std::size_t num_faults = library_.signatures().size();
        Kinds kinds(num_faults + 2);
        parallel_for(kinds.size(), options_.num_threads, [&](std::size_t begin, std::size_t end) {
            for (std::size_t k = begin; k < end; ++k) {
                if (k == num_faults) add_unknown(kinds[k]);
                if (k == num_faults + 1) add_nothing(kinds[k]);
                if (k >= num_faults) continue;
                const FaultSignature& fault = library_.signatures()[k];
                if (fault.scope == FaultScope::all)
                    add_service_wide(kinds[k], fault, signals_[k]);
                else
                    add_local(kinds[k], fault, signals_[k]);
            }
        });
        return normalised(std::move(kinds));
    }

private:
    struct Seen {
        std::size_t signal = 0;  // number
        SignalFamily family = SignalFamily::other;
        Reading reading;
        const std::string* name = nullptr;
        const std::string* service = nullptr;  // of shared readings: null for siblings' medians
    };
    using Kinds = std::vector<std::vector<Hypothesis>>;  // by fault, "unknown", "nothing"
    struct Place {
        std::size_t kind = 0;
        std::size_t at = 0;
    };
    static const Hypothesis& at(const Kinds& kinds, const Place& place) {
        return kinds[place.kind][place.at];
    }
    /// A hypothesis and a change of the load at once.
    struct Joint {
        Place local;
        Place load;
        double log_odds = 0.0;
        bool follows = false;  // the fault is what the load brought about
    };
    struct Weighed {
        double probability = 0.0;
        double likeliest = 0.0;  // of the ways to hold: alone, or with a load
        Place place;
    };

    std::size_t number_of(const std::string& signal) {
        return number_of_.try_emplace(signal, number_of_.size()).first->second;
    }

    /// The component's signals as they are weighed. Series that stop are one fact however many they
    /// are: their exporter was not reached.
    std::vector<Seen> readings_of(const std::string& service,
                                  const std::vector<Observation>& observations) const {
        static const std::string up = "up";
        std::vector<Seen> seen;
        for (const Observation& o : observations)
            if (!o.vanished)
                seen.push_back({numbers_[o.feature], families_[o.feature],
                                Reading(moved_alone(o), o.extreme, busy_[o.feature]),
                                &seen_.features[o.feature].signal, &service});
        if (silent_.contains(service))
            seen.push_back({number_of_.at(up), SignalFamily::presence,
                            Reading(-silence_deviations, 1.0, false), &up});
        return seen;
    }

    /// What the service as a whole shows: the siblings' medians, and every component without
    /// siblings. A series that several components carry (their node's) counts once. With the name
    /// of a proxy: the same as it would look if that proxy and no other were concerned.
    std::vector<Seen> shared_readings(const std::string& proxy) const {
        std::vector<Seen> seen;
        std::set<std::pair<std::size_t, double>> known;
        for (const PeerGroup& group : seen_.groups) {
            if (!proxy.empty() && proxies_.contains(group.services.front())) continue;
            for (const auto& [signal, deviations] : group.common)
                if (known.emplace(number_of_.at(signal), deviations).second)
                    seen.push_back({number_of_.at(signal), family_of_signal(signal),
                                    Reading(deviations, 0.0, is_use_of_processors(signal)),
                                    &signal});
        }
        for (const auto& [service, observations] : seen_of_others(proxy)) {
            for (const Observation& o : *observations)
                if (!o.vanished &&
                    (o.own == 0.0 || known.emplace(numbers_[o.feature], o.own).second))
                    seen.push_back({numbers_[o.feature], families_[o.feature],
                                    Reading(*service == proxy ? moved_by(o) : o.own, o.extreme,
                                            busy_[o.feature]),
                                    &seen_.features[o.feature].signal, service});
        }
        return seen;
    }

    /// Who has no siblings, by name: all of them, or with the name of a proxy it and who is none.
    using Component = std::pair<const std::string*, const std::vector<Observation>*>;
    std::vector<Component> seen_of_others(const std::string& proxy) const {
        std::vector<Component> all;
        for (const Component& component : without_siblings_)
            if (proxy.empty() || !proxies_.contains(*component.first)) all.push_back(component);
        const auto at = seen_.of.find(proxy);
        if (proxy.empty() || at == seen_.of.end()) return all;
        const auto behind = std::ranges::upper_bound(
            all, proxy, {}, [](const Component& c) -> const std::string& { return *c.first; });
        all.insert(behind, {&at->first, &at->second});
        return all;
    }

    /// Log odds of what somebody shows who is not broken but has more load to bear, or stands in
    /// front of who is. Who does less is not burdened.
    double burden(const std::vector<Seen>& all, const Expectation& expectation) const {
        Evidence evidence;
        for (const Seen& seen : all) {
            const bool in_front = seen.service != nullptr && proxies_.contains(*seen.service);
            const bool follows =
                follows_load(seen.family) || (in_front && seen.family == SignalFamily::errors);
            if (follows && !seen.reading.went_down())
                evidence.add(seen.family,
                             seen.reading.log_ratio(in_front ? suffering : expectation));
        }
        return std::max(0.0, evidence.total(options_.correlation));
    }

    /// Of the replica that bears most; none where one leaves its share to the others.
    double burden_of_one(const PeerGroup& group) const {
        double most = 0.0;
        for (const std::string& service : group.services) {
            if (does_nothing(readings_.at(service))) return 0.0;
            most = std::max(most, burden(readings_.at(service), strained));
        }
        return most;
    }

    static bool does_nothing(const std::vector<Seen>& all) {
        return std::ranges::any_of(all, [](const Seen& seen) {
            return seen.reading.went_to_nothing() && (seen.family == SignalFamily::work ||
                                                      seen.family == SignalFamily::gpu_activity ||
                                                      seen.family == SignalFamily::presence);
        });
    }

    /// A broken replica explains that its siblings, which take over its load, show some burden; a
    /// change of the load explains that one of the replicas breaks down under it first. Neither
    /// explains more of the others than half of what speaks for itself.
    static double borne_by(double log_odds, double burden) {
        return std::min(burden, std::max(0.0, burden_share * log_odds));
    }

    double burden_beside(const std::string& service) const {
        if (seen_.group_of.contains(service)) return burden_of_all_;
        return engines_.contains(service) && !proxies_.contains(service) ? burden_of_front_ : 0.0;
    }

    double moved_by(const Observation& o) const {
        return options_.use_siblings ? o.relative : o.own;
    }

    /// A proxy takes as long as those behind it, and what it takes beyond.
    double moved_alone(const Observation& o) const {
        const Feature& feature = seen_.features[o.feature];
        const double moved = moved_by(o);
        if (behind_ <= 0.0 || moved <= 0.0 || !proxies_.contains(feature.service) ||
            feature.signal != "istio_request_duration_milliseconds")
            return moved;
        return std::max(0.0, moved - behind_);
    }

    void classify(const std::string& service, const std::vector<Observation>& observations) {
        bool silent = false;
        bool engine = false;
        bool gpu = false;
        bool proxy = false;
        bool head = false;
        for (const Observation& o : observations) {
            const std::string& signal = seen_.features[o.feature].signal;
            silent = silent || o.vanished;
            engine = engine || signal.starts_with("engine.");
            gpu = gpu || signal.starts_with("gpu.") || signal.starts_with("DCGM_");
            proxy = proxy || signal.starts_with("nginx_") || signal.starts_with("proxy.");
            head = head || signal.starts_with("ray_serve_num_router") ||
                   signal.starts_with("ray_gcs_") || signal.starts_with("ray_health_check_");
        }
        if (silent) silent_.insert(service);
        if (engine) engines_.insert(service);
        if (gpu) gpus_.insert(service);
        if (proxy) proxies_.insert(service);
        if (head) heads_.insert(service);
        if (!engines_.contains(service) && is_named_head(service)) heads_.insert(service);
    }

    /// Who is called a gateway or the like stands in front of the engines, if there are any,
    /// whatever it exports.
    void classify_fronts() {
        std::vector<std::string> fronts;
        for (const auto& [service, observations] : seen_.of)
            if (!heads_.contains(service) && !gpus_.contains(service) && is_named_front(service))
                fronts.push_back(service);
        const auto other_engines = std::ranges::count_if(engines_, [&](const std::string& engine) {
            return std::ranges::find(fronts, engine) == fronts.end();
        });
        if (other_engines == 0 && gpus_.empty()) return;
        for (const std::string& front : fronts) {
            engines_.erase(front);
            proxies_.insert(front);
        }
    }

    /// Whoever calls engines and is none stands in front of them, whatever its exporter is called.
    void classify_callers() {
        if (!incident_.topology || !proxies_.empty()) return;
        const auto serves = [&](const std::string& service) {
            return engines_.contains(service) || gpus_.contains(service);
        };
        for (const TopologyEdge& edge : incident_.topology->edges)
            if (edge.kind == EdgeKind::calls && seen_.of.contains(edge.from) && serves(edge.to) &&
                !serves(edge.from) && !heads_.contains(edge.from))
                proxies_.insert(edge.from);
    }

    /// May a fault of this kind of component sit in this service?
    bool plausible(const FaultSignature& fault, const std::string& service) const {
        const std::string& c = fault.component;
        if (c == "proxy") return proxies_.contains(service);
        if (c == "control_plane") return heads_.contains(service);
        if (c == "gpu") return gpus_.contains(service) || engines_.contains(service);
        if (c == "engine" || c == "replica" || c == "router" || c == "upstream" ||
            c == "deployment")
            return engines_.contains(service) || (engines_.empty() && !proxies_.contains(service));
        return true;
    }

    struct Blamed {
        std::string component;
        double log_share = 0.0;
        double lines = 0.0;
        double changes = 0.0;
    };
    /// Who can be to blame when some service shows the fault: for what happens in front of it
    /// whoever is there. Empty: the service itself.
    std::vector<Blamed> blamed_in_front(const FaultSignature& fault) const {
        const bool routed = fault.component == "router";
        if (!routed && fault.component != "upstream") return {};
        std::vector<Blamed> all;
        const auto add = [&](const std::string& component, double share) {
            all.push_back({component, std::log(share), log_lines(fault, component),
                           changes(fault, component)});
        };
        const bool heads = (routed || proxies_.empty()) && !heads_.empty();
        const double heads_share = !heads ? 0.0 : proxies_.empty() ? 1.0 : serving_router_share;
        if (heads)
            for (const std::string& head : heads_)
                add(head, heads_share / static_cast<double>(heads_.size()));
        for (const std::string& proxy : proxies_)
            add(proxy, (1.0 - heads_share) / static_cast<double>(proxies_.size()));
        return all;
    }

    /// Shares of those who may send unequally, after what spans show of their calls to `callee`.
    void weigh_by_calls(std::vector<Blamed>& all, const std::string& callee) const {
        double total = 0.0;
        std::vector<double> weights;
        for (const Blamed& b : all) {
            const CallShares::Spread spread = shares_.of(b.component, callee);
            weights.push_back(spread == CallShares::Spread::shifted  ? shifted_weight
                              : spread == CallShares::Spread::steady ? steady_weight
                                                                     : 1.0);
            total += weights.back() * std::exp(b.log_share);
        }
        for (std::size_t i = 0; i < all.size(); ++i)
            all[i].log_share += std::log(weights[i] / total);
    }

    const Experience::Counts* experience_of(const FaultSignature& fault,
                                            const std::string& signal) const {
        return options_.experience == nullptr ? nullptr
                                              : options_.experience->counts(fault.id, signal);
    }

    /// Relative frequency: the signature's, and one more for each confirmed incident.
    double prior_of(const FaultSignature& fault) const {
        if (options_.experience == nullptr) return fault.prior;
        return fault.prior + static_cast<double>(options_.experience->num_confirmed(fault.id));
    }

    /// What clients alone decide: a broken component neither lengthens prompts nor sends requests.
    static bool is_clients_doing(const Seen& seen) {
        return *seen.name == "engine.prompt_length" || *seen.name == "engine.output_length" ||
               (*seen.name == "proxy.requests" && seen.reading.went_up());
    }

    double match_local(const FaultSignature& fault, const SignalIndex& signals,
                       const std::string& service) const {
        FaultEvidence evidence;
        for (const Seen& seen : readings_.at(service))
            if (signals[seen.signal] != nullptr || !is_clients_doing(seen))
                evidence.add(seen.family, seen.reading, signals[seen.signal],
                             experience_of(fault, *seen.name));
        return evidence.log_odds(options_.correlation) +
               (options_.use_order ? order(fault, signals, service) : 0.0);
    }

    /// Pairs of moved signals in the signature's order, beyond their uncertainty.
    double order(const FaultSignature& fault, const SignalIndex& signals,
                 const std::string& service) const {
        if (fault.signals.empty()) return 0.0;
        struct Timed {
            int rank;
            TimePoint onset;
            Duration uncertainty;
        };
        std::vector<Timed> moved;
        for (const Observation& o : seen_.of.at(service)) {
            const ExpectedSignal* expected = signals[numbers_[o.feature]];
            if (expected == nullptr || expected->order == 0) continue;
            if (std::abs(o.relative) >= 3.0)
                moved.push_back({expected->order, o.onset, o.onset_uncertainty});
        }
        double sum = 0.0;
        for (std::size_t a = 0; a < moved.size(); ++a)
            for (std::size_t b = 0; b < moved.size(); ++b) {
                if (moved[a].rank >= moved[b].rank) continue;
                const Duration slack = moved[a].uncertainty + moved[b].uncertainty;
                if (moved[a].onset + slack < moved[b].onset) sum += order_gain;
                if (moved[b].onset + slack < moved[a].onset) sum -= order_loss;
            }
        return std::clamp(sum, -order_reach, order_reach);
    }

    double log_lines(const FaultSignature& fault, const std::string& service) const {
        const auto matches = logs_.find(service);
        double best = 0.0;
        bool defining = false;
        for (const LogPattern& pattern : fault.logs) {
            const auto w = static_cast<std::size_t>(std::clamp(pattern.weight, 1, 5) - 1);
            defining = defining || pattern.weight >= 4;
            if (matches == logs_.end()) continue;
            const auto found = matches->second.find(&pattern);
            if (found == matches->second.end() || !found->second.is_news()) continue;
            best = std::max(best, log_gain[w]);
        }
        if (best > 0.0) return options_.log_weight * best;
        const bool has_logs = incident_.logs && incident_.logs->sources.find(service).has_value();
        return defining && has_logs ? -log_silence : 0.0;
    }

    double changes(const FaultSignature& fault, const std::string& service) const {
        for (const ChangeEvent& change : incident_.changes) {
            if (!service.empty() && change.entity != service) continue;
            if (change.time < windows_.reference.begin || change.time >= windows_.search.end)
                continue;
            if (std::ranges::find(fault.changes, change.kind) != fault.changes.end())
                return change_gain;
        }
        return fault.changes.empty() || incident_.changes.empty() ? 0.0 : -0.5;
    }

    bool has_a_defining_signal(const SignalIndex& signals, const std::string& service) const {
        for (const Observation& o : seen_.of.at(service)) {
            const ExpectedSignal* expected = signals[numbers_[o.feature]];
            if (expected != nullptr && expected->direction != Direction::flat &&
                expected->weight >= 2)
                return true;
        }
        return false;
    }

    void add_local(std::vector<Hypothesis>& all, const FaultSignature& fault,
                   const SignalIndex& signals) const {
        const std::vector<Blamed> in_front = blamed_in_front(fault);
        for (const auto& seen : seen_.of) {
            const std::string& service = seen.first;
            const double lines = log_lines(fault, service);
            if (!plausible(fault, service)) continue;
            if (fault.component == "router" && !seen_.group_of.contains(service)) continue;
            if (lines <= 0.0 && !has_a_defining_signal(signals, service)) continue;
            const double matched = match_local(fault, signals, service);
            const double borne = borne_by(matched, burden_beside(service));
            const auto add = [&](const Blamed& blamed) {
                all.push_back({.kind = HypothesisKind::fault,
                               .fault = &fault,
                               .component = blamed.component,
                               .seen_at = service,
                               .log_odds = matched + borne + blamed.log_share +
                                           std::max(lines, blamed.lines) + blamed.changes,
                               .matched = matched,
                               .borne = borne});
            };
            if (in_front.empty()) {
                add({.component = service, .lines = lines, .changes = changes(fault, service)});
                continue;
            }
            std::vector<Blamed> weighed = in_front;
            if (fault.component == "router") weigh_by_calls(weighed, service);
            for (const Blamed& blamed : weighed) add(blamed);
        }
    }

    void add_service_wide(std::vector<Hypothesis>& all, const FaultSignature& fault,
                          const SignalIndex& signals) const {
        if (fault.component == "proxy") {
            for (const std::string& proxy : proxies_)
                add_service_wide(all, fault, signals, proxy, shared_of_proxy_.at(proxy));
            return;
        }
        add_service_wide(all, fault, signals, "", shared_);
    }

    /// `component`: the proxy to blame; empty when the fault has no one place.
    void add_service_wide(std::vector<Hypothesis>& all, const FaultSignature& fault,
                          const SignalIndex& signals, const std::string& component,
                          const std::vector<Seen>& shared) const {
        FaultEvidence evidence;
        bool any = false;
        for (const Seen& seen : shared) {
            const ExpectedSignal* expected = signals[seen.signal];
            any = any || (expected != nullptr && expected->weight >= 2);
            evidence.add(seen.family, seen.reading, expected, experience_of(fault, *seen.name));
        }
        if (!any) return;
        double lines = component.empty() ? 0.0 : log_lines(fault, component);
        if (component.empty())
            for (const auto& [service, observations] : seen_.of)
                lines = std::max(lines, log_lines(fault, service));
        const double matched = evidence.log_odds(options_.correlation);
        const double borne = borne_by(matched, burden_of_one_);
        all.push_back({.kind = HypothesisKind::fault,
                       .fault = &fault,
                       .component = component,
                       .log_odds = matched + borne + lines + changes(fault, ""),
                       .matched = matched,
                       .borne = borne});
    }

    const SignalIndex& signals_of(const FaultSignature* fault) const {
        return signals_[static_cast<std::size_t>(fault - library_.signatures().data())];
    }

    /// Every hypothesis that blames somebody, with each change of the load for which something
    /// speaks. Siblings tell the two apart: what they share is the load's, what one has alone is
    /// the fault's. A component without siblings moves when either moves it.
    std::vector<Joint> with_changed_load(const Kinds& kinds) const {
        std::vector<Place> loads;
        for (std::size_t k = 0; k < kinds.size(); ++k) {
            if (kinds[k].empty()) continue;
            const Hypothesis& w = kinds[k].front();
            if (w.kind == HypothesisKind::fault && w.fault->scope == FaultScope::all &&
                w.component.empty() && w.matched > load_evidence_min)
                loads.push_back({k, 0});
        }
        std::vector<Joint> joints;
        for (std::size_t k = 0; k < kinds.size() && !loads.empty(); ++k)
            for (std::size_t i = 0; i < kinds[k].size(); ++i)
                for (const Place& load : loads) add_joint(joints, kinds, {k, i}, load);
        return joints;
    }

    void add_joint(std::vector<Joint>& joints, const Kinds& kinds, const Place& local,
                   const Place& load) const {
        const Hypothesis& h = at(kinds, local);
        const Hypothesis& w = at(kinds, load);
        const bool apart = seen_.group_of.contains(h.seen_at);
        if (h.component.empty() || (!apart && h.fault == nullptr)) return;
        const double rest = h.log_odds - h.borne + w.log_odds - w.borne;
        Joint joint{.local = local, .load = load, .log_odds = rest};
        if (!apart) joint.log_odds += match_both(h, w) - h.matched - w.matched;
        joint.follows =
            h.fault != nullptr &&
            std::ranges::find(h.fault->follows_from, w.fault->id) != h.fault->follows_from.end() &&
            (!apart || befalls_another(h));
        joints.push_back(joint);
    }

    /// Does another sibling show what the fault shows most surely? Then it is not this one's own.
    bool befalls_another(const Hypothesis& h) const {
        int surest = 0;
        for (const ExpectedSignal& expected : h.fault->signals)
            if (expected.direction != Direction::flat) surest = std::max(surest, expected.weight);
        const SignalIndex& signals = signals_of(h.fault);
        const auto shows = [&](const std::string& service) {
            bool any = false;
            for (const Observation& o : seen_.of.at(service)) {
                const ExpectedSignal* expected = signals[numbers_[o.feature]];
                if (expected == nullptr || expected->weight < surest ||
                    expected->direction == Direction::flat)
                    continue;
                any = true;
                if ((is_upwards(expected->direction) ? o.own : -o.own) < shared_deviations)
                    return false;
            }
            return any;
        };
        return std::ranges::any_of(
            seen_.groups[seen_.group_of.at(h.seen_at)].services,
            [&](const std::string& other) { return other != h.seen_at && shows(other); });
    }

    /// Of the signals of a component that has no siblings, and of all others under the load.
    double match_both(const Hypothesis& local, const Hypothesis& load) const {
        const SignalIndex& fault_signals = signals_of(local.fault);
        const SignalIndex& load_signals = signals_of(load.fault);
        FaultEvidence evidence;
        const auto both = [&](const Seen& seen) {
            evidence.add_both(seen.family, seen.reading, fault_signals[seen.signal],
                              load_signals[seen.signal]);
        };
        if (local.seen_at.empty()) {
            for (const Seen& seen : shared_of_proxy_.at(local.component)) both(seen);
            return evidence.log_odds(options_.correlation);
        }
        for (const Seen& seen : readings_.at(local.seen_at)) both(seen);
        for (const Seen& seen : shared_)
            if (seen.service == nullptr || *seen.service != local.seen_at)
                evidence.add(seen.family, seen.reading, load_signals[seen.signal], nullptr);
        return evidence.log_odds(options_.correlation);
    }

    void add_unknown(std::vector<Hypothesis>& all) const {
        for (const auto& [service, observations] : seen_.of) {
            const double moved = commotion_of(service);
            const double borne = borne_by(moved, burden_beside(service));
            all.push_back({.kind = HypothesisKind::unknown,
                           .component = service,
                           .seen_at = service,
                           .log_odds = moved + borne,
                           .matched = moved,
                           .borne = borne});
        }
    }

    /// Log odds of "anything" for all signals of a component against "bystander".
    double commotion_of(const std::string& service) const {
        double total = -1e300;
        for (std::size_t i = 0; i < anything.size(); ++i) {
            Evidence evidence;
            for (const Seen& seen : readings_.at(service))
                if (!is_clients_doing(seen))
                    evidence.add(seen.family, seen.reading.log_ratio(anything[i]));
            total =
                log_sum(total, evidence.total(options_.correlation) + std::log(anything_priors[i]));
        }
        return total;
    }

    double quiet_of(const std::string& service) const {
        Evidence evidence;
        for (const Seen& seen : readings_.at(service))
            evidence.add(seen.family, seen.reading.log_ratio_if_quiet());
        return evidence.total(options_.correlation);
    }

    /// All is quiet: so are the signals of the most suspicious component, and what siblings share.
    /// (Summed over all components, the many that stay still in any case would drown the one that
    /// does not.)
    void add_nothing(std::vector<Hypothesis>& all) const {
        double worst = 0.0;
        for (const auto& [service, observations] : seen_.of)
            worst = std::min(worst, quiet_of(service));
        double sum = worst;
        for (const PeerGroup& group : seen_.groups) {
            Evidence evidence;
            for (const auto& [signal, deviations] : group.common) {
                const Reading reading(deviations, 0.0, is_use_of_processors(signal));
                evidence.add(family_of_signal(signal), reading.log_ratio_if_quiet());
            }
            sum += evidence.total(options_.correlation);
        }
        // A line that some fault prints and that was not there before needs an explanation.
        double lines = 0.0;
        for (const auto& [service, matches] : logs_)
            for (const auto& [pattern, match] : matches)
                if (match.is_news())
                    lines = std::max(
                        lines,
                        log_gain[static_cast<std::size_t>(std::clamp(pattern->weight, 1, 5) - 1)]);
        all.push_back(
            {.kind = HypothesisKind::nothing, .log_odds = sum - 0.7 * options_.log_weight * lines});
    }

    /// All faults of one component, with their priors.
    struct Broken {
        const std::string* component = nullptr;
        double burden = 0.0;      // what another's fault explains of it
        double alone = -1e300;    // log odds if nobody else is broken
        double besides = -1e300;  // log odds if another is, which bears on it
        std::vector<Place> places;
    };

    static double besides(const Hypothesis& h, double burden) {
        return h.log_odds - h.borne - burden;
    }

    static double log_sum(double a, double b) {
        const double high = std::max(a, b);
        return high + std::log(std::exp(a - high) + std::exp(b - high));
    }

    /// Components that may be broken at the same time, by a fault of its own each: the most
    /// suspicious, and those for which more speaks than what that one puts on them.
    std::vector<Broken> broken_at_once(const Kinds& kinds) const {
        std::map<std::string_view, Broken> by_component;
        for (std::size_t k = 0; k < kinds.size(); ++k)
            for (std::size_t i = 0; i < kinds[k].size(); ++i) {
                const Hypothesis& h = kinds[k][i];
                if (h.fault == nullptr || h.fault->scope == FaultScope::all ||
                    h.component != h.seen_at)
                    continue;
                Broken& broken = by_component[h.component];
                if (broken.places.empty()) {
                    broken.component = &h.component;
                    broken.burden = burden(readings_.at(h.component), burdened);
                }
                broken.places.push_back({k, i});
                broken.alone = log_sum(broken.alone, h.log_odds);
                broken.besides = log_sum(broken.besides, besides(h, broken.burden));
            }
        std::vector<Broken> all;
        all.reserve(by_component.size());
        for (auto& [component, broken] : by_component) all.push_back(std::move(broken));
        std::ranges::stable_sort(
            all, [](const Broken& a, const Broken& b) { return a.alone > b.alone; });
        if (!all.empty())
            all.erase(std::remove_if(all.begin() + 1, all.end(),
                                     [](const Broken& b) { return b.besides <= 0.0; }),
                      all.end());
        if (all.size() > broken_at_once_max) all.resize(broken_at_once_max);
        return all;
    }

    /// Two broken at once: the more suspicious as if alone, the other beside it. Adds to both, and
    /// the sum of all pairs to `total`; everything relative to `highest`.
    void add_pairs(const std::vector<Broken>& broken, double highest,
                   const std::vector<std::size_t>& first_of_kind, Kinds& kinds,
                   std::vector<Weighed>& order, double& total) const {
        const auto share_out = [&](const Broken& one, const std::string& other,
                                   const auto& log_share) {
            for (const Place& place : one.places) {
                Hypothesis& h = kinds[place.kind][place.at];
                const double share = std::exp(log_share(h));
                Weighed& weighed = order[first_of_kind[place.kind] + place.at];
                weighed.probability += share;
                if (share <= weighed.likeliest) continue;
                weighed.likeliest = share;
                h.beside = nullptr;
                h.along = other;
            }
        };
        for (std::size_t a = 0; a < broken.size(); ++a)
            for (std::size_t b = a + 1; b < broken.size(); ++b) {
                const double both = broken[a].alone + broken[b].besides - highest;
                total += std::exp(both);
                share_out(broken[a], *broken[b].component,
                          [&](const Hypothesis& h) { return both + h.log_odds - broken[a].alone; });
                share_out(broken[b], *broken[a].component, [&](const Hypothesis& h) {
                    return both + besides(h, broken[b].burden) - broken[b].besides;
                });
            }
    }

    /// Probabilities, most probable first. A fault and a change of the load are independent of each
    /// other: their priors multiply.
    std::vector<Hypothesis> normalised(Kinds kinds) const {
        double local = 0.0;
        double wide = 0.0;
        for (const std::vector<Hypothesis>& kind : kinds)
            if (!kind.empty() && kind.front().kind == HypothesisKind::fault)
                (kind.front().fault->scope == FaultScope::all ? wide : local) +=
                    prior_of(*kind.front().fault);
        const double faults = 1.0 - options_.nothing_prior - options_.unknown_prior;
        const double wide_share = local > 0.0 ? load_share : 1.0;
        const auto unknowns = static_cast<double>(seen_.of.size());
        const std::vector<Joint> joints = with_changed_load(kinds);
        std::vector<double> log_priors;
        double highest = -1e300;
        for (std::vector<Hypothesis>& kind : kinds) {
            log_priors.push_back(0.0);
            if (kind.empty()) continue;
            const Hypothesis& first = kind.front();
            const auto places = static_cast<double>(kind.size());
            double prior = options_.nothing_prior;
            if (first.kind == HypothesisKind::unknown) prior = options_.unknown_prior / unknowns;
            if (first.kind == HypothesisKind::fault)
                prior = first.fault->scope == FaultScope::all
                            ? faults * wide_share * prior_of(*first.fault) / wide / places
                            : faults * (1.0 - (wide > 0.0 ? wide_share : 0.0)) *
                                  prior_of(*first.fault) / local / places;
            log_priors.back() = std::log(std::max(prior, 1e-12));
            for (Hypothesis& h : kind) {
                h.log_odds += log_priors.back();
                if (options_.users_felt == UsersFelt::nothing && !h.component.empty())
                    h.log_odds -= unfelt_loss;
                if (options_.users_felt == UsersFelt::something &&
                    h.kind == HypothesisKind::nothing)
                    h.log_odds -= felt_loss;
                highest = std::max(highest, h.log_odds);
            }
        }
        const auto joint_odds = [&](const Joint& joint) {
            return joint.log_odds + log_priors[joint.local.kind] + log_priors[joint.load.kind];
        };
        for (const Joint& joint : joints) highest = std::max(highest, joint_odds(joint));
        const std::vector<Broken> broken = broken_at_once(kinds);
        if (broken.size() > 1) highest = std::max(highest, broken[0].alone + broken[1].besides);
        // Places are sorted, and each hypothesis moves once: siblings times proxies are many.
        std::vector<Weighed> order;
        std::vector<std::size_t> first_of_kind;
        double total = 0.0;
        for (std::size_t k = 0; k < kinds.size(); ++k) {
            first_of_kind.push_back(order.size());
            for (std::size_t i = 0; i < kinds[k].size(); ++i) {
                const double share = std::exp(kinds[k][i].log_odds - highest);
                total += share;
                order.push_back({share, share, {k, i}});
            }
        }
        for (const Joint& joint : joints) {
            const double share = std::exp(joint_odds(joint) - highest);
            total += share;
            const Place& place = joint.follows ? joint.load : joint.local;
            Weighed& weighed = order[first_of_kind[place.kind] + place.at];
            weighed.probability += share;
            if (joint.follows || share <= weighed.likeliest) continue;
            weighed.likeliest = share;
            kinds[place.kind][place.at].beside = at(kinds, joint.load).fault;
        }
        add_pairs(broken, highest, first_of_kind, kinds, order, total);
        for (Weighed& weighed : order) weighed.probability /= total;
        std::ranges::sort(order, [](const Weighed& a, const Weighed& b) {
            if (a.probability != b.probability) return a.probability > b.probability;
            return a.place.kind != b.place.kind ? a.place.kind < b.place.kind
                                                : a.place.at < b.place.at;
        });
        std::vector<Hypothesis> all;
        all.reserve(order.size());
        for (const Weighed& weighed : order) {
            all.push_back(std::move(kinds[weighed.place.kind][weighed.place.at]));
            all.back().probability = weighed.probability;
        }
        return all;
    }

    const Observations& seen_;
    const Incident& incident_;
    const Windows& windows_;
    const FaultLibrary& library_;
    const HypothesisOptions options_;
    const LogMatches& logs_;
    CallShares shares_;
    std::vector<SignalIndex> signals_;
    std::unordered_map<std::string, std::size_t> number_of_;  // signal -> number
    std::vector<std::size_t> numbers_;                        // by feature
    std::vector<SignalFamily> families_;                      // by feature
    std::vector<bool> busy_;                                  // by feature: is_use_of_processors
    std::map<std::string, std::vector<Seen>> readings_;
    std::vector<Component> without_siblings_;
    std::vector<Seen> shared_;
    std::map<std::string, std::vector<Seen>> shared_of_proxy_;
    double behind_ = 0.0;           // deviations of the latency of who stands behind the proxies
    double burden_of_all_ = 0.0;    // of the service as a whole
    double burden_of_front_ = 0.0;  // of whoever stands in front of the engines
    double burden_of_one_ = 0.0;    // of the replica that bears most
    std::set<std::string> silent_;  // some of its signals stopped being reported
    std::set<std::string> engines_;
    std::set<std::string> gpus_;
    std::set<std::string> proxies_;
    std::set<std::string> heads_;
};

}  // namespace

std::vector<Hypothesis> weigh(const Observations& observations, const Incident& incident,
                              const Windows& windows, const FaultLibrary& library,
                              const LogMatches& logs, const HypothesisOptions& options) {
    return Weigher(observations, incident, windows, library, logs, options).run();
}

}  // namespace culprit::tailored
