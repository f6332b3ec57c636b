"""Q, K, V and projection with the scales of hw/CONTRACT.md, section 3."""

from dataclasses import dataclass

import numpy as np

from m3vit.hw.formats import Float64
from m3vit.hw.quantised import Attention, Linear
from m3vit.model.quantise.key_centre import key_centre
from m3vit.model.quantise.linear import affine, quantise_linear, scale_inputs
from m3vit.model.quantise.scales import (
    ACTIVATION_STEPS,
    HEADROOM,
    channel_scale,
    floored,
    gain_value,
    output_gain,
    score_scales,
)
from m3vit.model.quantise.source import Source


@dataclass(frozen=True, kw_only=True)
class ScoreScales:
    """Per channel scales of Q and K [d] and the shift of every head [H]."""

    query: Float64
    key: Float64
    shift: list[int]


def key_centres(source: Source, block: int) -> Float64:
    """Centre of every channel of K [d]."""
    heads, seen = source.config.heads, source.ranges.get("k", block)
    if block not in source.ranges.scores.rows:
        return seen.middle
    queries, best = source.ranges.scores.rows[block].all_rows()
    parts = (queries, best, seen.low.reshape(heads, -1), seen.high.reshape(heads, -1))
    return np.concatenate([key_centre(*head) for head in zip(*parts, strict=True)])


def head_scales(source: Source, block: int, centre: Float64) -> ScoreScales:
    """One scale a head for Q and for K about ``centre``, joined by the binary score scale."""
    heads, width = source.config.heads, source.config.head_dim
    reaches = source.ranges.get("q", block).peak, source.ranges.get("k", block).reach(centre)
    need = [
        floored(reach).reshape(heads, width).max(1) * (HEADROOM / ACTIVATION_STEPS)
        for reach in reaches
    ]
    chosen = [score_scales(q, k, width) for q, k in zip(*need, strict=True)]
    return ScoreScales(
        query=np.repeat([q for q, _, _ in chosen], width),
        key=np.repeat([k for _, k, _ in chosen], width),
        shift=[n for _, _, n in chosen],
    )


def output_gains(source: Source, block: int, value_scale: Float64) -> list[tuple[int, int]]:
    """(G, a) of every head: how much finer than V's codes the output may be."""
    seen, value = source.ranges.get("attention", block), source.ranges.get("v", block)
    reach = seen.reach(value.middle) * HEADROOM
    share = (reach / (ACTIVATION_STEPS * value_scale)).reshape(source.config.heads, -1).max(1)
    return [output_gain(float(one)) for one in share]


def _inputs(source: Source, block: int, norm_scale: Float64) -> list[tuple[Float64, Float64]]:
    weight, bias = source.weights.linear(f"backbone.blocks.{block}.attn.qkv")
    return list(zip(np.split(weight * norm_scale, 3), np.split(bias, 3), strict=True))


def _projection(source: Source, block: int, output_scale: Float64, middle: Float64) -> Linear:
    weight, bias = source.weights.linear(f"backbone.blocks.{block}.attn.proj")
    # Attention weights sum to one, so V's middle passes through unchanged.
    layer = affine(f"block {block} proj", weight, bias + weight @ middle, source.residual_unit)
    return quantise_linear(scale_inputs(layer, output_scale))


def quantise_attention(source: Source, block: int, norm_scale: Float64) -> Attention:
    """The attention of ``block`` on LayerNorm codes worth ``norm_scale`` [d].

    K's centre is dropped: it adds the same to all scores of a query, which softmax cannot see.
    """
    centre = key_centres(source, block)
    scores, value = head_scales(source, block, centre), source.ranges.get("v", block)
    value_scale = channel_scale(value.half)
    gains = output_gains(source, block, value_scale)
    fine = np.repeat([gain_value(*gain) for gain in gains], source.config.head_dim)
    q, k, v = _inputs(source, block, norm_scale)
    name = f"block {block}"
    return Attention(
        query=quantise_linear(affine(f"{name} query", *q, scores.query)),
        key=quantise_linear(affine(f"{name} key", k[0], k[1] - centre, scores.key)),
        value=quantise_linear(affine(f"{name} value", v[0], v[1] - value.middle, value_scale)),
        score_shift=np.array(scores.shift, np.uint8),
        output_gain=np.array([gain for gain, _ in gains], np.uint16),
        output_shift=np.array([exponent for _, exponent in gains], np.uint8),
        proj=_projection(source, block, value_scale / fine, value.middle),
    )
