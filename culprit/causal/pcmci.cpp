#include "culprit/causal/pcmci.h"

#include <fmt/format.h>

#include <Eigen/Dense>
#include <algorithm>
#include <atomic>
#include <cmath>

#include "culprit/base/check.h"
#include "culprit/base/parallel.h"
#include "culprit/stats/moments.h"
#include "culprit/stats/partial_correlation.h"

namespace culprit {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

// A factorisation of the correlations is good to about 2^-52 / pivot: below this pivot the samples
// decide.
constexpr double pivot_for_samples = 1e-6;
constexpr double matrix_bytes_max = 2.0 * 1024 * 1024 * 1024;

// All variables at all lags over the common rows, standardised, and their correlations.
struct LaggedSample {
    std::size_t num_lags = 0;  // 2 lag_max + 1
    MatrixXd columns;          // n x (p * num_lags), zero where constant
    Matrix correlation;
    std::vector<bool> is_constant;

    std::size_t column(Lagged v) const { return v.variable * num_lags + v.lag; }
    Index num_rows() const { return columns.rows(); }
};

void standardise(std::span<const double> values, Index target, LaggedSample& sample) {
    auto column = sample.columns.col(target);
    column = Eigen::Map<const VectorXd>(values.data(), sample.num_rows());
    const bool varies =
        std::any_of(values.begin(), values.end(), [&](double v) { return v != values.front(); });
    sample.is_constant[static_cast<std::size_t>(target)] = !varies;
    column.array() -= stats::mean(values);
    const double norm = column.norm();
    if (!varies || !(norm > 0.0)) {
        sample.is_constant[static_cast<std::size_t>(target)] = true;
        column.setZero();
        return;
    }
    column /= norm;  // unit length: the product of two columns is their correlation
}

Result<LaggedSample> lagged_sample(MatrixView data, std::size_t lag_max, const Stop& stop) {
    const std::size_t n = data.num_rows();
    if (n <= 2 * lag_max + 2)
        return fail(ErrorCode::too_few_samples,
                    fmt::format("PCMCI with {} lags needs more than {} samples, got {}", lag_max,
                                2 * lag_max + 2, n));
    LaggedSample sample;
    sample.num_lags = 2 * lag_max + 1;
    const std::size_t num_columns = data.num_columns() * sample.num_lags;
    if (static_cast<double>(num_columns) * static_cast<double>(num_columns) * 8.0 >
        matrix_bytes_max)
        return fail(ErrorCode::invalid_input,
                    fmt::format("PCMCI of {} variables at {} lags needs more than 2 GiB",
                                data.num_columns(), lag_max));
    const std::size_t rows = n - 2 * lag_max;
    sample.columns.resize(static_cast<Index>(rows), static_cast<Index>(num_columns));
    sample.is_constant.resize(num_columns);
    for (std::size_t v = 0; v < data.num_columns(); ++v)
        for (std::size_t lag = 0; lag < sample.num_lags; ++lag)
            standardise(data.column(v).subspan(2 * lag_max - lag, rows),
                        static_cast<Index>(sample.column({v, lag})), sample);
    sample.correlation = Matrix(num_columns, num_columns);
    Eigen::Map<MatrixXd> correlation(sample.correlation.data(), static_cast<Index>(num_columns),
                                     static_cast<Index>(num_columns));
    constexpr Index block = 256;
    for (Index first = 0; first < correlation.cols(); first += block) {
        CULPRIT_TRY_STATUS(stop.check());
        const Index width = std::min(block, correlation.cols() - first);
        const Index height = correlation.rows() - first;
        correlation.block(first, first, height, width).noalias() =
            sample.columns.rightCols(height).transpose() * sample.columns.middleCols(first, width);
    }
    correlation.triangularView<Eigen::StrictlyUpper>() = correlation.transpose();
    correlation.diagonal().setOnes();
    return sample;
}

struct MciTest {
    double r = 0.0;
    double p_value = 1.0;
};

// One thread's partial correlation tests on the shared sample.
class Tester {
public:
    explicit Tester(const LaggedSample& sample)
        : sample_(sample), correlator_(sample.correlation) {}

    MciTest test(Lagged x, Lagged y, const std::vector<Lagged>& given) {
        ++num_tests;
        const std::size_t cx = sample_.column(x);
        const std::size_t cy = sample_.column(y);
        if (sample_.is_constant[cx] || sample_.is_constant[cy]) return {};
        given_.clear();
        for (const Lagged v : given)
            if (!sample_.is_constant[sample_.column(v)]) given_.push_back(sample_.column(v));
        const double dof =
            static_cast<double>(sample_.num_rows()) - 2.0 - static_cast<double>(given_.size());
        if (dof < 1.0) return {0.0, stats::correlation_p_value(0.0, dof)};
        auto partial = correlator_.of(cx, cy, given_);
        if (partial.is_degenerate || partial.pivot_min < pivot_for_samples)
            partial = by_samples(cx, cy);
        if (partial.is_degenerate) return {};
        return {partial.r, stats::correlation_p_value(partial.r, dof)};
    }

