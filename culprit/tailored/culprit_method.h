#pragma once

#include <memory>

#include "culprit/rca/method.h"
#include "culprit/signatures/fault_signature.h"

namespace culprit {

/// The tailored method; see docs/method.md.
std::unique_ptr<Method> make_culprit();
/// With other fault signatures than the shipped ones.
std::unique_ptr<Method> make_culprit(FaultLibrary library);

}  // namespace culprit
