#pragma once

#include <memory>

#include "culprit/rca/method.h"
#include "culprit/signatures/fault_signature.h"
#include "culprit/tailored/experience.h"

namespace culprit {

/// The tailored method; see docs/method.md.
std::unique_ptr<Method> make_culprit();
/// With other fault signatures than the shipped ones, and with what confirmed incidents have
/// taught.
std::unique_ptr<Method> make_culprit(FaultLibrary library, Experience experience = {});

}  // namespace culprit
