"""What is deployed, how large, and how it is used."""
import dataclasses


@dataclasses.dataclass
class Deployment:
    """Engine replicas of one kind behind one gateway, perhaps behind ordinary services.

    Tokens and rates are means: each request's prompt and output are drawn around them. What stands
    below "drawn" differs from window to window (window_simulation.py draws it).
    """
    num_replicas: int
    requests_per_s: float         # of all clients, the services' own requests included
    policy: str = "round_robin"   # or "least_loaded", "two_choices"
    roles: tuple = ()             # per replica "prefill" or "decode"; empty: every one does both
    slots: int = 64               # requests in one replica's batch at most
    kv_tokens: int = 120000       # that one replica's KV cache holds
    step_ms: float = 18           # of the GPU, per decoding step of a small batch at full clock
    step_cpu_s: float = 0.003     # of one core, per decoding step
    prefill_tokens_per_s: float = 9000
    gpu_watts: float = 700
    prompt_tokens: float = 600
    output_tokens: float = 160
    # Drawn.
    timeout_s: float = None       # after which the gateway gives a request up; None: drawn
    trend: float = 0.0            # the load's relative change over the window
    wave: float = 0.05            # amplitude of the load's slow wave, relative
    memory_share: float = 0.45    # of its limit that a replica uses
    ambient_c: float = 27
    num_retries: int = 1          # that the gateway allows after 502 and 503
    services: dict = dataclasses.field(default_factory=dict)   # name: Service
    paths: list = dataclasses.field(default_factory=list)      # Path; empty: right to the gateway

    def replicas_with_role(self, role):
        """Indices; all replicas where roles are not separated, and none then for "decode"."""
        if not self.roles:
            return list(range(self.num_replicas)) if role == "prefill" else []
        return [index for index, own in enumerate(self.roles) if own == role]
