"""Layers of random integers in any shape, and images for them."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from m3vit.hls.csim import Csim, compile_project
from m3vit.hls.from_model import moe_layer
from m3vit.hls.layer import HlsLayer, Parallelism
from m3vit.hls.project import generate
from m3vit.hw.formats import Int32
from m3vit.hw.machine import machine_preset
from m3vit.hw.quantised import Gate
from tests.support.packages import MICRO
from tests.support.random_models import random_model


def random_layer(
    *,
    moe: bool = True,
    machine: str = "mini",
    tokens: int = 9,
    width: int = 32,
    ratio: int = 1,
    experts: int = 4,
    top_k: int = 2,
    seed: int = 0,
) -> HlsLayer:
    """A mixture of experts, or a dense MLP, of the given shape."""
    config = replace(MICRO, width=width, experts=experts, top_k=top_k, expert_ratio=ratio)
    block = random_model(config, seed).blocks[int(moe)]
    return moe_layer(
        f"block{int(moe)}.{'moe' if moe else 'mlp'}",
        machine_preset(machine),
        tokens=tokens,
        top_k=top_k if moe else 1,
        norm=block.norm2,
        gates=block.gates,
        mlp=block.mlp,
    )


def with_gate(layer: HlsLayer, gate: Gate) -> HlsLayer:
    """The same layer, every task routed by ``gate``."""
    assert layer.norm is not None and layer.mlp is not None
    return moe_layer(
        layer.name,
        layer.machine,
        tokens=layer.tokens,
        top_k=layer.top_k,
        norm=layer.norm,
        gates=(gate,) * len(layer.gates),
        mlp=layer.mlp,
    )


def fixed_gate(layer: HlsLayer, logits: Int32) -> Gate:
    """A gate that gives every token the same ``logits`` [E]."""
    like = layer.gates[0]
    return replace(like, weight=np.zeros_like(like.weight), bias=np.asarray(logits, np.int32))


def random_residual(layer: HlsLayer, seed: int, spread: float = 3000.0) -> Int32:
    """A residual stream [T, d] whose largest elements saturate the LayerNorm's view."""
    values = np.random.default_rng(seed).normal(0, spread, (layer.tokens, layer.width))
    values[:, 0] *= 40
    return np.clip(np.round(values), -(1 << 17), (1 << 17) - 1).astype(np.int32)


def compiled(layer: HlsLayer, path: Path, parallelism: Parallelism | None = None) -> Csim:
    """``layer`` generated at ``path`` and compiled."""
    return compile_project(layer, generate(layer, path, parallelism))


def reloaded(program: Csim, layer: HlsLayer, path: Path) -> Csim:
    """The same program on the memory of another layer of the same shape."""
    return replace(program, layer=layer, project=generate(layer, path, Parallelism(unroll=2)))
