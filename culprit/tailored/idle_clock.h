#pragma once

#include <vector>

#include "culprit/tailored/features.h"

namespace culprit::tailored {

/// An accelerator lowers its clock by itself when it has nothing to do: what it runs at then says
/// nothing about what it may run at. In rows in which a component's GPU utilisation is below 5 %,
/// its SM clock is held at the last value under work (the first one before it). Without utilisation
/// nothing is changed.
///
/// Cost: O(features + rows of the clocks).
/// Source: NVIDIA DCGM field DCGM_FI_DEV_CLOCKS_EVENT_REASONS, bit 0x1 "GPU idle: clocks drop to
/// the idle state".
void hold_clock_while_idle(std::vector<Feature>& features);

}  // namespace culprit::tailored
