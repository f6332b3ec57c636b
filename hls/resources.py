"""DSP, block RAM and URAM of a kernel from its arrays and products.

Evidence kind ``modelled``: memories by their shapes, one DSP a product of at most 27 x 18 bits.
LUTs and flip-flops are not counted: they depend on the tool.
"""

from dataclasses import dataclass

from m3vit.hls.layer import HlsLayer, Parallelism, padded

ZCU104 = {"dsp": 1728, "bram18": 624, "uram": 96}
"""What an XCZU7EV has."""
_LUTRAM_DEPTH = 64
"""Memories up to this depth go to LUTs."""
_SHAPES = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))
_URAM = (72, 4096)


@dataclass(frozen=True, kw_only=True)
class ResourceEstimate:
    """Counts of a kernel; ``expert_bytes`` is the ping-pong buffer of weights alone."""

    dsp: int
    bram18: int
    uram: int
    expert_bytes: int

    def to_dict(self) -> dict[str, float]:
        """Cells by name."""
        return {"dsp": float(self.dsp), "bram18": float(self.bram18), "uram": float(self.uram)}


def bram18(width: int, depth: int) -> int:
    """Blocks of 18 Kibit of a memory, in the best of their shapes; 0 where LUTs do."""
    if depth <= _LUTRAM_DEPTH:
        return 0
    return min(-(-width // bits) * -(-depth // words) for bits, words in _SHAPES)


def uram(width: int, depth: int) -> int:
    """URAM288 of a memory."""
    return -(-width // _URAM[0]) * -(-depth // _URAM[1])


def resources(layer: HlsLayer, parallelism: Parallelism | None = None) -> ResourceEstimate:
    """What the kernel of a mixture or dense ``layer`` takes; independent of E but for the gate.

    Raises:
        ConfigurationError: the templates cannot build the layer so.
    """
    chosen = parallelism or Parallelism()
    chosen.check(layer)
    machine = layer.machine
    steps = padded(layer.width, machine.rows), padded(layer.hidden, machine.rows)
    panels = -(-layer.hidden // machine.panel), -(-layer.width // machine.panel)
    entries = [count * of for count, of in zip(panels, steps, strict=True)]
    gate = -(-2 * layer.experts // machine.panel) * steps[0] if layer.gates else 0
    return ResourceEstimate(
        dsp=_dsp(layer, chosen),
        bram18=sum(_columns(layer, chosen, depth, copies=2) for depth in entries)
        + _columns(layer, chosen, gate, copies=1)
        + _plan(layer),
        uram=_stores(layer, chosen, steps[0]),
        expert_bytes=2 * machine.panel * machine.chains * sum(entries),
    )


def _dsp(layer: HlsLayer, chosen: Parallelism) -> int:
    products = layer.machine.panel * layer.machine.chains * chosen.unroll
    arrays = 3 if layer.gates else 2  # fc1, fc2 and the gate's
    norm = 4 * chosen.lanes + 8  # square, centre, scale, gamma a lane; the variance
    weighted = chosen.lanes if layer.gates else 0
    scores = 5 if layer.gates else 0
    return arrays * products + norm + 2 * chosen.lanes + weighted + scores


def _columns(layer: HlsLayer, chosen: Parallelism, depth: int, copies: int) -> int:
    """Every column of a panel has `unroll` memories of its own."""
    banks = layer.machine.panel * chosen.unroll
    return copies * banks * bram18(8 * layer.machine.chains, -(-depth // chosen.unroll))


def _plan(layer: HlsLayer) -> int:
    pairs = layer.tokens * layer.top_k
    return bram18(27, pairs) + (bram18(24, pairs) if layer.gates else 0)


def _stores(layer: HlsLayer, chosen: Parallelism, steps: int) -> int:
    """The residual stream and the normalised tokens."""
    residual = uram(18 * chosen.lanes, layer.tokens * layer.width // chosen.lanes)
    rows = uram(8 * layer.machine.chains * chosen.unroll, layer.tokens * steps // chosen.unroll)
    return residual + rows
