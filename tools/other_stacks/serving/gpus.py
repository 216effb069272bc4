"""Clock, power and temperature of one GPU per replica."""
import numpy as np

IDLE_SHARE = 0.12          # of the rated power
POWER_EXPONENT = 2.2       # of the clock
THROTTLE_C = 84.0
CLOCK_SHARE_MIN = 0.12
HEAT_MEMORY_S = 35.0


class Gpus:
    """Arrays, one value per replica; clocks as shares of the highest.

    Power follows intensity and clock: decoding, bound by memory, is a third of full intensity,
    prefill nearly two thirds. A cap lowers the clock at once, heat above THROTTLE_C bit by bit.
    Temperature is one thermal mass. Not modelled: voltage steps, memory clocks, links, errors.
    """

    def __init__(self, deployment, replicas):
        self.rated_w = deployment.gpu_watts
        self.idle_w = self.rated_w * IDLE_SHARE
        self.usual_slots = deployment.slots
        self.replicas = replicas
        self.clock = np.ones(replicas.count)
        self.thermal_clock = np.ones(replicas.count)
        self.temperature_c = (replicas.ambient_c
                              + replicas.thermal_resistance * self.rated_w * 0.05 + 18)
        self.power_w = np.full(replicas.count, self.idle_w)
        self.power_violation_s = np.zeros(replicas.count)
        self.thermal_violation_s = np.zeros(replicas.count)

    def advance(self, seconds, num_decoding, prefill_share, hang_utilisation):
        """num_decoding: requests; prefill_share: of the last tick that went to prefill."""
        replicas = self.replicas
        is_decoding = np.where(num_decoding > 0, 1.0, 0.0)
        fill = np.minimum(1, num_decoding / max(4, self.usual_slots))
        intensity = np.clip(0.33 * is_decoding * (0.55 + 0.45 * fill) + 0.62 * prefill_share, 0, 1)
        intensity = np.where(replicas.hangs, hang_utilisation, intensity) * replicas.is_up
        allowed = ((replicas.power_cap_w - self.idle_w)
                   / np.maximum(1e-6, (self.rated_w - self.idle_w) * intensity))
        capped = np.where(allowed < 1, np.maximum(allowed, 1e-3) ** (1 / POWER_EXPONENT), 1.0)
        power_clock = np.clip(capped, CLOCK_SHARE_MIN, 1.0)
        too_hot_c = self.temperature_c - THROTTLE_C
        change = -too_hot_c * 0.004 * seconds * 4
        self.thermal_clock = np.clip(self.thermal_clock + change, 0.25, 1.0)
        self.clock += (np.minimum(power_clock, self.thermal_clock) - self.clock) * 0.6
        dynamic_w = (self.rated_w - self.idle_w) * intensity * self.clock ** POWER_EXPONENT
        self.power_w = self.idle_w + dynamic_w
        settled_c = (replicas.ambient_c
                     + replicas.thermal_resistance * self.power_w * (55.0 / self.rated_w) + 6)
        self.temperature_c += (settled_c - self.temperature_c) * seconds / HEAT_MEMORY_S
        self.power_violation_s += (power_clock < 0.97) * (1 - power_clock) * seconds
        self.thermal_violation_s += (self.thermal_clock < 0.97) * (1 - self.thermal_clock) * seconds
