#include "culprit/tailored/hypotheses.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <unordered_map>

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
constexpr double load_evidence_min = 1.0;  // log odds below which a changed load is no partner
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
        for (const Feature& feature : seen.features) {
            numbers_.push_back(number_of(feature.signal));
            families_.push_back(family_of_signal(feature.signal));
        }
        for (const PeerGroup& group : seen.groups)
            for (const auto& [signal, deviations] : group.common) number_of(signal);
        for (const FaultSignature& fault : library.signatures()) {
            SignalIndex& index = signals_.emplace_back(number_of_.size(), nullptr);
            for (const ExpectedSignal& expected : fault.signals)
                if (const auto known = number_of_.find(expected.signal); known != number_of_.end())
                    index[known->second] = &expected;
        }
        for (const auto& [service, observations] : seen.of) {
            classify(service, observations);
            readings_[service] = readings_of(service, observations);
        }
        classify_callers();
        shared_ = shared_readings("");
        burden_of_all_ = burden(shared_, burdened);
        for (const PeerGroup& group : seen.groups)
            burden_of_one_ = std::max(burden_of_one_, burden_of_one(group));
        for (const std::string& proxy : proxies_)
            shared_of_proxy_[proxy] = proxies_.size() == 1 ? shared_ : shared_readings(proxy);
    }

    std::vector<Hypothesis> run() {
        std::vector<Hypothesis> all;
        for (std::size_t f = 0; f < library_.signatures().size(); ++f) {
            const FaultSignature& fault = library_.signatures()[f];
            if (fault.scope == FaultScope::all)
                add_service_wide(all, fault, signals_[f]);
            else
                add_local(all, fault, signals_[f]);
        }
        add_unknown(all);
        add_nothing(all);
        normalise(all, with_changed_load(all));
        std::ranges::stable_sort(all, [](const Hypothesis& a, const Hypothesis& b) {
            return a.probability > b.probability;
        });
        return all;
    }

