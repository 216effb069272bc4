#pragma once

#include <map>
#include <string>
#include <string_view>

#include "culprit/rca/incident.h"
#include "culprit/tailored/observations.h"

namespace culprit::tailored {

/// A kind of proxy: how it is recognised, and what one types at it. Commands may be empty; of their
/// words in capitals FRONT is the proxy, POD the component meant, others stay to be filled in.
struct FrontKind {
    std::string_view name;         ///< part of such a component's name; empty: told by metrics only
    std::string_view metrics;      ///< how its exporter's names begin
    std::string_view upstreams;    ///< shows whom it sends requests to
    std::string_view reload;       ///< makes it read its configuration again
    std::string_view balance;      ///< sends requests to the least loaded
    std::string_view connections;  ///< raises its limits
    std::string_view idle;         ///< closes idle connections sooner
    std::string_view rate;         ///< limits requests of a tenant
    std::string_view address;      ///< puts an address in place of a name
    std::string_view drain;        ///< takes one upstream out
};

/// A proxy of an incident. `kind` null: unknown; `component` empty: nobody knows which it is.
struct Front {
    const FrontKind* kind = nullptr;
    std::string component;
};

/// Who stands in front of the engines, by names and metrics of the components.
class Fronts {
public:
    /// Borrows the incident.   Cost: O(columns).
    explicit Fronts(const Incident& incident);

    /// The proxy that the component is, else its caller's or the one whose metrics it has (those of
    /// the proxy about it), else the only kind that the incident shows.
    Front of(const std::string& component) const;

private:
    Front front(const std::string& component, const FrontKind* kind) const;

    const Incident& incident_;
    std::map<std::string, const FrontKind*> named_;     // components by their own names
    std::map<std::string, const FrontKind*> measured_;  // components by their metrics
};

/// The component's name for POD in a command; for FRONT_UPSTREAMS, FRONT_RELOAD and the like
/// (data/faults) what one types at this proxy, or words that fit any. Other words in capitals stay
/// to be filled in.
std::string filled_in(std::string command, const std::string& component, const Front& front = {});

/// A signal that only an engine has; the way to a component can be measured at anyone.
bool makes_tokens(const std::string& signal);

/// Does the component run an engine itself? Who only passes requests on may measure engines too
/// (time to first token at a gateway), but counts requests of its own or says so by its exporter.
bool is_replica(const std::string& component, const Observations& seen, const Frame& metrics);

}  // namespace culprit::tailored
