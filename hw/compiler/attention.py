"""Attention as commands: rounds of as many heads as the array has groups, then proj."""

from m3vit.hw.commands.fields import HEADS_IN_FLIGHT, Element, Flag, Op, Post, Store
from m3vit.hw.compiler.builder import Program
from m3vit.hw.compiler.linear import emit_gemm, panels_group, place_linear
from m3vit.hw.layout.panels import head_columns, pack
from m3vit.hw.quantised import Attention


def emit_attention(program: Program, attention: Attention, block: int) -> None:
    """Q, K, V and A*V of every round of heads, then the projection into the residual."""
    groups, heads = program.machine.groups, program.model.config.heads
    for first in range(0, heads, groups):
        live = min(groups, heads - first)
        _emit_round(program, attention, block, first, live)
        _emit_attn(program, attention, block, first, live)
    program.dump("attention", Store.QOH, block, Element.INT8, program.width)
    address = place_linear(program, f"blocks.{block}.proj", "dense", attention.proj)
    flags = Flag.BLOCK_ORDER | Flag.ADD
    emit_gemm(program, attention.proj, address, Store.QOH, block, flags, program.tokens, 0)


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
        flags=Flag.BLOCK_ORDER if first == 0 else Flag(0),
        block=block,
        weights=address,
        inner=program.width,
        outputs=live * head_dim,
        panels_group=min(panels, panels_group(machine, panels * machine.panel, program.width)),
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
    for slot in range(HEADS_IN_FLIGHT):
        head, used = first + slot, slot < live
        per_head[f"score_shift{slot}"] = int(attention.score_shift[head]) if used else 0
        per_head[f"gain{slot}"] = int(attention.output_gain[head]) if used else 0
        per_head[f"gain_shift{slot}"] = int(attention.output_shift[head]) if used else 0
    head_dim = program.model.config.head_dim
    program.emit_operands(
        Op.ATTN,
        {"channel": first * head_dim, "heads": live, "head_dim": head_dim, **per_head},
        src=Store.KV,
        dst=Store.QOH,
        block=block,
    )
