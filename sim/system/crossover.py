"""Where near memory beats fetching: tokens, experts, choices and weight bits.

One block with ``experts`` of which every token takes ``top_k``: with T tokens, an expert is active
with probability 1 - (1 - K/E)^T and then has T K / E / that probability tokens on average.  All
active experts are alike, so that the smooth map shows the mean, not the luck of a draw.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from m3vit.sim.nearmem.tables import near_time_ns
from m3vit.sim.nearmem.unit import NearUnit, load_unit
from m3vit.sim.system.processor import Processor, load_processor
from m3vit.sim.system.workload import recorded


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A processor that fetches, and a unit near the memory it fetches from.

    ``over_link`` says whether weights come over the processor's link or from its own memory;
    ``native_bits`` are the weight bits for which the processor's peak holds.
    """

    name: str
    processor: str
    near: str
    over_link: bool
    native_bits: int


PAIRS = (
    Pair(name="duplex", processor="h100", near="logic-pim", over_link=False, native_bits=16),
    Pair(name="monde", processor="a100", near="monde", over_link=True, native_bits=16),
    Pair(name="zcu104", processor="zcu104", near="ddr4-bank", over_link=True, native_bits=8),
)
"""Duplex, MoNDE, and this project's board with hypothetical bank-level units in its DDR4."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """Sizes of a block of experts with two matrices of ``width`` x ``hidden``."""

    width: int = 384
    hidden: int = 384
    experts: int = 16
    top_k: int = 4
    bits: int = 8

    @property
    def expert_bytes(self) -> float:
        """Bytes of one expert."""
        return 2 * self.width * self.hidden * self.bits / 8


def _speed(native_bits: int, bits: int) -> float:
    """Arithmetic speed against the native one; below 8 bits nothing gets faster."""
    return native_bits / max(bits, 8)


def load_of(block: Block, tokens: int) -> tuple[float, int]:
    """Expected number of active experts, and tokens of each (rounded up)."""
    share = min(1.0, block.top_k / block.experts)
    active = block.experts * (1 - (1 - share) ** tokens)
    return active, max(1, int(np.ceil(tokens * block.top_k / active - 1e-9)))


def near_over_fetch(pair: Pair, block: Block, tokens: int) -> float:
    """Time near memory over time by fetching (below one: near memory wins), on average routing."""
    active, each = load_of(block, tokens)
    near, fetch = _expert_ns(pair, block, each)
    return _ratio(pair, block, tokens, active * near, active * fetch)


def routed_near_over_fetch(pair: Pair, block: Block, tokens: Sequence[int]) -> float:
    """The same for the tokens that each expert really had."""
    pairs = [_expert_ns(pair, block, count) for count in tokens if count]
    total = sum(tokens) // block.top_k
    return _ratio(pair, block, total, sum(n for n, _ in pairs), sum(f for _, f in pairs))


@cache
def _units(pair: Pair) -> tuple[Processor, NearUnit]:
    return load_processor(pair.processor), load_unit(pair.near)


def _expert_ns(pair: Pair, block: Block, tokens: int) -> tuple[float, float]:
    """One expert near memory, and fetched."""
    processor, unit = _units(pair)
    size = block.expert_bytes
    operations = 4.0 * block.width * block.hidden * tokens / _speed(pair.native_bits, block.bits)
    fetch = processor.time_ns(operations, size)
    if pair.over_link:
        fetch = max(fetch, size / processor.link_gbps)
    element_bytes = block.bits / 8 * _speed(16, block.bits)
    return near_time_ns(unit, size, tokens, element_bytes), fetch


def _ratio(pair: Pair, block: Block, tokens: int, near: float, fetch: float) -> float:
    """Both ways pay the link's latency once; activations travel while the unit works."""
    processor, _ = _units(pair)
    first = processor.link_latency_ns if pair.over_link else 0.0
    message = 4.0 * tokens * block.width / processor.link_gbps if pair.over_link else 0.0
    return (first + max(near, message)) / (first + fetch)


def crossover_tokens(pair: Pair, block: Block, limit: int = 4096) -> int:
    """The most tokens (powers of two up to ``limit``) with which near memory wins; 0: none."""
    powers = [1 << n for n in range(limit.bit_length())]
    return max((n for n in powers if near_over_fetch(pair, block, n) < 1), default=0)


def grid(
    pair: Pair, block: Block, tokens: Sequence[int], experts: Sequence[int]
) -> NDArray[np.float64]:
    """[experts, tokens] of near over fetch."""
    rows = [
        Block(width=block.width, hidden=block.hidden, experts=e, top_k=block.top_k, bits=block.bits)
        for e in experts
    ]
    return np.array([[near_over_fetch(pair, row, n) for n in tokens] for row in rows])


def table() -> str:
    """Crossover tokens by pair, experts, K and bits, as Markdown."""
    lines = [
        "# Most tokens a block with which near memory still beats fetching (simulated)",
        "",
        "Powers of two up to 4096; 0: never. Expert 384 x 384 x 2. Generated by `make sim-memory`.",
        "",
        "| machine | experts | K | 4 bit | 8 bit | 16 bit |",
        "|---|---|---|---|---|---|",
    ]
    for pair in PAIRS:
        for experts, top_k in ((16, 1), (16, 4), (64, 2), (256, 1)):
            found = [
                crossover_tokens(pair, Block(experts=experts, top_k=top_k, bits=bits))
                for bits in (4, 8, 16)
            ]
            cells = " | ".join(map(str, found))
            lines.append(f"| {pair.name} | {experts} | {top_k} | {cells} |")
    return "\n".join(lines) + "\n"


RECORDED = Path(__file__).parents[1] / "traces" / "nano-scenes.npz"
"""Routing of the trained nano-scenes model: nine rendered scenes and a photo, every task."""


def recorded_table(trace: Path, widths: Sequence[int] = (96, 384, 768)) -> str:
    """Near over fetch on recorded routing, mean over images and blocks of each task, as Markdown.

    Wider experts than the recorded model's answer what its routing would mean for larger models.
    """
    steps = recorded(trace)
    experts, total = len(steps[0].tokens), sum(steps[0].tokens)
    lines = [
        "",
        f"## On recorded routing ({trace.name}: {len(steps)} blocks, {experts} experts, "
        f"{total} choices a block), 8-bit weights: near over fetch",
        "",
        "| machine | expert | " + " | ".join(dict.fromkeys(step.task for step in steps)) + " |",
        "|---" * (2 + len({step.task for step in steps})) + "|",
    ]
    for pair in PAIRS:
        for width in widths:
            block = Block(width=width, hidden=width, experts=experts, top_k=2)
            by_task: dict[str, list[float]] = {}
            for step in steps:
                ratio = routed_near_over_fetch(pair, block, step.tokens)
                by_task.setdefault(step.task, []).append(ratio)
            cells = " | ".join(f"{np.mean(found):.2f}" for found in by_task.values())
            lines.append(f"| {pair.name} | {width} x {width} x 2 | {cells} |")
    return "\n".join(lines) + "\n"
