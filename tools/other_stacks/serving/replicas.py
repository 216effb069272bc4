"""The conditions each engine replica works under, and its running totals."""
import numpy as np

NO_QUOTA = np.inf
CRASHED_MEMORY_SHARE = 0.05


class Replicas:
    """Arrays, one value per replica. Faults change the first part; a restart clears the second."""

    def __init__(self, deployment):
        count = deployment.num_replicas

        def all_at(value):
            return np.full(count, float(value))

        self.count = count
        self.is_up = np.ones(count, bool)
        self.hangs = np.zeros(count, bool)
        self.cpu_slowdown = all_at(1)
        self.cpu_quota = all_at(NO_QUOTA)       # cores
        self.stolen_cores = all_at(0)           # burnt inside its own container
        self.neighbour_cores = all_at(0)        # burnt on its node
        self.tokenizer_slowdown = all_at(1)
        self.network_delay_s = all_at(0)
        self.packet_loss = all_at(0)            # share
        self.storage_wait_s = all_at(0)         # mean, per request
        self.major_faults_per_s = all_at(0)
        self.memory_share = all_at(deployment.memory_share)
        self.usual_memory_share = deployment.memory_share
        self.kv_share = all_at(1)               # of the KV cache that is usable
        self.slots = np.full(count, deployment.slots)
        self.gpu_slowdown = all_at(1)
        self.power_cap_w = all_at(deployment.gpu_watts)
        self.thermal_resistance = all_at(1)     # times the usual
        self.ambient_c = all_at(deployment.ambient_c)

        self.tokenizer_free_at = all_at(0)      # s from the window's beginning
        self.preemptions = all_at(0)
        self.prompt_tokens = all_at(0)
        self.generated_tokens = all_at(0)
        self.cache_queried_tokens = all_at(0)
        self.cache_hit_tokens = all_at(0)
        self.decode_s = all_at(0)               # summed over the requests that decode
        self.steps = all_at(0)
        self.throttled_s = all_at(0)            # of the container: outlives its process
        self.throttled_periods = all_at(0)

    def crash(self, index):
        self.is_up[index] = False
        self.memory_share[index] = CRASHED_MEMORY_SHARE

    def restart(self, index):
        self.is_up[index] = True
        self.memory_share[index] = self.usual_memory_share
        for total in (self.preemptions, self.prompt_tokens, self.generated_tokens,
                      self.cache_queried_tokens, self.cache_hit_tokens, self.decode_s, self.steps):
            total[index] = 0
