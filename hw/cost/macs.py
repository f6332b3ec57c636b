"""Multiply-accumulates and bytes of every layer of a network, as the paper counts them.

One multiply-accumulate (MAC) is one.  Padding is not counted, the class token is.  The totals of
encoder and one head reproduce the paper's 84 G (Small, PASCAL-Context), 100 G (Small, NYUD-v2)
and 191 G (Base, NYUD-v2): Liang et al., "M3ViT", NeurIPS 2022, which calls them FLOPs.
"""

from dataclasses import dataclass
from enum import Enum

from m3vit.hw.config import ModelConfig, TaskConfig

HEAD_CONVOLUTIONS = 4
"""3x3 convolutions of a task head; the last three follow a doubling of the grid."""


class Layer(str, Enum):
    """What a layer computes."""

    EMBEDDING = "embedding"
    QKV = "qkv"
    SCORES = "scores"
    MIX = "mix"
    PROJECTION = "projection"
    MLP = "mlp"
    GATE = "gate"
    EXPERTS = "experts"
    CONVOLUTION = "convolution"


@dataclass(frozen=True, kw_only=True)
class LayerCost:
    """Work and data of one layer for one image.

    ``weight_bytes`` counts int8 weights without biases, of all experts in an expert layer; gate
    weights have two bytes.  ``input_bytes`` and ``output_bytes`` are the int8 activations read
    and written once; the hidden units of an MLP or of experts count as output and as input.
    """

    name: str
    layer: Layer
    block: int
    """Transformer block, -1 outside the blocks."""
    macs: int
    weight_bytes: int
    input_bytes: int
    output_bytes: int


def _linear(name: str, layer: Layer, block: int, rows: int, inner: int, outputs: int) -> LayerCost:
    return LayerCost(
        name=name,
        layer=layer,
        block=block,
        macs=rows * inner * outputs,
        weight_bytes=inner * outputs,
        input_bytes=rows * inner,
        output_bytes=rows * outputs,
    )


def _attention(config: ModelConfig, block: int) -> list[LayerCost]:
    tokens, width = config.tokens, config.width
    scores = config.heads * tokens * tokens
    products = {"macs": tokens * tokens * width, "weight_bytes": 0, "block": block}
    return [
        _linear(f"blocks.{block}.qkv", Layer.QKV, block, tokens, width, 3 * width),
        LayerCost(
            name=f"blocks.{block}.scores",
            layer=Layer.SCORES,
            input_bytes=2 * tokens * width,
            output_bytes=scores,
            **products,
        ),
        LayerCost(
            name=f"blocks.{block}.mix",
            layer=Layer.MIX,
            input_bytes=scores + tokens * width,
            output_bytes=tokens * width,
            **products,
        ),
        _linear(f"blocks.{block}.proj", Layer.PROJECTION, block, tokens, width, width),
    ]


def _feed_forward(config: ModelConfig, block: int) -> list[LayerCost]:
    tokens, width = config.tokens, config.width
    if not config.is_moe(block):
        hidden = config.dense_hidden(block)
        return [_two_layers(f"blocks.{block}.mlp", Layer.MLP, block, tokens, width, hidden, 1)]
    gate = LayerCost(
        name=f"blocks.{block}.gate",
        layer=Layer.GATE,
        block=block,
        macs=tokens * width * config.experts,
        weight_bytes=2 * width * config.experts,
        input_bytes=tokens * width,
        output_bytes=4 * tokens * config.experts,
    )
    rows, hidden = tokens * config.top_k, config.expert_hidden
    name = f"blocks.{block}.experts"
    return [
        gate,
        _two_layers(name, Layer.EXPERTS, block, rows, width, hidden, config.experts),
    ]


def _two_layers(
    name: str, layer: Layer, block: int, rows: int, width: int, hidden: int, copies: int
) -> LayerCost:
    return LayerCost(
        name=name,
        layer=layer,
        block=block,
        macs=2 * rows * width * hidden,
        weight_bytes=2 * copies * width * hidden,
        input_bytes=rows * (width + hidden),
        output_bytes=rows * (width + hidden),
    )


def encoder_costs(config: ModelConfig) -> tuple[LayerCost, ...]:
    """Every layer of the encoder, in order of execution."""
    patches = config.tokens - 1
    inner, width = config.patch_elements, config.width
    costs = [_linear("embedding", Layer.EMBEDDING, -1, patches, inner, width)]
    for block in range(config.blocks):
        costs += _attention(config, block) + _feed_forward(config, block)
    return tuple(costs)


def head_costs(
    config: ModelConfig, task: TaskConfig, commuted: bool = False
) -> tuple[LayerCost, ...]:
    """The convolutions of ``task``'s head.

    A 3x3 convolution behind a bilinear doubling computes on the doubled grid; ``commuted``, the
    nine taps are mixed before the doubling and shifted after it: four times fewer MACs, the same
    result up to rounding (hw/CONTRACT.md section 2, head).
    """
    cells = config.grid[0] * config.grid[1]
    costs = []
    for index in range(HEAD_CONVOLUTIONS):
        inner = config.width if index == 0 else config.head_width
        saved = 4 if commuted and index else 1
        name = f"heads.{task.name}.conv_{index}"
        pixels = cells * 4**index
        costs.append(_convolution(name, pixels // saved, pixels, 9, inner, config.head_width))
    name = f"heads.{task.name}.conv_{HEAD_CONVOLUTIONS}"
    pixels = cells * 4 ** (HEAD_CONVOLUTIONS - 1)
    costs.append(_convolution(name, pixels, pixels, 1, config.head_width, task.channels))
    return tuple(costs)


def _convolution(
    name: str, mixed: int, pixels: int, taps: int, inner: int, outputs: int
) -> LayerCost:
    return LayerCost(
        name=name,
        layer=Layer.CONVOLUTION,
        block=-1,
        macs=mixed * taps * inner * outputs,
        weight_bytes=taps * inner * outputs,
        input_bytes=mixed * inner,
        output_bytes=pixels * outputs,
    )


def encoder_macs(config: ModelConfig) -> int:
    """MACs of the encoder for one image and one task."""
    return sum(cost.macs for cost in encoder_costs(config))


def head_macs(config: ModelConfig, task: TaskConfig, commuted: bool = False) -> int:
    """MACs of one task head."""
    return sum(cost.macs for cost in head_costs(config, task, commuted))