private:
    struct Seen {
        std::size_t signal = 0;  // number
        SignalFamily family = SignalFamily::other;
        Reading reading;
        const std::string* name = nullptr;
        const std::string* service = nullptr;  // of shared readings: null for siblings' medians
    };
    /// A hypothesis and a change of the load at once, by their places in the list.
    struct Joint {
        std::size_t local = 0;
        std::size_t load = 0;
        double log_odds = 0.0;
        bool follows = false;  // the fault is what the load brought about
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
                                Reading(moved_by(o), o.extreme),
                                &seen_.features[o.feature].signal});
        if (silent_.contains(service))
            seen.push_back({number_of_.at(up), SignalFamily::presence,
                            Reading(-silence_deviations, 1.0), &up});
        return seen;
    }

    /// What the service as a whole shows: the siblings' medians, and every component without
    /// siblings. A series that several components carry (their node's) counts once. With the name
    /// of a proxy: the same as it would look if that proxy and no other were concerned.
    std::vector<Seen> shared_readings(const std::string& proxy) const {
        std::vector<Seen> seen;
        std::set<std::pair<std::size_t, double>> known;
        const auto others = [&](const std::string& service) {
            return !proxy.empty() && service != proxy && proxies_.contains(service);
        };
        for (const PeerGroup& group : seen_.groups) {
            if (!proxy.empty() && proxies_.contains(group.services.front())) continue;
            for (const auto& [signal, deviations] : group.common)
                if (known.emplace(number_of_.at(signal), deviations).second)
                    seen.push_back({number_of_.at(signal), family_of_signal(signal),
                                    Reading(deviations, 0.0), &signal});
        }
        for (const auto& [service, observations] : seen_.of) {
            if (others(service) || (service != proxy && seen_.group_of.contains(service))) continue;
            for (const Observation& o : observations)
                if (!o.vanished &&
                    (o.own == 0.0 || known.emplace(numbers_[o.feature], o.own).second))
                    seen.push_back({numbers_[o.feature], families_[o.feature],
                                    Reading(service == proxy ? moved_by(o) : o.own, o.extreme),
                                    &seen_.features[o.feature].signal, &service});
        }
        return seen;
    }

    /// Log odds of what somebody shows who is not broken but has more load to bear. Who does less
    /// is not burdened.
    double burden(const std::vector<Seen>& all, const Expectation& expectation) const {
        Evidence evidence;
        for (const Seen& seen : all)
            if (follows_load(seen.family) && !seen.reading.went_down())
                evidence.add(seen.family, seen.reading.log_ratio(expectation));
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
        return seen_.group_of.contains(service) ? burden_of_all_ : 0.0;
    }

    double moved_by(const Observation& o) const {
        return options_.use_siblings ? o.relative : o.own;
    }

    void classify(const std::string& service, const std::vector<Observation>& observations) {
        for (const Observation& o : observations) {
            const std::string& signal = seen_.features[o.feature].signal;
            if (o.vanished) silent_.insert(service);
            if (signal.starts_with("engine.")) engines_.insert(service);
            if (signal.starts_with("gpu.") || signal.starts_with("DCGM_")) gpus_.insert(service);
            if (signal.starts_with("nginx_") || signal.starts_with("proxy."))
                proxies_.insert(service);
            if (signal.starts_with("ray_serve_num_router") || signal.starts_with("ray_gcs_") ||
                signal.starts_with("ray_health_check_"))
                heads_.insert(service);
        }
        if (!engines_.contains(service) && is_named_head(service)) heads_.insert(service);
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
        double share = 1.0;
    };
    /// Who can be to blame when this service shows the fault: for what happens in front of it
    /// whoever is there.
    std::vector<Blamed> blamed(const FaultSignature& fault, const std::string& service) const {
        const bool routed = fault.component == "router";
        if (!routed && fault.component != "upstream") return {{service}};
        std::vector<Blamed> all;
        const bool heads = (routed || proxies_.empty()) && !heads_.empty();
        const double heads_share = !heads ? 0.0 : proxies_.empty() ? 1.0 : serving_router_share;
        if (heads)
            for (const std::string& head : heads_)
                all.push_back({head, heads_share / static_cast<double>(heads_.size())});
        for (const std::string& proxy : proxies_)
            all.push_back({proxy, (1.0 - heads_share) / static_cast<double>(proxies_.size())});
        if (all.empty()) return {{service}};
        if (routed) weigh_by_calls(all, service);
        return all;
    }

    void weigh_by_calls(std::vector<Blamed>& all, const std::string& callee) const {
        double total = 0.0;
        for (Blamed& b : all) {
            const CallShares::Spread spread = shares_.of(b.component, callee);
            if (spread == CallShares::Spread::shifted) b.share *= shifted_weight;
            if (spread == CallShares::Spread::steady) b.share *= steady_weight;
            total += b.share;
        }
        for (Blamed& b : all) b.share /= total;
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

    double match_local(const FaultSignature& fault, const SignalIndex& signals,
                       const std::string& service) const {
        FaultEvidence evidence;
        for (const Seen& seen : readings_.at(service))
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
        for (const auto& [service, observations] : seen_.of) {
            const double lines = log_lines(fault, service);
            if (!plausible(fault, service)) continue;
            if (lines <= 0.0 && !has_a_defining_signal(signals, service)) continue;
            const double matched = match_local(fault, signals, service);
            const double borne = borne_by(matched, burden_beside(service));
            for (const auto& [component, share] : blamed(fault, service))
                all.push_back({.kind = HypothesisKind::fault,
                               .fault = &fault,
                               .component = component,
                               .seen_at = service,
                               .log_odds = matched + borne + std::log(share) +
                                           std::max(lines, log_lines(fault, component)) +
                                           changes(fault, component),
                               .matched = matched,
                               .borne = borne});
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
    std::vector<Joint> with_changed_load(const std::vector<Hypothesis>& all) const {
        std::vector<std::size_t> loads;
        for (std::size_t i = 0; i < all.size(); ++i)
            if (all[i].kind == HypothesisKind::fault && all[i].fault->scope == FaultScope::all &&
                all[i].component.empty() && all[i].matched > load_evidence_min)
                loads.push_back(i);
        std::vector<Joint> joints;
        for (std::size_t i = 0; i < all.size() && !loads.empty(); ++i) {
            const Hypothesis& h = all[i];
            if (h.kind == HypothesisKind::nothing || h.component.empty()) continue;
            for (const std::size_t load : loads) {
                const Hypothesis& w = all[load];
                const bool apart = seen_.group_of.contains(h.seen_at);
                if (!apart && h.fault == nullptr) continue;
                const double rest = h.log_odds - h.borne + w.log_odds - w.borne;
                joints.push_back(
                    {.local = i,
                     .load = load,
                     .log_odds = apart ? rest : rest - h.matched - w.matched + match_both(h, w),
                     .follows = !apart && std::ranges::find(h.fault->follows_from, w.fault->id) !=
                                              h.fault->follows_from.end()});
            }
        }
        return joints;
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
            const double moved = total_of(service, anything);
            const double borne = borne_by(moved, burden_beside(service));
            all.push_back({.kind = HypothesisKind::unknown,
                           .component = service,
                           .seen_at = service,
                           .log_odds = moved + borne,
                           .matched = moved,
                           .borne = borne});
        }
    }

    /// Log odds of one expectation for all signals of a component against "bystander".
    double total_of(const std::string& service, const Expectation& expectation) const {
        Evidence evidence;
        for (const Seen& seen : readings_.at(service))
            evidence.add(seen.family, seen.reading.log_ratio(expectation));
        return evidence.total(options_.correlation);
    }

    /// All is quiet: so are the signals of the most suspicious component, and what siblings share.
    /// (Summed over all components, the many that stay still in any case would drown the one that
    /// does not.)
    void add_nothing(std::vector<Hypothesis>& all) const {
        double worst = 0.0;
        for (const auto& [service, observations] : seen_.of)
            worst = std::min(worst, total_of(service, quiet));
        double sum = worst;
        for (const PeerGroup& group : seen_.groups) {
            Evidence evidence;
            for (const auto& [signal, deviations] : group.common)
                evidence.add(family_of_signal(signal), Reading(deviations, 0.0).log_ratio(quiet));
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

    /// A fault and a change of the load are independent of each other: their priors multiply.
    void normalise(std::vector<Hypothesis>& all, const std::vector<Joint>& joints) const {
        double local = 0.0;
        double wide = 0.0;
        std::map<const FaultSignature*, double> places;
        for (const Hypothesis& h : all)
            if (h.kind == HypothesisKind::fault && places[h.fault]++ == 0.0)
                (h.fault->scope == FaultScope::all ? wide : local) += prior_of(*h.fault);
        const double faults = 1.0 - options_.nothing_prior - options_.unknown_prior;
        const double wide_share = local > 0.0 ? load_share : 1.0;
        const auto unknowns = static_cast<double>(seen_.of.size());
        std::vector<double> priors;
        for (const Hypothesis& h : all) {
            double prior = options_.nothing_prior;
            if (h.kind == HypothesisKind::unknown) prior = options_.unknown_prior / unknowns;
            if (h.kind == HypothesisKind::fault)
                prior = h.fault->scope == FaultScope::all
                            ? faults * wide_share * prior_of(*h.fault) / wide / places[h.fault]
                            : faults * (1.0 - (wide > 0.0 ? wide_share : 0.0)) *
                                  prior_of(*h.fault) / local / places[h.fault];
            priors.push_back(std::log(std::max(prior, 1e-12)));
        }
        double highest = -1e300;
        for (std::size_t i = 0; i < all.size(); ++i)
            highest = std::max(highest, all[i].log_odds += priors[i]);
        const auto joint_odds = [&](const Joint& joint) {
            return joint.log_odds + priors[joint.local] + priors[joint.load];
        };
        for (const Joint& joint : joints) highest = std::max(highest, joint_odds(joint));
        double total = 0.0;
        std::vector<double> most(all.size());  // of the ways to hold: alone, or with a load
        for (std::size_t i = 0; i < all.size(); ++i)
            total += most[i] = all[i].probability = std::exp(all[i].log_odds - highest);
        for (const Joint& joint : joints) {
            const double p = std::exp(joint_odds(joint) - highest);
            total += p;
            Hypothesis& h = all[joint.follows ? joint.load : joint.local];
            h.probability += p;
            if (!joint.follows && p > most[joint.local]) {
                most[joint.local] = p;
                h.beside = all[joint.load].fault;
            }
        }
        for (Hypothesis& h : all) h.probability /= total;
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
    std::map<std::string, std::vector<Seen>> readings_;
    std::vector<Seen> shared_;
    std::map<std::string, std::vector<Seen>> shared_of_proxy_;
    double burden_of_all_ = 0.0;    // of the service as a whole
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
