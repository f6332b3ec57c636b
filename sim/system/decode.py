"""One decoding step of a language model on processors whose memory computes as well.

Attention and dense layers are split over the devices (tensor parallel) with a ring all-reduce
after each half of a layer; experts lie whole on devices or are split over them.  Stages follow one
another; the slowest device decides.  Linear layers read inputs and weights and write outputs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from math import ceil

import numpy as np

from m3vit.hw.errors import ConfigurationError
from m3vit.sim.nearmem.tables import near_energy_nj, near_time_ns
from m3vit.sim.system.decode_case import ACTIVATION_BYTES, DecodeCase
from m3vit.sim.system.placement import Place, UnitTimes, find_placement


@dataclass(frozen=True, kw_only=True)
class DecodeResult:
    """Times in ms and energies in mJ of one step over all devices, by stage.

    ``macs`` and ``dram_bytes`` are those of all devices; ``experts_used`` counts the active experts
    of each layer that has them.
    """

    times_ms: dict[str, float]
    energy_mj: dict[str, float]
    macs: int
    dram_bytes: int
    experts_used: tuple[int, ...]

    @property
    def step_ms(self) -> float:
        """Time between tokens."""
        return sum(self.times_ms.values())

    @property
    def step_mj(self) -> float:
        """Energy of one step."""
        return sum(self.energy_mj.values())


def decode_step(case: DecodeCase) -> DecodeResult:
    """Simulate one step with uniformly random routing, drawn anew for every layer."""
    experts = _experts(case)
    shape, layers = case.shape, case.shape.layers
    qkv_columns = (shape.heads + 2 * shape.kv_heads) * shape.head_width
    inner = shape.heads * shape.head_width
    qkv = _linear(case, shape.width, qkv_columns / case.devices)
    out = _linear(case, inner / case.devices, shape.width)
    plain_layers = layers - shape.moe_layers
    up = _linear(case, shape.width, shape.hidden / case.devices)
    down = _linear(case, shape.hidden / case.devices, shape.width)
    feed_forward = _Work(
        time_ns=(shape.matrices - 1) * up.time_ns + down.time_ns,
        moved=(shape.matrices - 1) * up.moved + down.moved,
    )
    attention = _attention(case)
    operation_nj = case.processor.operation_pj / 1000
    moe_operations = 2.0 * shape.expert_elements * case.rows * shape.top_k * shape.moe_layers
    dense_operations = 2.0 * case.rows * shape.width * (qkv_columns + inner) * layers
    dense_operations += 2.0 * case.rows * shape.plain_elements * plain_layers
    reductions = 3 if case.split_experts else 2
    reduce_ns = case.all_reduce_ns()
    attention_operations = attention.operations * layers
    dense_bytes = case.devices * (
        (qkv.moved + out.moved) * layers + feed_forward.moved * plain_layers
    )
    return DecodeResult(
        times_ms={
            "expert": experts.time_ns / 1e6,
            "attention": attention.time_ns * layers / 1e6,
            "communication": reductions * reduce_ns * layers / 1e6,
            "qkv": qkv.time_ns * layers / 1e6,
            "projection": out.time_ns * layers / 1e6,
            "feed_forward": feed_forward.time_ns * plain_layers / 1e6,
        },
        energy_mj={
            "dense_dram": dense_bytes * case.processor.byte_nj / 1e6,
            "dense_compute": dense_operations * operation_nj / 1e6,
            "attention_dram": attention.energy_nj * layers / 1e6,
            "attention_compute": attention_operations * operation_nj / 1e6,
            "moe_dram": experts.energy_nj / 1e6,
            "moe_compute": moe_operations * operation_nj / 1e6,
        },
        macs=round((moe_operations + dense_operations + attention_operations) / 2),
        dram_bytes=round(dense_bytes + attention.moved * layers + experts.moved),
        experts_used=experts.used,
    )


@dataclass(frozen=True, kw_only=True)
class _Work:
    """One stage: its time, bytes from DRAM, their energy, operations, and experts with tokens."""

    time_ns: float
    moved: float
    energy_nj: float = 0.0
    operations: float = 0.0
    used: tuple[int, ...] = ()


def _linear(case: DecodeCase, inputs: float, outputs: float) -> _Work:
    """One linear layer on one device's processor."""
    weights = inputs * outputs * case.shape.weight_bytes
    read = weights + case.rows * inputs * ACTIVATION_BYTES
    written = case.rows * outputs * ACTIVATION_BYTES
    time = case.processor.time_ns(2.0 * case.rows * inputs * outputs, read, written)
    return _Work(time_ns=time, moved=read + written)


def _attention(case: DecodeCase) -> _Work:
    """One layer's attention of the batch and of a prefill, side by side when co-processing."""
    batch, fresh = _batch_attention(case), _prefill_attention(case)
    together = case.placement == "co-process"
    times = (batch.time_ns, fresh.time_ns)
    return _Work(
        time_ns=max(times) if together else sum(times),
        moved=batch.moved + fresh.moved,
        energy_nj=batch.energy_nj + fresh.energy_nj,
        operations=batch.operations + fresh.operations,
    )


