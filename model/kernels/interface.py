"""What the kernels take and return; ``plain`` and ``fused`` implement the same signatures.

N tokens (of all images of a batch), K experts a token, P = N * K pairs of token and rank, E
experts, d width, h hidden units of an expert.  Pair p belongs to token p // K.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor


class Routing(NamedTuple):
    """The experts of every token, best first."""

    indices: Tensor
    """int32 [N, K]."""
    weights: Tensor
    """float32 [N, K]; int32 [N, K] with value / 65536 on the integer path."""


class Plan(NamedTuple):
    """Pairs sorted by expert, then by number: rows of one expert lie together."""

    pairs: Tensor
    """int32 [P]."""
    counts: Tensor
    """int32 [E]: rows of each expert, which may be none or all."""


class FloatLinear(NamedTuple):
    """One linear layer an expert."""

    weight: Tensor
    """[E, outputs, inputs] in the type of the activations."""
    bias: Tensor
    """float32 [E, outputs]."""


class IntegerLinear(NamedTuple):
    """Linear layers with their requantisation; a dense layer is one of a single expert."""

    weight: Tensor
    """int8 [E, outputs, inputs]."""
    bias: Tensor
    """int32 [E, outputs]."""
    factor: Tensor
    """int32 [E, outputs], below 2^16."""
    shift: Tensor
    """int32 [outputs], 1 to 40."""
    lowest: Tensor
    """int32 [outputs]: smallest 8-bit result (-127 for K and V)."""


class Gelu(NamedTuple):
    """The tables of a block and which of them each hidden unit uses."""

    table: Tensor
    """int8 [512]: class 0, then class 1, each indexed by h + 128."""
    classes: Tensor
    """int32 [E, hidden]: 0 or 1."""


class IntegerGate(NamedTuple):
    """logits = 128 * (h @ high) + h @ low + bias."""

    high: Tensor
    """int8 [E, d]."""
    low: Tensor
    """int8 [E, d]."""
    bias: Tensor
    """int32 [E]."""
    factor: int
    shift: int


class IntegerNorm(NamedTuple):
    """y = sat8(rshift(n * gamma + beta, shift))."""

    gamma: Tensor
    """int32 [d]."""
    beta: Tensor
    """int32 [d]."""
    shift: int
    epsilon: int


class HeadScales(NamedTuple):
    """What turns scores into outputs, a head; int32 [H] each."""

    score_shift: Tensor
    gain: Tensor
    output_shift: Tensor


@dataclass(frozen=True, kw_only=True)
class Kernels:
    """One implementation of everything; the docstrings are those of ``plain``."""

    name: str
    recordable: bool
    """Whether CUDA graphs can hold them: nothing waits for numbers on the host."""
    route: Callable[[Tensor, Tensor, Tensor, int], Routing]
    sort_pairs: Callable[[Tensor, int], Plan]
    expand: Callable[[Tensor, FloatLinear, Plan, int], Tensor]
    contract: Callable[[Tensor, FloatLinear, Plan, Tensor], Tensor]
    combine: Callable[[Tensor, Tensor], Tensor]
    route8: Callable[[Tensor, IntegerGate, int], Routing]
    expand8: Callable[[Tensor, IntegerLinear, Gelu, Plan, int], Tensor]
    contract8: Callable[[Tensor, IntegerLinear, Plan, Tensor, int], Tensor]
    combine8: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
    linear8: Callable[[Tensor, IntegerLinear, Gelu | None], Tensor]
    project8: Callable[[Tensor, IntegerLinear, Tensor], tuple[Tensor, Tensor]]
    norm8: Callable[[Tensor, IntegerNorm], Tensor]
    attention8: Callable[[Tensor, Tensor, Tensor, HeadScales], Tensor]
