"""The stored decode records of the Duplex authors' simulator, and ours for the same cases."""

from functools import cache
from typing import Any

from m3vit.sim.nearmem.command_level import run_port
from m3vit.sim.nearmem.unit import load_unit
from m3vit.sim.system.decode import DecodeResult, decode_step
from m3vit.sim.system.decode_case import DecodeCase
from m3vit.sim.system.processor import load_processor
from m3vit.sim.system.shapes import find_shape
from tests.sim.reference import stored

CONTEXT = {256: 308.0, 1024: 1808.0, 4096: 5850.0}
"""Mean cached tokens a sequence.  The records do not state it; it follows from the attention energy
of their GPU rows (bytes = energy / 0.029 nJ), and is used for all other rows and for all times."""

_MODES: dict[str, tuple[str | None, int, str, bool]] = {
    "GPU": (None, 4, "processor", False),
    "2xGPU": (None, 8, "processor", False),
    "Duplex": ("logic-pim", 4, "faster-unit", False),
    "Duplex+PE": ("logic-pim", 4, "co-process", False),
    "Duplex+PE+ET": ("logic-pim", 4, "co-process", True),
    "BankPIM": ("bank-pim", 4, "faster-unit", False),
}

STAGES = {
    "expert": "expert_ms",
    "attention": "attn_gen_ms",
    "communication": "comm_ms",
    "qkv": "qkv_ms",
    "projection": "oproj_ms",
}
ENERGIES = {
    "dense_dram": "fc_dram_mJ",
    "dense_compute": "fc_comp_mJ",
    "attention_dram": "attn_dram_mJ",
    "attention_compute": "attn_comp_mJ",
    "moe_dram": "moe_dram_mJ",
    "moe_compute": "moe_comp_mJ",
}

EXPLAINED = {
    ("2xGPU", 64, 256, "projection"): "the record gives 0.0567 and 0.0735 ms for this same work at "
    "two context lengths; ours lies between",
    (
        "Duplex+PE",
        64,
        256,
        "attention",
    ): "one refresh (430 ns) falls into the record's single run of "
    "each stream (keys, values; about 1 us) or not; ours is the mean over phases",
    ("BankPIM", 32, 1024, "attention"): "as above",
    ("BankPIM", 64, 256, "attention"): "a stream of 236 ns: the record has 33 ns more of start",
    ("BankPIM", 64, 1024, "attention"): "as above",
    ("BankPIM", 128, 256, "attention"): "as above",
}
"""Stages more than 10 % from the record, each with its reason."""


def records() -> list[dict[str, Any]]:
    """The stored records."""
    found: list[dict[str, Any]] = stored("duplex_decode.json.gz")
    return found


@cache
def simulated(mode: str, batch: int, length: int) -> DecodeResult:
    """Our run of a stored case."""
    unit, devices, placement, split = _MODES[mode]
    return decode_step(
        DecodeCase(
            shape=find_shape("mixtral"),
            processor=load_processor("h100"),
            near=load_unit(unit) if unit else None,
            devices=devices,
            batch=batch,
            context=CONTEXT[length],
            placement=placement,
            split_experts=split,
            lockstep_attention=mode == "BankPIM",
        )
    )


def errors(record: dict[str, Any]) -> dict[str, float]:
    """Relative error of every stage, the total time, every energy and the total energy."""
    run = simulated(record["mode"], record["batch"], record["L"])
    found = {stage: run.times_ms[stage] / record[key] - 1 for stage, key in STAGES.items()}
    found["total"] = run.step_ms / record["tbt_ms"] - 1
    for name, key in ENERGIES.items():
        found[name] = run.energy_mj[name] / record[key] - 1
    found["energy"] = run.step_mj / record["energy_mJ_step"] - 1
    return found


def attention_outcomes(record: dict[str, Any]) -> list[float]:
    """Attention in ms for every pair of moments at which the streams of keys and values may start
    between two refreshes."""
    shape, mode = find_shape("mixtral"), record["mode"]
    unit = load_unit(_MODES[mode][0] or "")
    elements = record["batch"] * CONTEXT[record["L"]] * shape.kv_heads * shape.head_width
    port_bytes = int(2 * elements / 4 / unit.ports)
    queries = shape.heads / shape.kv_heads
    repeats = max(1.0, queries / unit.op_per_byte) if mode == "BankPIM" else 1.0
    streams = {run_port(unit, port_bytes, 1, phase=n / 8).time_ns for n in range(8)}
    return [shape.layers * repeats * (k + v) / 1e6 for k in streams for v in streams]
