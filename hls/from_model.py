"""A layer from quantised integers alone, in a memory of its own, packed as a package's is."""

import numpy as np

from m3vit.hls.layer import Addresses, HlsLayer, Kind
from m3vit.hw.compiler.memory import MemoryImage
from m3vit.hw.layout.panels import natural_columns, pack
from m3vit.hw.layout.tables import gate_layer, pack_gelu, pack_layernorm
from m3vit.hw.machine import MachineConfig
from m3vit.hw.quantised import Expert, Gate, LayerNorm, Mlp


def moe_layer(
    name: str,
    machine: MachineConfig,
    *,
    tokens: int,
    top_k: int,
    norm: LayerNorm,
    gates: tuple[Gate, ...],
    mlp: Mlp,
) -> HlsLayer:
    """A mixture of experts, or with no ``gates`` the dense MLP (``top_k`` is then 1)."""
    memory = MemoryImage(unit=machine.stream_unit)
    at_norm = memory.place("norm", "tables", pack_layernorm(norm))
    at_gate, gate_stride = _place_gates(memory, gates, machine) if gates else (0, 0)
    at_gelu = memory.place("gelu", "tables", pack_gelu(mlp.gelu))
    parts = [_expert_bytes(expert, machine) for expert in mlp.experts]
    at_experts, stride = memory.place_many("experts", "experts", parts)
    return HlsLayer(
        name=name,
        kind=Kind.MOE if gates else Kind.MLP,
        machine=machine,
        tokens=tokens,
        width=norm.gamma.size,
        top_k=top_k,
        norm=norm,
        gates=gates,
        mlp=mlp,
        memory=memory.data,
        addresses=Addresses(
            norm=at_norm,
            gate=at_gate,
            gate_stride=gate_stride,
            gelu=at_gelu,
            experts=at_experts,
            expert_stride=stride,
        ),
    )


def router_layer(
    name: str, machine: MachineConfig, *, tokens: int, top_k: int, gates: tuple[Gate, ...]
) -> HlsLayer:
    """The router alone."""
    memory = MemoryImage(unit=machine.stream_unit)
    at_gate, stride = _place_gates(memory, gates, machine)
    return HlsLayer(
        name=name,
        kind=Kind.GATE,
        machine=machine,
        tokens=tokens,
        width=gates[0].weight.shape[1],
        top_k=top_k,
        norm=None,
        gates=gates,
        mlp=None,
        memory=memory.data,
        addresses=Addresses(gate=at_gate, gate_stride=stride),
    )


def _place_gates(
    memory: MemoryImage, gates: tuple[Gate, ...], machine: MachineConfig
) -> tuple[int, int]:
    columns = natural_columns(machine, 2 * gates[0].bias.size)
    layers = [gate_layer(gate) for gate in gates]
    parts = [pack(layer, columns, machine, flags) for layer, flags in layers]
    return memory.place_many("gates", "gates", parts)


def _expert_bytes(expert: Expert, machine: MachineConfig) -> bytes:
    classes = expert.hidden_class.astype(np.uint16)
    first = pack(expert.fc1, natural_columns(machine, expert.fc1.bias.size), machine, classes)
    return first + pack(expert.fc2, natural_columns(machine, expert.fc2.bias.size), machine)
