#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/base/stop.h"

namespace culprit {

/// What a search asked of its test, summed over the run.
struct TestCounts {
    std::uint64_t tests = 0;
    /// Decisions that another sample of the same system could easily turn: p between alpha / 2 and
    /// 2 alpha.
    std::uint64_t fragile = 0;
    /// Tests whose variables were collinear (counted as dependent, see FisherZ) or whose sample was
    /// too small (counted as independent).
    std::uint64_t degenerate = 0;

    double fragile_share() const {
        return tests == 0 ? 0.0 : static_cast<double>(fragile) / static_cast<double>(tests);
    }
    TestCounts& operator+=(const TestCounts& other) {
        tests += other.tests;
        fragile += other.fragile;
        degenerate += other.degenerate;
        return *this;
    }
};

/// Which separating set a search keeps for a pair.
enum class SepsetRule : std::uint8_t {
    first,        ///< the first in lexicographic order; the search for that pair ends there
    union_of_all  ///< the union of all of that size; every set is tried (causal-learn)
};

/// For each of `others`: the separating set found from x, or nothing.
using SeparationResult = std::vector<std::optional<std::vector<std::size_t>>>;

/// Decides whether x and y are independent given a set of variables: the policy that PC and FCI are
/// built on. Immutable; safe to share between threads.
class IndependenceTest {
public:
    virtual ~IndependenceTest() = default;

    virtual std::size_t num_variables() const = 0;
    /// Level of the decision "independent" := p > alpha.
    virtual double alpha() const = 0;
    /// p-value of the hypothesis "x is independent of y given `given`", in [0, 1]. x != y, neither
    /// in `given`, no member twice.
    virtual double p_value(std::size_t x, std::size_t y,
                           std::span<const std::size_t> given) const = 0;
    /// p > alpha, counted.
    virtual bool independent(std::size_t x, std::size_t y, std::span<const std::size_t> given,
                             TestCounts& counts) const;
    /// Tests x against every y of `others` given every subset of `others` without y that has `size`
    /// members. The same decisions as `independent`, but a test may share work between them.
    /// Ends early (deadline_exceeded, cancelled) when `stop` asks.
    virtual Result<SeparationResult> separate(std::size_t x, std::span<const std::size_t> others,
                                              std::size_t size, SepsetRule rule, const Stop& stop,
                                              TestCounts& counts) const;
};

/// Steps `choice`, ascending positions below `count`, to the next combination in lexicographic
/// order; false after the last one.
bool next_combination(std::vector<std::size_t>& choice, std::size_t count);

}  // namespace culprit
