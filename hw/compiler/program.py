"""From the quantised model to commands and a memory image.

The list is the same for every image, task and routing: a data-dependent layer is the static pair
GATE, EXPERTS, and the task only offsets the gate's address.
"""

from dataclasses import dataclass, field

import numpy as np

from m3vit.hw.commands.fields import Base, Element, Flag, Op, Post, Store
from m3vit.hw.commands.word import Command
from m3vit.hw.compiler.memory import MemoryImage
from m3vit.hw.compiler.tracing import TraceMap
from m3vit.hw.formats import UInt16
from m3vit.hw.layout.panels import head_columns, natural_columns, pack
from m3vit.hw.layout.tables import gate_layer, pack_gelu, pack_layernorm
from m3vit.hw.machine import CONTRACT_VERSION, MachineConfig
from m3vit.hw.quantised import Attention, Block, Expert, Gate, LayerNorm, Linear, QuantisedModel

_NONE = Flag(0)


@dataclass
class Program:
    """What the compiler builds: commands, the memory they address and the trace they can write."""

    model: QuantisedModel
    machine: MachineConfig
    memory: MemoryImage = field(default_factory=MemoryImage)
    trace: TraceMap = field(default_factory=TraceMap)
    commands: list[Command] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        """Tokens of the image."""
        return self.model.config.tokens

    @property
    def width(self) -> int:
        """Channels of the residual."""
        return self.model.config.width

    def emit(
        self,
        op: Op,
        src: Store = Store.NONE,
        dst: Store = Store.NONE,
        flags: Flag = _NONE,
        block: int = 0,
        tokens: int | None = None,
        **operands: int,
    ) -> None:
        """Append one command; the loop nest's block size follows from its order."""
        ordered = flags & Flag.BLOCK_ORDER
        machine = self.machine
        pairs = machine.normal_block_pairs if ordered else machine.accumulator_pairs
        self.commands.append(
            Command(
                op=op,
                flags=flags,
                block=block,
                src=src,
                dst=dst,
                tokens=self.tokens if tokens is None else tokens,
                pairs=pairs if op in (Op.GEMM, Op.ATTN, Op.EXPERTS, Op.GATE) else 0,
                operands=operands,
            )
        )

    def dump(self, name: str, store: Store, block: int, element: Element, columns: int) -> None:
        """Append the trace-only copy of a store to DRAM."""
        region = self.trace.add(name, block, element, self.tokens, columns)
        self.emit(
            Op.DMA,
            src=store,
            flags=Flag.WRITE | Flag.TRACE_ONLY,
            block=block,
            base=Base.TRACE,
            address=region.offset,
            elements=columns,
            stride=region.stride,
            element=element,
            first_token=0,
            first_channel=0,
        )


def emit_program(model: QuantisedModel, machine: MachineConfig) -> Program:
    """Compile ``model`` for ``machine``; limits are checked by the caller."""
    program = Program(model=model, machine=machine)
    _emit_config(program)
    _emit_embedding(program)
    for number, block in enumerate(model.blocks):
        _emit_norm(program, block.norm1, number, "norm1")
        _emit_attention(program, block.attention, number)
        program.dump("mid", Store.RES, number, Element.INT32, program.width)
        _emit_norm(program, block.norm2, number, "norm2")
        _emit_mlp(program, block, number)
        program.dump("out", Store.RES, number, Element.INT32, program.width)
    _emit_result(program)
    return program


def _emit_config(program: Program) -> None:
    config = program.model.config
    program.emit(
        Op.CONFIG,
        contract=CONTRACT_VERSION,
        digest=int(program.machine.digest[:16], 16),
        width=config.width,
        heads=config.heads,
        experts=config.experts if config.moe_blocks else 0,
        top_k=config.top_k if config.moe_blocks else 0,
    )


def _emit_embedding(program: Program) -> None:
    model, width = program.model, program.width
    rows = np.ascontiguousarray(model.position, "<i2")
    address = program.memory.place("position", "position", rows.tobytes())
    program.emit(
        Op.DMA,
        dst=Store.RES,
        base=Base.PACKAGE,
        address=address,
        elements=width,
        stride=2 * width,
        element=Element.INT16,
        first_token=0,
        first_channel=0,
    )
    flags = Flag.BLOCK_ORDER | Flag.ADD
    address = _place_linear(program, "embedding", "dense", model.embedding)
    _emit_gemm(
        program, model.embedding, address, Store.IMAGE, 0, flags, program.tokens - 1, first_token=1
    )
    program.dump("embed", Store.RES, 0, Element.INT32, width)


def _place_linear(program: Program, name: str, kind: str, layer: Linear) -> int:
    columns = natural_columns(program.machine, layer.bias.size)
    return program.memory.place(name, kind, pack(layer, columns, program.machine))


