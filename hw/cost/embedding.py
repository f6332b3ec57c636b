"""Cycles of the patch embedding: the image comes in shares that fit XN, each with its own layer."""

import numpy as np

from m3vit.hw.config import ModelConfig
from m3vit.hw.cost.engine import UNIT, Engine
from m3vit.hw.cost.linear import LinearLayer, LinearTimes, fitting_panels, run_linear
from m3vit.hw.formats import Float64
from m3vit.hw.layout.blocks import spans
from m3vit.hw.machine import MachineConfig


def image_shares(config: ModelConfig, machine: MachineConfig) -> list[int]:
    """Patches of each share of the image: equal shares that fit XN (hw/CONTRACT.md section 4)."""
    patches = config.tokens - 1
    fitting = max(1, machine.activation_bytes // config.patch_elements)
    size = -(-patches // -(-patches // fitting))
    return [min(size, patches - start) for start in range(0, patches, size)]


def _image(engine: Engine, patches: int, inner: int, begins: float) -> Float64:
    """[pairs]: when the patches of a share are in XN; they come in front of the weights."""
    assumptions = engine.assumptions
    rate = assumptions.row_bytes_per_cycle / (2 if inner % (2 * UNIT) else 1)
    end = engine.stream.rows(patches * inner, "image", rate, begins)
    left = np.maximum(0, patches - 2 * np.arange(1, -(-patches // 2) + 1))
    return end + assumptions.row_latency - left * inner / rate


def _share(engine: Engine, config: ModelConfig, patches: int, begins: float) -> LinearTimes:
    machine, inner = engine.machine, config.patch_elements
    panels = -(-config.width // machine.panel)
    return run_linear(
        engine,
        LinearLayer(
            blocks=spans(patches, machine.normal_block_pairs),
            inner=inner,
            rates=(engine.rates.residual,) * panels,
            kind="weights",
            group=fitting_panels(engine, inner, panels),
            ready=_image(engine, patches, inner, begins),
            cause="norm",
        ),
    )


def run_embedding(engine: Engine, config: ModelConfig, begins: float) -> Float64:
    """Patches to the residual, share by share; each share streams the weights again.

    XN is free for the next share, and for LayerNorm, when everything has been written.
    """
    for patches in image_shares(config, engine.machine):
        _share(engine, config, patches, begins)
        begins = engine.written + engine.assumptions.command_latency
    return np.full(-(-config.tokens // 2), engine.written)
