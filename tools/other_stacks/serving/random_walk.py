"""Slow random variation: of a load, of what a machine uses."""
import math

import numpy as np


def ornstein_uhlenbeck(rng, count, memory_s, deviation):
    """`count` values one second apart, around 0 with this standard deviation, forgotten within
    about `memory_s` seconds."""
    kept = math.exp(-1.0 / memory_s)
    steps = rng.normal(0, deviation * math.sqrt(1 - kept * kept), count)
    values = np.empty(count)
    value = rng.normal(0, deviation)
    for index in range(count):
        value = kept * value + steps[index]
        values[index] = value
    return values
