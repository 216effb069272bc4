#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/rca/incident.h"
#include "culprit/signatures/fault_signature.h"
#include "culprit/tailored/observations.h"

namespace culprit {

/// What one signal of the broken component did in an incident that a person has confirmed:
/// probabilities of the states, and how much of the move was extreme.
struct ConfirmedSignal {
    tailored::State state;
    double extreme = 0.0;
};

/// An incident with the answer that a person gave it. Small: the data stay where they are.
struct ConfirmedIncident {
    std::string name;       ///< of the case, to tell incidents apart
    std::string component;  ///< empty for a fault of the whole service
    std::string fault;      ///< id of a signature
    std::map<std::string, ConfirmedSignal> signals;
};

/// What has been learned from confirmed incidents: counts per fault and signal, added to the
/// signature's own table as to a Dirichlet prior of `prior_strength` incidents, so that one
/// incident moves a probability by an eighth of the way and ten outweigh the signature. Adding an
/// incident costs its signals and nothing is trained again.
///
///   P(state | fault) = (k p0(state) + sum of confirmed states) / (k + number of confirmed)
///
/// Source: A. Gelman et al., Bayesian Data Analysis, 3rd ed. 2013, section 3.4.
class Experience {
public:
    static constexpr double prior_strength = 7.0;
    struct Counts {
        double seen = 0.0;
        double up = 0.0;
        double down = 0.0;
        double extreme = 0.0;  ///< of up + down
    };

    void add(const ConfirmedIncident& incident);
    /// Null when no confirmed incident of this fault had the signal.
    const Counts* counts(const std::string& fault, const std::string& signal) const;
    std::size_t num_confirmed(const std::string& fault) const;
    std::size_t size() const { return num_incidents_; }

    /// One JSON object per line. missing_input: no such file. malformed_data names the line.
    static Result<std::vector<ConfirmedIncident>> read(const std::string& path);
    static std::string to_json_line(const ConfirmedIncident& incident);

private:
    std::map<std::string, std::map<std::string, Counts>> counts_;
    std::map<std::string, std::size_t> confirmed_;
    std::size_t num_incidents_ = 0;
};

/// What the signals of `component` did in this incident, for Experience. invalid_input: no such
/// component with known signals, or no such fault.
Result<ConfirmedIncident> confirm(const Incident& incident, const std::string& name,
                                  const std::string& component, const std::string& fault,
                                  const FaultLibrary& library, const Stop& stop = {});

}  // namespace culprit
