"""Named systems: devices that decode language models, and processors that load experts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from m3vit.hw.errors import ConfigurationError
from m3vit.sim.nearmem.unit import load_unit
from m3vit.sim.system.board import MODELS, cost_numbers, recorded_numbers
from m3vit.sim.system.bound import lower_bound_ns
from m3vit.sim.system.decode import decode_step
from m3vit.sim.system.decode_case import DecodeCase
from m3vit.sim.system.near_policy import make_policy
from m3vit.sim.system.offload import OffloadMachine, run_offload
from m3vit.sim.system.processor import Processor, load_processor
from m3vit.sim.system.records import task_passes
from m3vit.sim.system.shapes import NetworkShape, find_shape
from m3vit.sim.system.workload import Step


@dataclass(frozen=True, kw_only=True)
class DecodeSystem:
    """Devices that hold all weights; times of a decoding step."""

    processor: str
    near: str | None
    placement: str
    split_experts: bool = False
    lockstep_attention: bool = False
    times_devices: int = 1


@dataclass(frozen=True, kw_only=True)
class OffloadSystem:
    """A processor that loads experts over its link.

    ``machine`` names the preset of an accelerator of this project, whose rates depend on the model.
    """

    processor: str
    near: str | None
    machine: str = ""


SYSTEMS: Mapping[str, DecodeSystem | OffloadSystem] = MappingProxyType(
    {
        "gpu": DecodeSystem(processor="h100", near=None, placement="processor"),
        "2xgpu": DecodeSystem(processor="h100", near=None, placement="processor", times_devices=2),
        "duplex": DecodeSystem(processor="h100", near="logic-pim", placement="faster-unit"),
        "duplex-pe": DecodeSystem(processor="h100", near="logic-pim", placement="co-process"),
        "duplex-pe-et": DecodeSystem(
            processor="h100", near="logic-pim", placement="co-process", split_experts=True
        ),
        "bank-pim": DecodeSystem(
            processor="h100", near="bank-pim", placement="faster-unit", lockstep_attention=True
        ),
        "a100-offload": OffloadSystem(processor="a100", near=None),
        "rtx8000-offload": OffloadSystem(processor="rtx8000", near=None),
        "monde": OffloadSystem(processor="a100", near="monde"),
        "zcu104": OffloadSystem(processor="zcu104", near=None, machine="zcu104"),
    }
)

DEVICES: Mapping[str, int] = MappingProxyType({"mixtral": 4, "glam": 8, "grok1": 16})
"""Devices on which Duplex's evaluation runs each model (Grok1: two nodes)."""

NODE_DEVICES = 8
"""Devices of one node; rings over more than one cross the network."""


def find_system(name: str) -> DecodeSystem | OffloadSystem:
    """A system by name.

    Raises:
        ConfigurationError: unknown name.
    """
    if name not in SYSTEMS:
        raise ConfigurationError(f"unknown machine {name!r}; known are {', '.join(SYSTEMS)}")
    return SYSTEMS[name]


