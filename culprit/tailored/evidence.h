#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "culprit/signatures/fault_signature.h"
#include "culprit/tailored/experience.h"
#include "culprit/tailored/observations.h"

namespace culprit::tailored {

/// How likely each state is under an expectation; see evidence.cpp for the table and its reasons.
struct Expectation {
    double up = 0.08;
    double down = 0.08;
    double flat = 0.84;
    double tail = 0.0;  ///< how fast the probability of a move falls with its size; 0: not at all
    double extreme =
        0.2;  ///< of what moves, the share that moves to nearly nothing or several times
    Direction expected = Direction::flat;  ///< the tail does not apply to this direction
};

/// One component under no fault of its own: what others suffer reaches it now and then.
inline constexpr Expectation bystander = {.up = 0.03, .down = 0.03, .flat = 0.94, .tail = 2.0};
/// Something is wrong with it, nobody knows what: with little of it, with some, or with most.
inline constexpr std::array<Expectation, 3> anything = {
    Expectation{.up = 0.06, .down = 0.06, .flat = 0.88},
    Expectation{.up = 0.28, .down = 0.28, .flat = 0.44},
    Expectation{.up = 0.40, .down = 0.40, .flat = 0.20}};
inline constexpr std::array<double, 3> anything_priors = {0.05, 0.5, 0.45};
/// Nothing is wrong anywhere.
inline constexpr Expectation quiet = {.up = 0.02, .down = 0.02, .flat = 0.96, .tail = 4.5};
/// The same two of the use of processors, which checks, copies and jobs by the clock use as well:
/// they begin when nobody expects it, and go far without harm.
inline constexpr Expectation busy_bystander = {.up = 0.07, .down = 0.04, .flat = 0.89, .tail = 1.0};
inline constexpr Expectation busy_quiet = {.up = 0.06, .down = 0.03, .flat = 0.91, .tail = 1.5};

/// Not broken, but under more load: the siblings of a broken replica.
inline constexpr Expectation burdened = {.up = 0.14, .down = 0.10, .flat = 0.76, .tail = 0.7};
/// In front of somebody who is broken: its callers wait and fail with it, however far that goes.
inline constexpr Expectation suffering = {.up = 0.40, .down = 0.10, .flat = 0.50, .extreme = 0.4};
/// The first of several replicas that suffers from a load that changed for all: beyond what the
/// others do, but not far beyond.
inline constexpr Expectation strained = {.up = 0.14, .down = 0.10, .flat = 0.76, .tail = 1.0};

/// Signals that rise and fall together, whatever the cause: latencies, work done, GPU activity, ...
enum class SignalFamily : std::uint8_t {
    latency,
    queue,
    work,
    gpu_activity,
    gpu_condition,
    memory,
    processor,
    network,
    storage,
    presence,
    errors,
    other,
};
inline constexpr std::size_t num_signal_families = 12;
SignalFamily family_of_signal(std::string_view signal);
/// Processors that work more, not processes that wait for them.
bool is_use_of_processors(std::string_view signal);
/// Does more or less load move it?
bool follows_load(SignalFamily family);

/// What one signal did, prepared for being weighed against many expectations.
class Reading {
public:
    /// `is_busy`: of is_use_of_processors.
    Reading(double deviations, double extreme, bool is_busy);

    /// log P(reading | e) - log P(reading | a bystander's signal). P sums over the states; chance
    /// and side effects rarely reach far: beyond 2.5 deviations, in a direction that is not the
    /// expected one, the probability falls with the power `tail` of the distance.
    double log_ratio(const Expectation& e) const;
    /// The same for "nothing is wrong".
    double log_ratio_if_quiet() const { return log_ratio(*quiet_); }
    bool went_up() const { return state_.up > 0.5; }
    bool went_down() const { return state_.down > 0.5; }
    bool went_to_nothing() const { return went_down() && extreme_ > 0.5; }
    /// The same for a signal that a signature does not mention, by severity.
    double unmentioned(std::size_t severity) const { return unmentioned_[severity]; }

private:
    double likelihood(const Expectation& e) const;

    const Expectation* bystander_;
    const Expectation* quiet_;
    State state_;
    double log_far_ = 0.0;
    double extreme_ = 0.0;
    double log_bystander_ = 0.0;
    std::array<double, 3> unmentioned_{};
};

/// How much correlated evidence counts.
struct Correlation {
    double temper = 0.9;  ///< share of all log odds that counts
    double power = 0.35;  ///< 0: signals of a family are independent; 1: they are one signal
};

/// Log odds summed over signals. n signals of one family that tell the same thing are no n proofs:
/// with c_i their log odds, k = (sum |c|)^2 / sum c^2 is the number that really contributes, and
/// the family counts sum c / k^power.
class Evidence {
public:
    void add(SignalFamily family, double log_odds);
    double total(const Correlation& correlation) const;

private:
    struct Sums {
        double sum = 0.0;
        double magnitude = 0.0;
        double squares = 0.0;
    };
    std::array<Sums, num_signal_families> families_{};
};

/// Log odds of one fault at one component. How hard it strikes is not known: a mild fault hides
/// some of its effects, a severe one moves signals that its signature does not name (a replica that
/// stands still shows it everywhere). The likelihood is the mixture over three severities.
///
/// What a signature does not mention never speaks for it more than what it does mention: without
/// this, a fault whose own signals stay still would gain from any commotion.
class FaultEvidence {
public:
    /// `expected` is null for a signal that the signature does not mention, `counts` without
    /// confirmed incidents.
    void add(SignalFamily family, const Reading& reading, const ExpectedSignal* expected,
             const Experience::Counts* counts);
    /// Under a fault and a change of the load at once: the signal moves when either moves it.
    void add_both(SignalFamily family, const Reading& reading, const ExpectedSignal* fault,
                  const ExpectedSignal* load);
    double log_odds(const Correlation& correlation) const;

private:
    std::array<Evidence, 3> severities_{};  ///< all signals
    std::array<Evidence, 3> mentioned_{};   ///< those of the signature
};

}  // namespace culprit::tailored
