#pragma once

#include <memory>

#include "culprit/rca/method.h"

namespace culprit {

/// The tailored method; see docs/method.md.
std::unique_ptr<Method> make_culprit();

}  // namespace culprit
