"""The whole export: a float network and its calibrated ranges to a quantised model."""

from m3vit.hw.formats import Float64
from m3vit.hw.quantised import Block, LayerNorm, QuantisedModel
from m3vit.model.network import M3ViT
from m3vit.model.quantise.attention import quantise_attention
from m3vit.model.quantise.embedding import embed_patches, positions
from m3vit.model.quantise.gates import quantise_gates
from m3vit.model.quantise.heads import quantise_head
from m3vit.model.quantise.layernorms import quantise_norm
from m3vit.model.quantise.mlp import quantise_mlp
from m3vit.model.quantise.ranges import Ranges
from m3vit.model.quantise.scales import channel_scale
from m3vit.model.quantise.source import Source, make_source


def _norm(source: Source, block: int, number: int) -> tuple[LayerNorm, Float64]:
    gamma, beta = source.weights.linear(f"backbone.blocks.{block}.norm{number}")
    scale = channel_scale(source.ranges.get(f"ln{number}", block).peak)
    name = f"block {block} norm{number}"
    return quantise_norm(name, gamma, beta, scale, source.fraction), scale


def _block(source: Source, block: int) -> Block:
    norm1, scale1 = _norm(source, block, 1)
    norm2, scale2 = _norm(source, block, 2)
    return Block(
        norm1=norm1,
        attention=quantise_attention(source, block, scale1),
        norm2=norm2,
        mlp=quantise_mlp(source, block, scale2),
        gates=quantise_gates(source, block, scale2),
    )


def export(network: M3ViT, ranges: Ranges) -> QuantisedModel:
    """Integers for ``network`` with scales from ``ranges``.

    Raises:
        QuantisationError: a weight is not finite, calibration is incomplete, or a bound of the
            contract cannot be kept; the message names the layer and the channel.
    """
    source = make_source(network, ranges)
    config = source.config
    return QuantisedModel(
        config=config,
        residual_fraction=source.fraction,
        embedding=embed_patches(source),
        position=positions(source),
        blocks=tuple(_block(source, block) for block in range(config.blocks)),
        heads=tuple(quantise_head(source, task) for task in range(len(config.tasks))),
    )
