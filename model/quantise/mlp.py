"""Experts, and dense MLPs as chunks of the width: two linear layers around the GELU tables."""

from dataclasses import dataclass, replace

import numpy as np

from m3vit.hw.formats import Float64, UInt8
from m3vit.hw.quantised import Expert, Mlp
from m3vit.model.quantise.gelu import (
    MINIMUM_TOKENS,
    GeluTables,
    classes,
    input_range,
    make_tables,
    narrow_limit,
)
from m3vit.model.quantise.linear import Affine, affine, common_shift, integers, scale_inputs
from m3vit.model.quantise.ranges import ChannelRange
from m3vit.model.quantise.scales import HEADROOM, guard_bits
from m3vit.model.quantise.source import Source


@dataclass(frozen=True, kw_only=True)
class FloatExpert:
    """Weights of one expert or chunk, and what calibration saw of its hidden units (or None)."""

    name: str
    fc1: tuple[Float64, Float64]
    fc2: tuple[Float64, Float64]
    hidden: ChannelRange | None


def experts_of(source: Source, block: int) -> list[FloatExpert]:
    """The experts of an MoE block."""
    prefix = f"backbone.blocks.{block}.mlp.experts"
    first, second = (source.weights.linear(f"{prefix}.{name}") for name in ("htoh4", "h4toh"))
    return [
        FloatExpert(
            name=f"block {block} expert {expert}",
            fc1=(first[0][expert], first[1][expert]),
            fc2=(second[0][expert], second[1][expert]),
            hidden=source.ranges.find("expert_hidden", block, expert),
        )
        for expert in range(source.config.experts)
    ]


def chunks_of(source: Source, block: int) -> list[FloatExpert]:
    """A dense MLP as chunks of ``width`` hidden units; the output bias goes to chunk 0."""
    prefix = f"backbone.blocks.{block}.mlp"
    (w1, b1), (w2, b2) = (source.weights.linear(f"{prefix}.{name}") for name in ("fc1", "fc2"))
    seen, width = source.ranges.get("hidden", block), source.config.width
    parts = [slice(start, start + width) for start in range(0, len(b1), width)]
    return [
        FloatExpert(
            name=f"block {block} chunk {number}",
            fc1=(w1[part], b1[part]),
            fc2=(w2[:, part], b2 * (number == 0)),
            hidden=ChannelRange(low=seen.low[part], high=seen.high[part], count=seen.count),
        )
        for number, part in enumerate(parts)
    ]


def _reach(expert: FloatExpert, high: float) -> Float64:
    seen = expert.hidden
    if seen is None or seen.count < MINIMUM_TOKENS:
        return np.full(len(expert.fc1[1]), high)
    return seen.high * HEADROOM


def choose_tables(experts: list[FloatExpert]) -> tuple[GeluTables, list[UInt8]]:
    """The block's tables, and the class of every hidden unit of every expert."""
    seen = [expert.hidden for expert in experts if expert.hidden is not None]
    low, high = input_range(
        min((float(one.low.min()) for one in seen), default=0.0),
        max((float(one.high.max()) for one in seen), default=0.0),
    )
    reaches = [_reach(expert, high) for expert in experts]
    importance = np.concatenate([(expert.fc2[0] ** 2).sum(0) for expert in experts])
    limit = narrow_limit(low, high, np.concatenate(reaches), importance)
    return make_tables(low, (high, limit)), [classes(reach, limit) for reach in reaches]


def _first(expert: FloatExpert, tables: GeluTables, kind: UInt8, norm_scale: Float64) -> Affine:
    scale = tables.in_scale[kind]
    # code = real / scale - offset, so the offset joins the bias of the producer.
    bias = expert.fc1[1] - scale * tables.in_offset[kind]
    return scale_inputs(affine(f"{expert.name} fc1", expert.fc1[0], bias, scale), norm_scale)


def _second(expert: FloatExpert, tables: GeluTables, kind: UInt8, unit: float) -> Affine:
    layer = scale_inputs(affine(f"{expert.name} fc2", *expert.fc2, unit), tables.out_scale[kind])
    return replace(layer, offset=tables.out_offset[kind])


def _build(experts: list[FloatExpert], norm_scale: Float64, unit: float, guard: int) -> Mlp:
    tables, kinds = choose_tables(experts)
    pairs = list(zip(experts, kinds, strict=True))
    first = [_first(expert, tables, kind, norm_scale) for expert, kind in pairs]
    second = [_second(expert, tables, kind, unit * 2.0**-guard) for expert, kind in pairs]
    shifts = common_shift(first), common_shift(second)
    built = [
        Expert(fc1=integers(a, shifts[0]), fc2=integers(b, shifts[1]), hidden_class=kind)
        for a, b, kind in zip(first, second, kinds, strict=True)
    ]
    return Mlp(experts=tuple(built), gelu=tables.table, guard_bits=guard)


def quantise_mlp(source: Source, block: int, norm_scale: Float64) -> Mlp:
    """The feed-forward layer of ``block`` on LayerNorm codes worth ``norm_scale`` [d]."""
    if not source.config.is_moe(block):
        return _build(chunks_of(source, block), norm_scale, source.residual_unit, 0)
    outs = [source.ranges.find("expert_out", block, e) for e in range(source.config.experts)]
    peak = max((float(out.peak.max()) for out in outs if out is not None), default=1.0)
    guard = guard_bits(peak, source.fraction)
    return _build(experts_of(source, block), norm_scale, source.residual_unit, guard)
