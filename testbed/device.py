"""The emulated accelerator as the engine sees it, and the engine parts that use it.

A step of the engine takes as long as the accelerator needs for it: a roofline in prompt tokens,
sequences and resident KV tokens, divided by the clock ratio. The tiny model really runs on the CPU;
the rest of the step the engine waits, as it would for a device. The clock ratio, and with it power
and heat, comes from `culprit testbed agent` through a small shared file, one per accelerator, which
also carries what the engine did. The layout is repeated in culprit/testbed/accelerator.h.
"""
import mmap
import os
import struct
import time

from vllm.v1.core.sched.scheduler import Scheduler
from vllm.v1.worker.cpu_worker import CPUWorker

SIZE = 4096
# Written by the engine: byte offset, struct code.
BUSY_NS, STEPS, TOKENS, DECODE_TOKENS, KV_TOKENS, STEP_BEGIN_NS, ENGINE_PID = 8, 16, 24, 32, 40, 48, 56
# Written by the agent: double.
CLOCK_RATIO = 128
# Written by the injector.
MAX_NUM_SEQS, KV_BLOCKS_HELD, STUCK, TOKENIZER_DELAY_US, LOG_LINES_PER_S, BATCHED_TOKENS = (
    256, 264, 272, 280, 288, 296)

STEP_SECONDS = 0.012
SECONDS_PER_PROMPT_TOKEN = 0.00015
SECONDS_PER_SEQUENCE = 0.0015
SECONDS_PER_KV_TOKEN = 1.0e-6


class SharedFile:
    """The accelerator's shared file; every field is 8 bytes, little endian, written whole."""

    def __init__(self, path: str):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if os.fstat(descriptor).st_size < SIZE:
            os.ftruncate(descriptor, SIZE)
        self.memory = mmap.mmap(descriptor, SIZE)
        os.close(descriptor)

    def integer(self, offset: int) -> int:
        return struct.unpack_from("<q", self.memory, offset)[0]

    def set_integer(self, offset: int, value: int) -> None:
        struct.pack_into("<q", self.memory, offset, value)

    def number(self, offset: int) -> float:
        return struct.unpack_from("<d", self.memory, offset)[0]


def shared_file() -> SharedFile:
    return SharedFile(os.environ["CULPRIT_ACCELERATOR"])


class EmulatedWorker(CPUWorker):
    """vLLM's CPU worker, waiting for the emulated accelerator in every step."""

    def execute_model(self, scheduler_output):
        if not hasattr(self, "accelerator"):
            self.accelerator = shared_file()
        shared = self.accelerator
        tokens = scheduler_output.total_num_scheduled_tokens
        if tokens == 0:
            return super().execute_model(scheduler_output)
        begin = time.time_ns()
        shared.set_integer(STEP_BEGIN_NS, begin)
        sequences = len(scheduler_output.num_scheduled_tokens)
        decodes = sum(1 for n in scheduler_output.num_scheduled_tokens.values() if n == 1)
        output = super().execute_model(scheduler_output)
        needed = (STEP_SECONDS + SECONDS_PER_PROMPT_TOKEN * (tokens - decodes)
                  + SECONDS_PER_SEQUENCE * sequences
                  + SECONDS_PER_KV_TOKEN * shared.integer(KV_TOKENS))
        ratio = shared.number(CLOCK_RATIO)
        end = begin + int(needed / (ratio if ratio > 0.01 else 1.0) * 1e9)
        remaining = (end - time.time_ns()) / 1e9
        if remaining > 0:
            time.sleep(remaining)
        shared.set_integer(BUSY_NS, shared.integer(BUSY_NS) + time.time_ns() - begin)
        shared.set_integer(STEPS, shared.integer(STEPS) + 1)
        shared.set_integer(TOKENS, shared.integer(TOKENS) + tokens)
        shared.set_integer(DECODE_TOKENS, shared.integer(DECODE_TOKENS) + decodes)
        shared.set_integer(STEP_BEGIN_NS, 0)
        return output


class ControlledScheduler(Scheduler):
    """vLLM's scheduler with the limits that a fault may change while it runs."""

    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        self.accelerator = shared_file()
        # An engine killed within a step leaves its stamp behind.
        self.accelerator.set_integer(STEP_BEGIN_NS, 0)
        self.accelerator.set_integer(ENGINE_PID, os.getpid())
        self.configured_sequences = self.max_num_active_reqs
        self.configured_tokens = self.max_num_scheduled_tokens
        self.held_blocks = []

    def schedule(self, *arguments, **keywords):
        self.obey_controls()
        output = super().schedule(*arguments, **keywords)
        pool = self.kv_cache_manager.block_pool
        used = pool.num_gpu_blocks - pool.get_num_free_blocks() - len(self.held_blocks)
        self.accelerator.set_integer(KV_TOKENS, max(0, used) * self.block_size)
        return output

    def obey_controls(self):
        shared = self.accelerator
        while shared.integer(STUCK):
            time.sleep(0.05)
        # Admission only: requests that run already stay, and max_num_running_reqs sizes buffers.
        self.max_num_active_reqs = shared.integer(MAX_NUM_SEQS) or self.configured_sequences
        self.max_num_scheduled_tokens = shared.integer(BATCHED_TOKENS) or self.configured_tokens
        wanted = shared.integer(KV_BLOCKS_HELD)
        pool = self.kv_cache_manager.block_pool
        while len(self.held_blocks) < wanted and pool.get_num_free_blocks() > 0:
            self.held_blocks.extend(pool.get_new_blocks(1))
        if len(self.held_blocks) > wanted:
            pool.free_blocks(self.held_blocks[wanted:])
            del self.held_blocks[wanted:]
