"""The dense MLP and the experts as one operator: GATE where there is a choice, then EXPERTS."""

import numpy as np

from m3vit.hw.commands.fields import Element, Flag, Op, Store
from m3vit.hw.compiler.builder import Program
from m3vit.hw.formats import UInt16
from m3vit.hw.layout.panels import natural_columns, pack
from m3vit.hw.layout.sizes import SLICE_BYTES
from m3vit.hw.layout.tables import gate_layer, pack_gelu
from m3vit.hw.machine import MachineConfig
from m3vit.hw.quantised import Block, Expert, Gate


def emit_mlp(program: Program, block: Block, number: int) -> None:
    """The block's gate, if it has one, its GELU tables and all its experts or chunks."""
    config, machine = program.model.config, program.machine
    flags = Flag.IDENTITY
    if block.gates:
        _emit_gate(program, block.gates, number)
        flags = Flag.SPECULATE | Flag.REORDER
    gelu = program.memory.place(f"blocks.{number}.gelu", "tables", pack_gelu(block.mlp.gelu))
    experts = block.mlp.experts
    parts = [_pack_expert(expert, machine) for expert in experts]
    kind = "experts" if block.gates else "dense"
    address, stride = program.memory.place_many(f"blocks.{number}.mlp", kind, parts)
    program.emit(
        Op.EXPERTS,
        src=Store.XN,
        dst=Store.RES,
        flags=flags | Flag.ADD,
        block=number,
        weights=address,
        stride=stride,
        gelu=gelu,
        experts=len(experts),
        top_k=config.top_k if block.gates else len(experts),
        hidden=experts[0].fc1.bias.size,
        width=config.width,
        shift1=experts[0].fc1.shift,
        shift2=experts[0].fc2.shift,
        guard=block.mlp.guard_bits,
    )


def _pack_expert(expert: Expert, machine: MachineConfig) -> bytes:
    flags: UInt16 = expert.hidden_class.astype(np.uint16)
    first = pack(expert.fc1, natural_columns(machine, expert.fc1.bias.size), machine, flags)
    second = pack(expert.fc2, natural_columns(machine, expert.fc2.bias.size), machine)
    return first + second


def _emit_gate(program: Program, gates: tuple[Gate, ...], block: int) -> None:
    machine = program.machine
    columns = natural_columns(machine, 2 * gates[0].bias.size)
    layers = [gate_layer(gate) for gate in gates]
    parts = [pack(layer, columns, machine, flags) for layer, flags in layers]
    address, stride = program.memory.place_many(
        f"blocks.{block}.gates", "gates", parts, SLICE_BYTES
    )
    config = program.model.config
    program.emit(
        Op.GATE,
        src=Store.XN,
        dst=Store.PLAN,
        block=block,
        weights=address,
        stride=stride,
        experts=config.experts,
        top_k=config.top_k,
        width=config.width,
    )
    program.dump("plan", Store.PLAN, block, Element.PLAN, config.top_k)
