"""Random valid quantised models for any configuration, deterministic in the seed.

Weights are random, but every factor and shift is chosen from the expected spread of what goes in
and comes out, so that activations use their range and only their tails saturate.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from m3vit.hw.config import ModelConfig
from m3vit.hw.formats import (
    GATE_UNIT,
    LAYERNORM_EPSILON,
    RESIDUAL_GUARD_BITS,
    WEIGHT_LIMIT,
    Float64,
    Int8,
    UInt8,
)
from m3vit.hw.quantised import (
    Attention,
    Block,
    Convolution,
    Expert,
    Gate,
    Head,
    LayerNorm,
    Linear,
    Mlp,
    QuantisedModel,
)

NORM_SPREAD = 32.0
QUERY_SPREAD, KEY_SPREAD, VALUE_SPREAD, OUTPUT_SPREAD = 30.0, 35.0, 30.0, 32.0
IMAGE_SPREAD = 60.0
FEATURE_SPREAD = 60.0
GELU_LOW, GELU_HIGH = -3.0, 4.0


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Mean and standard deviation of integer codes, a channel or all."""

    mean: Float64 | float = 0.0
    deviation: Float64 | float = 1.0


def random_image(config: ModelConfig, seed: int) -> UInt8:
    """A smooth random image with noise, uint8 [height, width, 3]."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (*config.grid, 3))
    image = np.kron(coarse, np.ones((config.patch, config.patch, 1)))
    return np.clip(image + rng.normal(0, 30, image.shape), 0, 255).astype(np.uint8)


def random_model(config: ModelConfig, seed: int) -> QuantisedModel:
    """A valid model of ``config`` whose activations neither vanish nor all saturate."""
    rng = np.random.default_rng(seed)
    fraction = int(rng.integers(7, 10))
    unit = 2.0 ** (fraction + RESIDUAL_GUARD_BITS)
    position = np.clip(rng.normal(0, 0.5 * 2**fraction, (config.tokens, config.width)), -9e3, 9e3)
    return QuantisedModel(
        config=config,
        residual_fraction=fraction,
        embedding=random_linear(
            rng,
            (config.width, config.patch_elements),
            Spread(deviation=IMAGE_SPREAD),
            Spread(deviation=0.5 * unit),
        ),
        position=np.round(position).astype(np.int16),
        blocks=tuple(_block(rng, config, number, fraction) for number in range(config.blocks)),
        heads=tuple(_head(rng, config, task.channels, fraction) for task in config.tasks),
    )


def random_weights(rng: np.random.Generator, shape: tuple[int, ...]) -> Int8:
    """Normal int8 weights in [-127, 127], a few at the limits."""
    drawn = np.round(rng.normal(0, 40, shape))
    return np.clip(drawn, -WEIGHT_LIMIT, WEIGHT_LIMIT).astype(np.int8)


def random_linear(
    rng: np.random.Generator, shape: tuple[int, int], source: Spread, target: Spread
) -> Linear:
    """A layer [N, K] that maps ``source`` codes to ``target`` codes."""
    return random_linears(rng, shape, [source], [target])[0]


def random_linears(
    rng: np.random.Generator,
    shape: tuple[int, int],
    sources: Sequence[Spread],
    targets: Sequence[Spread],
) -> list[Linear]:
    """Layers [N, K] that share a shift, one for each pair of ``sources`` and ``targets``."""
    weights = [random_weights(rng, shape) for _ in sources]
    ratios = [_ratio(rng, *layer) for layer in zip(weights, sources, targets, strict=True)]
    shift = _shift(max(float(ratio.max()) for ratio in ratios))
    return [
        Linear(
            weight=weight,
            bias=_bias(rng, weight, ratio, source, target),
            factor=_factors(ratio, shift),
            shift=shift,
        )
        for weight, ratio, source, target in zip(weights, ratios, sources, targets, strict=True)
    ]


def _flat(weight: Int8) -> Float64:
    return weight.reshape(len(weight), -1).astype(np.float64)


def _ratio(
    rng: np.random.Generator, weight: Int8, source: Spread, target: Spread, gain: float = 1.0
) -> Float64:
    """Target codes per accumulator step of each output, with some spread over the outputs."""
    flat = _flat(weight)
    incoming = np.sqrt(np.sum((flat * source.deviation) ** 2, axis=1)) * gain
    wanted: Float64 = target.deviation * np.exp(rng.normal(0, 0.15, len(flat)))
    return wanted / np.maximum(incoming, 1.0)


def _shift(ratio: float) -> int:
    return min(40, max(1, math.floor(math.log2(65535 / ratio))))


def _factors(ratio: Float64, shift: int) -> np.ndarray:
    return np.clip(np.round(ratio * 2.0**shift), 1, 65535).astype(np.uint16)


def _bias(
    rng: np.random.Generator, weight: Int8, ratio: Float64, source: Spread, target: Spread
) -> np.ndarray:
    flat = _flat(weight)
    folded = np.sum(flat * source.mean, axis=1)
    wanted = target.mean + rng.normal(0, 0.2, len(flat)) * target.deviation
    return np.round(wanted / ratio - folded).astype(np.int32)


def _norm(rng: np.random.Generator, config: ModelConfig, fraction: int) -> LayerNorm:
    shift = int(rng.integers(17, 20))
    gain = NORM_SPREAD / 1024 * np.exp(rng.normal(0, 0.2, config.width))
    gain *= rng.choice([-1, 1], config.width, p=[0.1, 0.9])
    beta = np.round(rng.normal(0, 5, config.width) * 2.0**shift)
    epsilon = max(1, round(LAYERNORM_EPSILON * config.width**2 * 4.0**fraction))
    return LayerNorm(
        gamma=np.clip(np.round(gain * 2.0**shift), -32767, 32767).astype(np.int16),
        beta=beta.astype(np.int32),
        shift=shift,
        epsilon=epsilon,
    )


def _attention(rng: np.random.Generator, config: ModelConfig, unit: float) -> Attention:
    square = (config.width, config.width)
    source = Spread(deviation=NORM_SPREAD)
    query, key, value = (
        random_linear(rng, square, source, Spread(deviation=spread))
        for spread in (QUERY_SPREAD, KEY_SPREAD, VALUE_SPREAD)
    )
    spread = math.sqrt(config.head_dim) * QUERY_SPREAD * KEY_SPREAD
    score = np.log2(spread / rng.choice([12.0, 40.0, 100.0], config.heads))
    return Attention(
        query=query,
        key=key,
        value=value,
        score_shift=np.clip(np.round(score), 0, 15).astype(np.uint8),
        output_gain=rng.integers(1 << 15, 1 << 16, config.heads).astype(np.uint16),
        output_shift=rng.integers(0, 2, config.heads).astype(np.uint8),
        proj=random_linear(
            rng, square, Spread(deviation=OUTPUT_SPREAD), Spread(deviation=0.3 * unit)
        ),
    )


def _gelu(values: Float64) -> Float64:
    return 0.5 * values * (1 + np.vectorize(math.erf)(values / math.sqrt(2)))


def _gelu_class(high: float) -> tuple[Int8, Spread, Spread]:
    """Table over [-3, high], the codes of a standard normal before it, and after it."""
    step = (high - GELU_LOW) / 255
    zero = round(-GELU_LOW / step) - 128
    codes = np.arange(-128, 128)
    reals = _gelu((codes - zero) * step)
    out_step = (float(_gelu(np.array([high]))[0]) + 0.17) / 255
    table = np.clip(np.round(reals / out_step) + round(0.17 / out_step) - 128, -128, 127)
    likely = np.exp(-0.5 * ((codes - zero) * step) ** 2)
    mean = float(np.average(table, weights=likely))
    deviation = math.sqrt(float(np.average((table - mean) ** 2, weights=likely)))
    before = Spread(mean=float(zero), deviation=1 / step)
    return table.astype(np.int8), before, Spread(mean=mean, deviation=deviation)


def _by_class(pair: Sequence[Spread], classes: UInt8) -> Spread:
    return Spread(
        mean=np.array([side.mean for side in pair])[classes],
        deviation=np.array([side.deviation for side in pair])[classes],
    )


def _mlp(rng: np.random.Generator, config: ModelConfig, number: int, unit: float) -> Mlp:
    moe = config.is_moe(number)
    count = config.experts if moe else config.dense_hidden(number) // config.width
    hidden = config.expert_hidden if moe else config.width
    guard = int(rng.integers(3, 5)) if moe else 0
    wide, narrow = _gelu_class(GELU_HIGH), _gelu_class(GELU_HIGH / 2)
    classes = rng.integers(0, 2, (count, hidden)).astype(np.uint8)
    before = [_by_class((wide[1], narrow[1]), row) for row in classes]
    after = [_by_class((wide[2], narrow[2]), row) for row in classes]
    norm = [Spread(deviation=NORM_SPREAD)] * count
    share = 0.4 if moe else 0.4 / math.sqrt(count)
    contribution = [Spread(deviation=share * unit * 2**guard)] * count
    first = random_linears(rng, (hidden, config.width), norm, before)
    second = random_linears(rng, (config.width, hidden), after, contribution)
    experts = tuple(
        Expert(fc1=fc1, fc2=fc2, hidden_class=row)
        for fc1, fc2, row in zip(first, second, classes, strict=True)
    )
    return Mlp(experts=experts, gelu=np.stack([wide[0], narrow[0]]), guard_bits=guard)


def _gate(rng: np.random.Generator, config: ModelConfig) -> Gate:
    weight = np.clip(np.round(rng.normal(0, 4000, (config.experts, config.width))), -16320, 16319)
    spread = math.sqrt(config.width) * NORM_SPREAD * 4000
    scale = 1.5 / spread
    shift = _shift(scale / GATE_UNIT)
    return Gate(
        weight=weight.astype(np.int16),
        bias=np.round(rng.normal(0, 0.2 * spread, config.experts)).astype(np.int32),
        factor=round(scale / GATE_UNIT * 2.0**shift),
        shift=shift,
        scale=scale,
    )


def _block(rng: np.random.Generator, config: ModelConfig, number: int, fraction: int) -> Block:
    unit = 2.0 ** (fraction + RESIDUAL_GUARD_BITS)
    gates = len(config.tasks) if config.is_moe(number) else 0
    return Block(
        norm1=_norm(rng, config, fraction),
        attention=_attention(rng, config, unit),
        norm2=_norm(rng, config, fraction),
        mlp=_mlp(rng, config, number, unit),
        gates=tuple(_gate(rng, config) for _ in range(gates)),
    )


def _convolution(
    rng: np.random.Generator,
    shape: tuple[int, int, int, int],
    source: Spread,
    target: Spread,
    upsampled: bool = False,
) -> Convolution:
    weight = random_weights(rng, shape)
    gain = 16.0 if upsampled else 1.0
    ratio = _ratio(rng, weight, source, target, gain)
    shift = _shift(float(ratio.max()))
    return Convolution(
        weight=weight,
        bias=_bias(rng, weight, ratio * gain, source, target),
        factor=_factors(ratio, shift),
        shift=shift,
        upsampled=upsampled,
    )


def _head(rng: np.random.Generator, config: ModelConfig, channels: int, fraction: int) -> Head:
    width = config.head_width
    rectified = Spread(mean=0.4 * FEATURE_SPREAD, deviation=0.6 * FEATURE_SPREAD)
    wanted = Spread(deviation=FEATURE_SPREAD)
    first = _convolution(rng, (width, config.width, 3, 3), Spread(deviation=NORM_SPREAD), wanted)
    middle = [
        _convolution(rng, (width, width, 3, 3), rectified, wanted, upsampled=True) for _ in range(3)
    ]
    last = _convolution(rng, (channels, width, 1, 1), rectified, Spread(deviation=3000.0))
    return Head(
        norm=_norm(rng, config, fraction),
        convolutions=(first, *middle, last),
        logit_scale=rng.uniform(1e-4, 1e-3, channels),
    )
