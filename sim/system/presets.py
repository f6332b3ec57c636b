"""Named systems: devices that decode language models, and processors that load experts."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from m3vit.hw.errors import ConfigurationError
from m3vit.sim.nearmem.unit import load_unit
from m3vit.sim.system.bound import lower_bound_ns
from m3vit.sim.system.decode import DecodeCase, decode_step
from m3vit.sim.system.near_policy import make_policy
from m3vit.sim.system.offload import OffloadMachine, run_offload
from m3vit.sim.system.processor import load_processor
from m3vit.sim.system.records import task_passes
from m3vit.sim.system.shapes import find_shape
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
    """A processor that loads experts over its link."""

    processor: str
    near: str | None


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
        "zcu104": OffloadSystem(processor="zcu104", near=None),
    }
)

DEVICES: Mapping[str, int] = MappingProxyType({"mixtral": 4, "glam": 8, "grok1": 16})
"""Devices on which Duplex's evaluation runs each model (Grok1: two nodes, taken as one ring)."""


def find_system(name: str) -> DecodeSystem | OffloadSystem:
    """A system by name.

    Raises:
        ConfigurationError: unknown name.
    """
    if name not in SYSTEMS:
        raise ConfigurationError(f"unknown machine {name!r}; known are {', '.join(SYSTEMS)}")
    return SYSTEMS[name]


def decode_record(
    name: str, network: str, batch: int, context: float, devices: int | None = None
) -> dict[str, Any]:
    """Simulate one decoding step of a language model on a named system.

    Raises:
        ConfigurationError: unknown names, or a network without a stated number of devices.
    """
    system = find_system(name)
    if not isinstance(system, DecodeSystem):
        raise ConfigurationError(f"machine {name!r} loads experts; it decodes no language model")
    count = devices or DEVICES.get(network)
    find_shape(network)
    if count is None:
        raise ConfigurationError(f"say how many devices hold {network!r} (--devices)")
    case = DecodeCase(
        shape=find_shape(network),
        processor=load_processor(system.processor),
        near=load_unit(system.near) if system.near else None,
        devices=count * system.times_devices,
        batch=batch,
        context=context,
        placement=system.placement,
        split_experts=system.split_experts,
        lockstep_attention=system.lockstep_attention,
    )
    result = decode_step(case)
    return {
        "evidence": "simulated",
        "machine": name,
        "workload": network,
        "scope": "decode only, fixed batch, uniform routing, FP16",
        "batch": batch,
        "context": context,
        "devices": case.devices,
        "read_efficiency": case.processor.read_efficiency,
        "step_ms": result.step_ms,
        "tokens_per_s": batch / result.step_ms * 1000,
        "times_ms": result.times_ms,
        "energy_mj": result.energy_mj,
        "mj_per_token": result.step_mj / batch,
        "macs": result.macs,
        "dram_bytes": result.dram_bytes,
        "experts_used": list(result.experts_used),
    }


def offload_record(
    name: str, network: str, policy: str, steps: list[Step], slots: int, dense_ns: float
) -> dict[str, Any]:
    """Run a workload on a system that loads experts, under one policy.

    Raises:
        ConfigurationError: unknown names, or a workload of another number of experts.
    """
    system = find_system(name)
    shape = find_shape(network)
    machine = OffloadMachine(
        processor=load_processor(system.processor),
        near=load_unit(system.near) if system.near else None,
        network=shape,
        slots=slots,
        dense_ns=dense_ns,
    )
    result = run_offload(machine, steps, make_policy(policy, steps, machine))
    bound = lower_bound_ns(machine, steps)
    return {
        "evidence": "simulated",
        "machine": name,
        "workload": network,
        "policy": policy,
        "steps": len(steps),
        "slots": slots,
        "dense_us": dense_ns / 1000,
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