def decode_case(
    name: str,
    network: str,
    batch: int,
    context: float,
    devices: int | None = None,
    prefill: int = 0,
) -> DecodeCase:
    """One step of a language model on a named system.

    Raises:
        ConfigurationError: unknown names, or a network without a stated number of devices.
    """
    system = find_system(name)
    if not isinstance(system, DecodeSystem):
        raise ConfigurationError(f"machine {name!r} loads experts; it decodes no language model")
    shape = find_shape(network)
    count = (devices or DEVICES.get(network, 0)) * system.times_devices
    if not count:
        raise ConfigurationError(f"say how many devices hold {network!r} (--devices)")
    return DecodeCase(
        shape=shape,
        processor=load_processor(system.processor),
        near=load_unit(system.near) if system.near else None,
        devices=count,
        batch=batch,
        context=context,
        placement=system.placement,
        split_experts=system.split_experts,
        lockstep_attention=system.lockstep_attention,
        prefill=prefill,
        nodes=-(-count // NODE_DEVICES),
    )


def decode_record(
    name: str,
    network: str,
    batch: int,
    context: float,
    devices: int | None = None,
    prefill: int = 0,
) -> dict[str, Any]:
    """Simulate one decoding step of a language model on a named system.

    Raises:
        ConfigurationError: as ``decode_case``, or sizes that cannot be run.
    """
    case = decode_case(name, network, batch, context, devices, prefill)
    result = decode_step(case)
    scope = f"decode beside {prefill} tokens of prefill" if prefill else "decode only"
    return {
        "evidence": "simulated",
        "machine": name,
        "workload": network,
        "scope": f"{scope}, fixed batch, uniform routing, FP16",
        "near_unit": case.near.name if case.near else None,
        "batch": batch,
        "context": context,
        "devices": case.devices,
        "read_efficiency": case.processor.read_efficiency,
        "step_ms": result.step_ms,
        "prefill": prefill,
        "tokens_per_s": batch / result.step_ms * 1000,
        "times_ms": result.times_ms,
        "energy_mj": result.energy_mj,
        "mj_per_token": result.step_mj / batch,
        "macs": result.macs,
        "dram_bytes": result.dram_bytes,
        "experts_used": list(result.experts_used),
    }


def offload_machine(
    name: str,
    network: str,
    *,
    slots: int,
    tokens: int,
    dense_ns: float | None = None,
    records: Path | None = None,
) -> tuple[OffloadMachine, str]:
    """A system that loads experts of a network, and where its rates come from.

    Without ``dense_ns``, what a block of ``tokens`` tokens takes beside its experts follows from
    the processor's rates, or for our accelerator on its model's own tokens from its cost model,
    scaled to ``records``.

    Raises:
        ConfigurationError: unknown names, or records for a machine that is not ours.
    """
    system, shape = find_system(name), find_shape(network)
    processor = load_processor(system.processor)
    source = processor.source
    ours = system.machine if isinstance(system, OffloadSystem) and network in MODELS else ""
    if records and not ours:
        raise ConfigurationError(
            f"records set the rates of zcu104 on {' or '.join(MODELS)}, not of {name} on {network}"
        )
    between = None
    if ours:
        numbers = cost_numbers(ours, MODELS[network])
        numbers = recorded_numbers(numbers, records) if records else numbers
        processor, source = replace(processor, **numbers.rates()), numbers.source
        between = numbers.dense_ns if tokens == numbers.tokens else None
    if between is None:
        between = roofline_ns(shape, processor, tokens)
    machine = OffloadMachine(
        processor=processor,
        near=load_unit(system.near) if system.near else None,
        network=shape,
        slots=slots,
        dense_ns=between if dense_ns is None else dense_ns,
    )
    return machine, source


def offload_record(
    name: str,
    network: str,
    policy: str,
    steps: list[Step],
    slots: int,
    dense_ns: float | None = None,
    records: Path | None = None,
) -> dict[str, Any]:
    """Run a workload on a system that loads experts, under one policy.

    Raises:
        ConfigurationError: as ``offload_machine``, or a workload of another number of experts.
    """
    shape = find_shape(network)
    tokens = round(sum(sum(step.tokens) for step in steps) / len(steps) / shape.top_k)
    machine, rates = offload_machine(
        name, network, slots=slots, tokens=tokens, dense_ns=dense_ns, records=records
    )
    result = run_offload(machine, steps, make_policy(policy, steps, machine))
    bound = lower_bound_ns(machine, steps)
    return {
        "evidence": "simulated",
        "machine": name,
        "workload": network,
        "near_unit": machine.near.name if machine.near else None,
        "policy": policy,
        "steps": len(steps),
        "slots": slots,
        "dense_us": machine.dense_ns / 1000,
        "rates": rates,
        "load_us": machine.load_ns / 1000,
        "total_ms": result.total_ns / 1e6,
        "block_us": result.mean_block_ns / 1000,
        "bound_ms": bound / 1e6,
        "over_bound": result.total_ns / bound,
        "loads": result.loads,
        "preloads": result.preloads,
        "hits": result.hits,
        "near": result.near,
        "busy_ms": {
            "link": result.link_busy_ns / 1e6,
            "processor": result.processor_busy_ns / 1e6,
            "near": result.near_busy_ns / 1e6,
        },
        "by_task": task_passes(machine, steps, result),
    }


def roofline_ns(shape: NetworkShape, processor: Processor, tokens: int) -> float:
    """What lies between two expert layers on the processor: attention and plain layers."""
    projections = 4 * shape.width * shape.heads * shape.head_width * shape.moe_every
    elements = projections + shape.plain_elements * (shape.moe_every - 1)
    return processor.time_ns(2.0 * elements * tokens, elements * shape.weight_bytes)