    std::size_t num_tests = 0;

private:
    // The same from the samples: Gram-Schmidt applied twice, which is orthogonal to rounding.
    stats::PartialCorrelation by_samples(std::size_t cx, std::size_t cy) {
        constexpr double dependent_norm = 1e-10;  // of a unit column: a linear function of others
        basis_.resize(sample_.num_rows(), static_cast<Index>(given_.size()));
        Index rank = 0;
        const auto residual = [&](std::size_t c) {
            VectorXd v = sample_.columns.col(static_cast<Index>(c));
            for (int pass = 0; pass < 2; ++pass)
                v -= basis_.leftCols(rank) * (basis_.leftCols(rank).transpose() * v);
            return v;
        };
        for (const std::size_t c : given_) {
            const VectorXd v = residual(c);
            const double norm = v.norm();
            if (norm > dependent_norm) basis_.col(rank++) = v / norm;
        }
        const VectorXd x = residual(cx);
        const VectorXd y = residual(cy);
        stats::PartialCorrelation partial;
        const double norm_x = x.norm();
        const double norm_y = y.norm();
        partial.is_degenerate = norm_x < dependent_norm || norm_y < dependent_norm;
        if (!partial.is_degenerate) partial.r = std::clamp(x.dot(y) / (norm_x * norm_y), -1.0, 1.0);
        return partial;
    }

    const LaggedSample& sample_;
    stats::PartialCorrelator correlator_;
    std::vector<std::size_t> given_;
    MatrixXd basis_;
};

struct Candidate {
    Lagged source;
    double strength = INFINITY;  // least |r| seen
    bool is_removed = false;
};

std::vector<Lagged> select_parents(Tester& tester, std::size_t num_variables, std::size_t target,
                                   const PcmciOptions& options, const Stop& stop) {
    std::vector<Candidate> candidates;
    for (std::size_t v = 0; v < num_variables; ++v)
        for (std::size_t lag = 1; lag <= options.lag_max; ++lag) candidates.push_back({{v, lag}});
    std::vector<Lagged> given;
    for (std::size_t k = 0; !candidates.empty() && candidates.size() - 1 >= k; ++k) {
        for (std::size_t c = 0; c < candidates.size(); ++c) {
            if (stop.requested()) return {};
            given.clear();
            for (std::size_t other = 0; given.size() < k; ++other)
                if (other != c) given.push_back(candidates[other].source);
            const MciTest found = tester.test(candidates[c].source, {target, 0}, given);
            candidates[c].strength = std::min(candidates[c].strength, std::abs(found.r));
            candidates[c].is_removed = !(found.p_value <= options.pc_alpha);
        }
        std::erase_if(candidates, [](const Candidate& c) { return c.is_removed; });
        std::stable_sort(
            candidates.begin(), candidates.end(),
            [](const Candidate& a, const Candidate& b) { return a.strength > b.strength; });
    }
    std::vector<Lagged> parents;
    parents.reserve(candidates.size());
    for (const Candidate& c : candidates) parents.push_back(c.source);
    return parents;
}

void add_once(std::vector<Lagged>& set, Lagged v, Lagged x, Lagged y) {
    if (v == x || v == y || std::find(set.begin(), set.end(), v) != set.end()) return;
    set.push_back(v);
}

void test_links_into(Tester& tester, std::size_t target, PcmciFinding& finding, const Stop& stop) {
    std::vector<Lagged> given;
    const Lagged y = {target, 0};
    for (std::size_t source = 0; source < finding.num_variables; ++source)
        for (std::size_t lag = 0; lag <= finding.lag_max; ++lag) {
            if (lag == 0 && source == target) continue;
            if (stop.requested()) return;
            const Lagged x = {source, lag};
            given.clear();
            for (const Lagged& v : finding.parents[target]) add_once(given, v, x, y);
            for (const Lagged& v : finding.parents[source])
                add_once(given, {v.variable, v.lag + lag}, x, y);
            const MciTest found = tester.test(x, y, given);
            finding.values[finding.slot(source, target, lag)] = found.r;
            finding.p_values[finding.slot(source, target, lag)] = found.p_value;
        }
}

}  // namespace

LagLink PcmciFinding::link(std::size_t source, std::size_t target, std::size_t lag) const {
    const bool forward = p_values[slot(source, target, lag)] <= alpha;
    if (lag > 0) return forward ? LagLink::causes : LagLink::none;
    if (source == target) return LagLink::none;
    const bool backward = p_values[slot(target, source, 0)] <= alpha;
    if (forward && backward) return LagLink::undirected;
    if (forward) return LagLink::causes;
    return backward ? LagLink::is_caused : LagLink::none;
}

Result<PcmciFinding> pcmci(MatrixView data, const PcmciOptions& options, const Stop& stop) {
    const std::size_t p = data.num_columns();
    CULPRIT_CHECK(options.lag_max >= 1);
    CULPRIT_TRY(const LaggedSample sample, lagged_sample(data, options.lag_max, stop));
    PcmciFinding finding;
    finding.num_variables = p;
    finding.lag_max = options.lag_max;
    finding.alpha = options.alpha;
    finding.values.assign(p * p * (options.lag_max + 1), 0.0);
    finding.p_values.assign(finding.values.size(), 1.0);
    finding.parents.resize(p);
    std::atomic<std::size_t> num_tests = 0;
    const auto for_targets = [&](const auto& body) {
        parallel_for(p, options.num_threads, [&](std::size_t begin, std::size_t end) {
            Tester tester(sample);
            for (std::size_t target = begin; target < end; ++target) body(tester, target);
            num_tests += tester.num_tests;
        });
    };
    for_targets([&](Tester& tester, std::size_t target) {
        finding.parents[target] = select_parents(tester, p, target, options, stop);
    });
    for_targets([&](Tester& tester, std::size_t target) {
        test_links_into(tester, target, finding, stop);
    });
    CULPRIT_TRY_STATUS(stop.check());
    finding.num_tests = num_tests;
    finding.num_near_alpha = static_cast<std::size_t>(std::count_if(
        finding.p_values.begin(), finding.p_values.end(),
        [&](double v) { return v > options.alpha / 2.0 && v < options.alpha * 2.0; }));
    return finding;
}

}  // namespace culprit
