"""The crossover map as a picture: one map a machine, and its line for other K and weight bits."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from m3vit.hw import files
from m3vit.sim.system.crossover import PAIRS, Block, Pair, grid

TOKENS = [1 << n for n in range(12)]
EXPERTS = (4, 8, 16, 32, 64, 128, 256)
M3VIT_TOKENS = (129, 197, 1025)
"""Cityscapes, 224 x 224 and Pascal images in patches of 16."""

_COLOURS = {1: "tab:blue", 2: "tab:orange", 4: "tab:red", 8: "tab:purple"}
_STYLES = {4: ":", 8: "-", 16: "--"}


def _scale(axis: Any) -> None:
    axis.set(xscale="log", yscale="log", xlabel="tokens a block", ylabel="experts")
    axis.set_xticks([1, 4, 16, 64, 256, 1024], ["1", "4", "16", "64", "256", "1024"])
    axis.set_yticks(EXPERTS, [str(n) for n in EXPERTS])
    axis.minorticks_off()


def _map(figure: Any, axis: Any, pair: Pair, block: Block) -> None:
    experts = [n for n in EXPERTS if n >= block.top_k]
    ratio = np.log2(grid(pair, block, TOKENS, experts))
    mesh = axis.pcolormesh(TOKENS, experts, ratio, cmap="RdBu", vmin=-4, vmax=4)
    axis.contour(TOKENS, experts, ratio, levels=[0.0], colors="black")
    axis.plot(M3VIT_TOKENS, [16] * 3, "*", color="gold", markeredgecolor="black", markersize=9)
    axis.set_title(f"{pair.name}: {pair.near} (red: near memory wins)", fontsize=9)
    bar = figure.colorbar(mesh, ax=axis)
    bar.set_ticks([-4, -2, 0, 2, 4], labels=["1/16", "1/4", "1", "4", "16"])
    bar.set_label("near / fetch", fontsize=8)
    _scale(axis)


def _lines(axis: Any, pair: Pair, block: Block) -> None:
    for top_k, colour in _COLOURS.items():
        experts = [n for n in EXPERTS if n >= top_k]
        for bits, style in _STYLES.items():
            ratio = np.log2(grid(pair, replace(block, top_k=top_k, bits=bits), TOKENS, experts))
            axis.contour(TOKENS, experts, ratio, levels=[0.0], colors=colour, linestyles=style)
    axis.plot(M3VIT_TOKENS, [16] * 3, "*", color="gold", markeredgecolor="black", markersize=9)
    axis.set_title("near memory wins left of its line", fontsize=9)
    _scale(axis)
    axis.set_xlim(TOKENS[0], TOKENS[-1])
    axis.set_ylim(EXPERTS[0], EXPERTS[-1])


def _legend(axis: Any) -> None:
    for top_k, colour in _COLOURS.items():
        axis.plot([], [], color=colour, label=f"K = {top_k}")
    for bits, style in _STYLES.items():
        axis.plot([], [], color="grey", linestyle=style, label=f"{bits} bit")
    axis.legend(fontsize=7, loc="upper left")


def plot(path: Path, block: Block) -> Path:
    """Write the picture as PNG; stars are M3ViT's 16 experts at three image sizes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, len(PAIRS), figsize=(13, 7), squeeze=False)
    for above, below, pair in zip(axes[0], axes[1], PAIRS, strict=True):
        _map(figure, above, pair, block)
        _lines(below, pair, block)
    _legend(axes[1][0])
    figure.suptitle(
        f"Near memory over fetching (simulated): experts of {block.width} x {block.hidden} x 2; "
        f"above K = {block.top_k}, {block.bits}-bit weights; stars: M3ViT, 16 experts, "
        f"{', '.join(map(str, M3VIT_TOKENS))} tokens",
        fontsize=10,
    )
    figure.tight_layout()
    written = files.write_atomic(path, lambda stream: figure.savefig(stream, format="png", dpi=110))
    pyplot.close(figure)
    return written
