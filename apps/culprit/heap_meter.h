#pragma once

#include "culprit/evaluation/runner.h"

namespace culprit::cli {

/// The program's malloc, counted per thread; null in builds whose sanitizer owns malloc.
HeapMeter* heap_meter();

}  // namespace culprit::cli
