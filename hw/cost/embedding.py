"""Cycles of the patch embedding: the image comes in shares that fit XN, each with its own layer."""

import numpy as np

from m3vit.hw.config import ModelConfig
from m3vit.hw.cost.engine import Block, Engine, split
from m3vit.hw.cost.linear import (
    LinearLayer,
    group_size,
    panel_stream_bytes,
    run_linear,
    to_store,
)
from m3vit.hw.formats import Float64
from m3vit.hw.machine import MachineConfig


def image_shares(config: ModelConfig, machine: MachineConfig) -> list[int]:
    """Patches of each share of the image: equal shares that fit XN (hw/CONTRACT.md section 4)."""
    patches = config.tokens - 1
    fitting = max(1, machine.activation_bytes // config.patch_elements)
    size = -(-patches // -(-patches // fitting))
    return [min(size, patches - start) for start in range(0, patches, size)]


def _image_arrivals(
    engine: Engine, blocks: list[Block], inner: int, weights: int, first: bool
) -> Float64:
    """[pairs]: when the patches of a share are in XN.

    The first share's first block comes before the embedding's weights and the rest behind them;
    later shares follow when XN is free, with the weights already in the ring.
    """
    stream, latency = engine.stream, engine.assumptions.dram_latency
    sent = np.arange(1, blocks[-1][1] + 1) * 2 * inner / stream.rate
    if not first:
        return engine.array.time + latency + sent
    head = blocks[0][1]
    arrivals = stream.channel + latency + sent
    arrivals[:head] = arrivals[head - 1]
    arrivals[head:] += weights / stream.rate
    return arrivals


def _embedding_share(engine: Engine, config: ModelConfig, patches: int, first: bool) -> Float64:
    machine, stream, inner = engine.machine, engine.stream, config.patch_elements
    blocks = split(-(-patches // 2), engine.narrow)
    panels = -(-config.width // machine.panel)
    group = group_size(engine, inner, panels, block_outer=True)
    weights = group * panel_stream_bytes(engine, inner)
    image = _image_arrivals(engine, blocks, inner, weights, first)
    opening = min(patches, 2 * blocks[0][1]) * inner if first else 0
    stream.read(opening, "image")
    times = run_linear(
        engine,
        LinearLayer(
            blocks=blocks,
            inner=inner,
            posts=(to_store(engine, "residual"),) * panels,
            kind="weights",
            block_outer=True,
            ready=image,
            cause="io",
            watched=(panels - 1,),
        ),
    )
    stream.read(patches * inner - opening, "image")
    return times.done[panels - 1]


def run_embedding(engine: Engine, config: ModelConfig) -> Float64:
    """Patches to the residual, share by share; each share streams the weights again."""
    shares = image_shares(config, engine.machine)
    done = np.concatenate(
        [
            _embedding_share(engine, config, patches, number == 0)
            for number, patches in enumerate(shares)
        ]
    )
    return np.append(done, done[-1])[: -(-config.tokens // 2)]
