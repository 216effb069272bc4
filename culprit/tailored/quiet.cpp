#include "culprit/tailored/quiet.h"

#include <algorithm>
#include <cmath>

namespace culprit::tailored {
namespace {

constexpr double even_unrest = 5.0;  // as likely nothing as something
constexpr double steepness = 3.0;

}  // namespace

double unrest(const GenericScore& generic) {
    double farthest = 0.0;
    for (const ColumnShift& moved : generic.shifts)
        farthest = std::max(farthest, std::abs(moved.shift.score) / std::max(1.0, moved.excursion));
    for (const auto& [service, score] : generic.spans.score)
        farthest = std::max(farthest, std::expm1(score));
    return farthest;
}

double probability_of_nothing(double unrest) {
    return 1.0 / (1.0 + std::pow(std::max(0.0, unrest) / even_unrest, steepness));
}

}  // namespace culprit::tailored
