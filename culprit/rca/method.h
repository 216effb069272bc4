#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/base/stop.h"
#include "culprit/rca/incident.h"
#include "culprit/rca/ranking.h"

namespace culprit {

enum class Variant : std::uint8_t {
    reference,  ///< what the study's Python implementation does, defects included
    published,  ///< what the method's paper defines
};
std::string_view to_string(Variant variant);

enum class MethodFamily : std::uint8_t { baseline, metric, trace, multi_source, tailored };
std::string_view to_string(MethodFamily family);

struct OptionInfo {
    std::string name;
    double default_value = 0.0;
    double minimum = 0.0;
    double maximum = 0.0;
    std::string help;
};

/// One way in which the reference implementation departs from the paper, and what `published` does.
struct Divergence {
    std::string reference;
    std::string published;
};

/// What a user and `culprit methods` need to know. Names are the study's.
struct MethodInfo {
    std::string name;
    std::string summary;  ///< one sentence
    MethodFamily family = MethodFamily::metric;
    bool in_study = false;  ///< one of the study's 24
    std::string citation;   ///< authors, title, venue, year
    std::string reads;      ///< "metrics", "traces", "metrics, logs, traces"
    std::string ranks;      ///< what Suspect::name is: "metric columns", "services", "operations"
    std::string cost;       ///< "O(p N) time"
    std::vector<Variant> variants = {Variant::reference, Variant::published};
    std::vector<OptionInfo> options = {};
    std::vector<Divergence> divergences = {};
    bool uses_randomness = false;
};

/// How to run: everything that is not the incident.
struct RunContext {
    Variant variant = Variant::published;
    std::uint64_t seed = 0;
    Stop stop;
    unsigned num_threads = 1;                    ///< 0 = all; answers do not depend on it
    std::map<std::string, double> options = {};  ///< checked against MethodInfo by `run_method`
    /// The option's value, or the default that `info` declares for it.
    double option(const MethodInfo& info, std::string_view name) const;
};

/// A root-cause method. Immutable and safe to share between threads: the answer depends on the
/// incident and the context alone.
class Method {
public:
    virtual ~Method() = default;
    virtual const MethodInfo& info() const = 0;
    /// An error means "failed", and says why; a Diagnosis may be degenerate, and says why.
    virtual Result<Diagnosis> diagnose(const Incident& incident,
                                       const RunContext& context) const = 0;
};

/// Checks variant and options against the method's info, then runs it. A bug inside (InternalError)
/// is not caught here.
Result<Diagnosis> run_method(const Method& method, const Incident& incident,
                             const RunContext& context);

}  // namespace culprit
