"""The quantised model: every integer that the network needs, layer by layer.

The quantiser makes it, the layer-by-layer evaluation and the compiler read it.  Arrays are numpy
integers in the formats of hw/CONTRACT.md; scales are kept only where a host needs them to read
results.  ``linear`` weights are [outputs, inputs] as in PyTorch.
"""

from dataclasses import dataclass

from m3vit.hw.config import ModelConfig
from m3vit.hw.formats import Float64, Int8, Int16, Int32, UInt8, UInt16


@dataclass(frozen=True, kw_only=True)
class Linear:
    """acc = x @ weight.T + bias, then requantised by ``factor`` (per output) and ``shift``."""

    weight: Int8
    """[N, K], in [-127, 127]."""
    bias: Int32
    """[N], at accumulator scale, zero points and offsets folded."""
    factor: UInt16
    """[N]."""
    shift: int


@dataclass(frozen=True, kw_only=True)
class LayerNorm:
    """y = sat8(rshift(n * gamma + beta, shift)) on the normalised n with 10 fraction bits."""

    gamma: Int16
    beta: Int32
    shift: int
    epsilon: int
    """The integer added to C*S2 - S1^2."""


@dataclass(frozen=True, kw_only=True)
class Attention:
    """Q, K and V layers and what turns scores into outputs; one entry a head where stated."""

    query: Linear
    key: Linear
    value: Linear
    score_shift: UInt8
    """[H], 0 to 15."""
    output_gain: UInt16
    """[H], G in [2^15, 2^16)."""
    output_shift: UInt8
    """[H], a in 0 to 6."""
    proj: Linear
    """Requantised to 18 bits at the residual's scale."""


@dataclass(frozen=True, kw_only=True)
class Expert:
    """Linear - GELU - Linear; ``hidden_class`` selects the GELU table of each hidden unit."""

    fc1: Linear
    fc2: Linear
    hidden_class: UInt8
    """[hidden], 0 or 1."""


@dataclass(frozen=True, kw_only=True)
class Mlp:
    """Experts that share one GELU table: the chunks of a dense MLP, or the experts of a block.

    All ``fc1`` share one shift, and all ``fc2`` share one.
    """

    experts: tuple[Expert, ...]
    gelu: Int8
    """[2, 256], indexed by class and h + 128."""
    guard_bits: int
    """g: fc2's output is at residual LSB * 2^-g; 0 for a dense MLP."""


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One router: logits = x @ weight.T + bias; ``factor``/``shift`` turn differences to ln2/64."""

    weight: Int16
    """[E, d], 15-bit: 128 * hi + lo with hi in [-127, 127], lo in [-64, 63]."""
    bias: Int32
    """[E], at logit scale."""
    factor: int
    shift: int
    scale: float
    """Value of one logit unit, for reports."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """One transformer block; ``gates`` (one a task) is empty in dense blocks."""

    norm1: LayerNorm
    attention: Attention
    norm2: LayerNorm
    mlp: Mlp
    gates: tuple[Gate, ...]


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """3x3 (or 1x1) convolution: acc, then factor and shift; ``upsampled`` inputs are commuted."""

    weight: Int8
    """[out, in, k, k]."""
    bias: Int32
    factor: UInt16
    shift: int
    upsampled: bool


@dataclass(frozen=True, kw_only=True)
class Head:
    """A task's head: LayerNorm, four 3x3 convolutions with ReLU, a 1x1 convolution to logits."""

    norm: LayerNorm
    convolutions: tuple[Convolution, ...]
    logit_scale: Float64
    """[channels]: value of one logit code."""


@dataclass(frozen=True, kw_only=True)
class QuantisedModel:
    """Everything: embedding, blocks, heads."""

    config: ModelConfig
    residual_fraction: int
    """f: LayerNorm reads int16 at 2^-f, the residual store holds int18 at 2^-(f+2)."""
    embedding: Linear
    """[d, 768]; requantised to 18 bits and added to tokens 1.. ."""
    position: Int16
    """[T, d] at 2^-f; row 0 includes the class token."""
    blocks: tuple[Block, ...]
    heads: tuple[Head, ...]
    """One a task, in the order of the configuration."""