def _prefill_attention(case: DecodeCase) -> _Work:
    """Causal attention of the new sequence to itself: scores stay on chip, each tensor moves once
    over the processors' memory."""
    shape, tokens = case.shape, case.prefill
    if not tokens:
        return _Work(time_ns=0.0, moved=0.0)
    columns = 2 * (shape.heads + shape.kv_heads) * shape.head_width
    moved = tokens * columns * ACTIVATION_BYTES
    operations = 2.0 * tokens * tokens * shape.heads * shape.head_width
    time = case.processor.time_ns(operations / case.devices, moved / case.devices)
    energy = moved * case.processor.byte_nj
    return _Work(time_ns=time, moved=moved, energy_nj=energy, operations=operations)


def _batch_attention(case: DecodeCase) -> _Work:
    """Attention of the batch: keys first, values after them; bytes of all devices."""
    shape = case.shape
    elements = 2.0 * case.batch * case.context * shape.kv_heads * shape.head_width
    size = elements * ACTIVATION_BYTES
    queries = shape.heads / shape.kv_heads
    operations = 2.0 * queries * elements
    per_device = size / case.devices
    if case.near is None or case.placement == "processor":
        time = 2 * case.processor.time_ns(operations / case.devices / 2, per_device / 2)
        energy = size * case.processor.byte_nj
        return _Work(time_ns=time, moved=size, energy_nj=energy, operations=operations)
    time = 2 * near_time_ns(
        case.near, per_device / 2, 1 if case.lockstep_attention else ceil(queries)
    )
    if case.lockstep_attention:
        time *= max(1.0, queries / case.near.op_per_byte)
    energy = near_energy_nj(case.near, size)
    return _Work(time_ns=time, moved=size, energy_nj=energy, operations=operations)


def _experts(case: DecodeCase) -> _Work:
    """The experts of all layers.

    Where there are more devices than experts, several devices split each of them.
    """
    shape, devices = case.shape, case.devices
    copies = devices if case.split_experts else max(1, devices // shape.experts)
    share = shape.expert_bytes / copies
    times = _unit_times(case, share)
    decide = find_placement(case.placement)
    total_ns = total_nj = 0.0
    used = []
    for tokens in _routing(case.seed, shape.moe_layers, case.rows, shape.experts, shape.top_k):
        groups = [tokens] if case.split_experts else _by_device(tokens, devices // copies)
        slowest = 0.0
        for group in groups:
            places = decide(group, times)
            slowest = max(slowest, _group_ns(case, group, places, times))
            total_nj += copies * _group_nj(case, group, places, share)
        total_ns += slowest
        used.append(sum(count > 0 for count in tokens))
    moved = sum(used) * shape.expert_bytes
    return _Work(time_ns=total_ns, moved=moved, energy_nj=total_nj, used=tuple(used))


def _unit_times(case: DecodeCase, share: float) -> UnitTimes:
    operations = 2.0 * share / case.shape.weight_bytes

    def processor(tokens: int) -> float:
        return case.processor.time_ns(operations * tokens, share) if tokens else 0.0

    def near(tokens: int) -> float:
        return near_time_ns(case.near, share, tokens) if case.near else float("inf")

    return UnitTimes(processor=cache(processor), near=cache(near))


def _by_device(tokens: Sequence[int], devices: int) -> list[list[int]]:
    if len(tokens) % devices:
        raise ConfigurationError(
            f"{len(tokens)} experts cannot be shared evenly by {devices} devices"
        )
    each = len(tokens) // devices
    return [list(tokens[i * each : (i + 1) * each]) for i in range(devices)]


def _group_ns(
    case: DecodeCase, tokens: Sequence[int], places: Sequence[Place], times: UnitTimes
) -> float:
    """Both units side by side when co-processing, else one after the other."""
    busy = {Place.PROCESSOR: 0.0, Place.NEAR: 0.0}
    for count, place in zip(tokens, places, strict=True):
        busy[place] += times.near(count) if place is Place.NEAR else times.processor(count)
    together = case.placement == "co-process"
    return max(busy.values()) if together else sum(busy.values())


def _group_nj(
    case: DecodeCase, tokens: Sequence[int], places: Sequence[Place], share: float
) -> float:
    energy = 0.0
    for count, place in zip(tokens, places, strict=True):
        if count and place is Place.NEAR and case.near is not None:
            energy += near_energy_nj(case.near, share)
        elif count:
            energy += share * case.processor.byte_nj
    return energy


@lru_cache(maxsize=256)
def _routing(
    seed: int, layers: int, tokens: int, experts: int, top_k: int
) -> tuple[list[int], ...]:
    """Tokens per expert of every layer; machines that are compared get the same draw."""
    generator = np.random.Generator(np.random.PCG64(seed))
    return tuple(route_uniformly(generator, tokens, experts, top_k) for _ in range(layers))


def route_uniformly(
    generator: np.random.Generator, tokens: int, experts: int, top_k: int
) -> list[int]:
    """Tokens per expert when every token chooses ``top_k`` different experts at random."""
    order = np.argpartition(generator.random((tokens, experts)), top_k - 1, axis=1)[:, :top_k]
    return [int(count) for count in np.bincount(order.ravel(), minlength=experts)]
