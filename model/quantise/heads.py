"""Task heads: BatchNorm folded, u8 features after each ReLU, int16 logits."""

from dataclasses import replace

import numpy as np

from m3vit.hw.config import TaskConfig
from m3vit.hw.formats import Float64
from m3vit.hw.quantised import Convolution, Head
from m3vit.model.network.head import CONVOLUTIONS
from m3vit.model.quantise.layernorms import quantise_norm
from m3vit.model.quantise.linear import BYTE, Affine, affine, quantise_linear, scale_inputs
from m3vit.model.quantise.ranges import HEAD
from m3vit.model.quantise.scales import HEADROOM, channel_scale, floored
from m3vit.model.quantise.source import Source

BATCH_NORM_EPSILON = 1e-5
FEATURE = (0, 255)
UPSAMPLING = 16
"""Integer bilinear doubling multiplies by this."""

LOGIT_HEADROOM = 2.0
"""Logits have 16 bits: range is worth more than the last bit."""


def fold_batch_norm(source: Source, prefix: str, index: int) -> tuple[Float64, Float64]:
    """Weight [out, in, 3, 3] and bias of a convolution followed by its BatchNorm."""
    weight, bias = source.weights.linear(f"{prefix}.conv_{index}")
    norm = f"{prefix}.syncbn_fc_{index}"
    gamma, beta = source.weights.linear(norm)
    variance = source.weights[f"{norm}.running_var"]
    gain = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
    mean = source.weights[f"{norm}.running_mean"]
    return weight * gain[:, None, None, None], (bias - mean) * gain + beta


def feature_scale(source: Source, task: int, index: int) -> float:
    """Value of one u8 code of the features after convolution ``index``."""
    peak = float(source.ranges.get(f"head_{index}", HEAD, task).high.max())
    return (peak if peak > 0 else 1.0) * HEADROOM / FEATURE[1]


def _convolution(layer: Affine, in_scale: Float64, upsampled: bool) -> Convolution:
    layer = scale_inputs(layer, in_scale.reshape(-1, 1, 1))
    built = quantise_linear(replace(layer, gain=float(UPSAMPLING) if upsampled else 1.0))
    return Convolution(
        weight=built.weight,
        bias=built.bias,
        factor=built.factor,
        shift=built.shift,
        upsampled=upsampled,
    )


def _convolutions(
    source: Source, number: int, task: TaskConfig, norm_scale: Float64, logit_scale: Float64
) -> list[Convolution]:
    prefix, scale, built = f"decoders.{task.name}", norm_scale, []
    for index in range(CONVOLUTIONS):
        name, out = f"head {task.name} conv_{index}", feature_scale(source, number, index)
        layer = affine(name, *fold_batch_norm(source, prefix, index), out)
        layer = replace(layer, codes=FEATURE if index else BYTE)
        built.append(_convolution(layer, scale, index > 0))
        scale = np.full(source.config.head_width, out)
    last = affine(
        f"head {task.name} conv_4", *source.weights.linear(f"{prefix}.conv_4"), logit_scale
    )
    return [*built, _convolution(replace(last, codes=FEATURE), scale, False)]


def quantise_head(source: Source, number: int) -> Head:
    """Head of task ``number``, reading the residual as int16 at 2^-f."""
    task = source.config.tasks[number]
    norm_scale = channel_scale(source.ranges.get("head_ln", HEAD, number).peak)
    gamma, beta = source.weights.linear(f"decoders.{task.name}.norm")
    peaks = floored(source.ranges.get("head_logits", HEAD, number).peak)
    logit_scale = peaks * (LOGIT_HEADROOM / 32767)
    name = f"head {task.name} norm"
    return Head(
        norm=quantise_norm(name, gamma, beta, norm_scale, source.fraction),
        convolutions=tuple(_convolutions(source, number, task, norm_scale, logit_scale)),
        logit_scale=logit_scale,
    )
