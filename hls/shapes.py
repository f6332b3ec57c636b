"""Layers without weights: the shapes of a preset, for estimates before anything is trained."""

import numpy as np

from m3vit.hls.layer import Addresses, HlsLayer, Kind
from m3vit.hw.config import ModelConfig
from m3vit.hw.machine import MachineConfig
from m3vit.hw.quantised import Expert, Gate, LayerNorm, Linear, Mlp


def shape_layer(config: ModelConfig, machine: MachineConfig, block: int) -> HlsLayer:
    """The feed-forward layer of ``block`` with zeros for integers and an empty memory."""
    moe = config.is_moe(block)
    hidden = config.expert_hidden if moe else config.width
    count = config.experts if moe else config.dense_hidden(block) // config.width
    expert = _expert(config.width, hidden)
    kind = Kind.MOE if moe else Kind.MLP
    return HlsLayer(
        name=f"block{block}.{kind.value}",
        kind=kind,
        machine=machine,
        tokens=config.tokens,
        width=config.width,
        top_k=config.top_k if moe else 1,
        norm=LayerNorm(
            gamma=np.zeros(config.width, np.int16),
            beta=np.zeros(config.width, np.int32),
            shift=0,
            epsilon=1,
        ),
        gates=(_gate(config),) if moe else (),
        mlp=Mlp(experts=(expert,) * count, gelu=np.zeros((2, 256), np.int8), guard_bits=0),
        memory=b"",
        addresses=Addresses(),
    )


def _linear(outputs: int, inputs: int) -> Linear:
    return Linear(
        weight=np.zeros((outputs, inputs), np.int8),
        bias=np.zeros(outputs, np.int32),
        factor=np.zeros(outputs, np.uint16),
        shift=1,
    )


def _expert(width: int, hidden: int) -> Expert:
    return Expert(
        fc1=_linear(hidden, width),
        fc2=_linear(width, hidden),
        hidden_class=np.zeros(hidden, np.uint8),
    )


def _gate(config: ModelConfig) -> Gate:
    return Gate(
        weight=np.zeros((config.experts, config.width), np.int16),
        bias=np.zeros(config.experts, np.int32),
        factor=1,
        shift=1,
        scale=1.0,
    )