def _emit_gemm(
    program: Program,
    layer: Linear,
    address: int,
    src: Store,
    block: int,
    flags: Flag,
    tokens: int,
    first_token: int,
) -> None:
    outputs, inner = layer.weight.shape
    program.emit(
        Op.GEMM,
        src=src,
        dst=Store.RES,
        flags=flags,
        block=block,
        tokens=tokens,
        weights=address,
        source=0,
        inner=inner,
        outputs=outputs,
        panels_group=_panels_group(program.machine, outputs, inner),
        src_channel=0,
        dst_channel=0,
        first_token=first_token,
        post=Post.RESIDUAL,
        head_dim=0,
        heads=0,
        shift=layer.shift,
        shift_key=0,
        shift_query=0,
    )


def _panels_group(machine: MachineConfig, outputs: int, inner: int) -> int:
    """Panels that fit nine tenths of the ring, so that the next operator can already be fetched."""
    tiles = -(-inner // machine.rows)
    panel = machine.panel * 8 + tiles * machine.tile_bytes
    return max(1, min(-(-outputs // machine.panel), int(0.9 * machine.ring_bytes) // panel))


def _emit_norm(program: Program, norm: LayerNorm, block: int, name: str) -> None:
    table = program.memory.place(f"blocks.{block}.{name}", "tables", pack_layernorm(norm))
    program.emit(
        Op.NORM,
        src=Store.RES,
        dst=Store.XN,
        block=block,
        table=table,
        width=program.width,
        epsilon=norm.epsilon,
        shift=norm.shift,
    )
    program.dump(name, Store.XN, block, Element.INT8, program.width)


def _emit_attention(program: Program, attention: Attention, block: int) -> None:
    groups, heads = program.machine.groups, program.model.config.heads
    for first in range(0, heads, groups):
        live = min(groups, heads - first)
        _emit_round(program, attention, block, first, live)
        _emit_attn(program, attention, block, first, live)
    program.dump("attention", Store.QOH, block, Element.INT8, program.width)
    address = _place_linear(program, f"blocks.{block}.proj", "dense", attention.proj)
    flags = Flag.BLOCK_ORDER | Flag.ADD
    _emit_gemm(program, attention.proj, address, Store.QOH, block, flags, program.tokens, 0)


def _emit_round(program: Program, attention: Attention, block: int, first: int, live: int) -> None:
    """V, K and Q panels of up to ``groups`` heads, in this order."""
    machine, head_dim = program.machine, program.model.config.head_dim
    columns = head_columns(machine, first, live, head_dim)
    layers = (attention.value, attention.key, attention.query)
    data = b"".join(pack(layer, columns, machine) for layer in layers)
    address = program.memory.place(f"blocks.{block}.qkv.{first}", "dense", data)
    panels = 3 * len(columns)
    program.emit(
        Op.GEMM,
        src=Store.XN,
        dst=Store.KV,
        flags=Flag.BLOCK_ORDER if first == 0 else _NONE,
        block=block,
        weights=address,
        source=0,
        inner=program.width,
        outputs=live * head_dim,
        panels_group=min(panels, _panels_group(machine, panels * machine.panel, program.width)),
        src_channel=0,
        dst_channel=first * head_dim,
        first_token=0,
        post=Post.QKV,
        head_dim=head_dim,
        heads=live,
        shift=attention.value.shift,
        shift_key=attention.key.shift,
        shift_query=attention.query.shift,
    )


def _emit_attn(program: Program, attention: Attention, block: int, first: int, live: int) -> None:
    per_head: dict[str, int] = {}
    for slot in range(4):
        head, used = first + slot, slot < live
        per_head[f"score_shift{slot}"] = int(attention.score_shift[head]) if used else 0
        per_head[f"gain{slot}"] = int(attention.output_gain[head]) if used else 0
        per_head[f"gain_shift{slot}"] = int(attention.output_shift[head]) if used else 0
    head_dim = program.model.config.head_dim
    program.emit(
        Op.ATTN,
        src=Store.KV,
        dst=Store.QOH,
        block=block,
        channel=first * head_dim,
        heads=live,
        head_dim=head_dim,
        **per_head,
    )


def _emit_mlp(program: Program, block: Block, number: int) -> None:
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
    address, stride = program.memory.place_many(f"blocks.{block}.gates", "gates", parts)
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


def _emit_result(program: Program) -> None:
    program.emit(
        Op.DMA,
        src=Store.RES,
        flags=Flag.WRITE,
        base=Base.RESULT,
        address=0,
        elements=program.width,
        stride=2 * program.width,
        element=Element.INT16,
        first_token=0,
        first_channel=0,
    )
    program.emit(Op.END, flags=Flag.INTERRUPT, tokens=0, status=0)
