#include "culprit/tailored/quiet.h"

#include <algorithm>
#include <cmath>

namespace culprit::tailored {
namespace {

constexpr double even_unrest = 5.0;  // as likely nothing as something
constexpr double steepness = 3.0;

template <typename Score>
double farthest(const GenericScore& generic, const Score& score_of) {
    double u = 0.0;
    for (const ColumnShift& moved : generic.shifts)
        u = std::max(u, std::abs(score_of(moved)) / std::max(1.0, moved.excursion));
    for (const auto& [service, score] : generic.spans.score) u = std::max(u, std::expm1(score));
    return u;
}

}  // namespace

double unrest(const GenericScore& generic) {
    return farthest(generic, [](const ColumnShift& moved) { return moved.shift.score; });
}

double unrest_beyond_load(const GenericScore& generic) {
    return farthest(generic, [](const ColumnShift& moved) { return moved.beyond_load; });
}

double probability_of_nothing(double unrest) {
    return 1.0 / (1.0 + std::pow(std::max(0.0, unrest) / even_unrest, steepness));
}

}  // namespace culprit::tailored
