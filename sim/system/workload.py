"""What the experts are asked for, block after block: recorded from the model or generated."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.routing_trace import load_trace


@dataclass(frozen=True, kw_only=True)
class Step:
    """One pass through one block: tokens of each expert."""

    block: int
    tokens: tuple[int, ...]
    task: str = ""

    @property
    def active(self) -> list[int]:
        """Experts with work."""
        return [expert for expert, count in enumerate(self.tokens) if count]


PATTERNS = ("uniform", "zipf", "task-skewed", "adversarial")
"""Generated routing: all experts alike; popularity 1/rank; each task with its own hot quarter of
the experts; a cycle through all experts, the worst case of a least-recently-used cache."""


def recorded(path: Path) -> list[Step]:
    """Steps of a routing trace that ``m3vit run --trace`` wrote, in its order.

    Raises:
        PackageError: the file is no routing trace.
        ConfigurationError: it holds no plan.
    """
    steps = [
        Step(
            block=entry.block,
            tokens=tuple(int(count) for count in entry.plan.counts),
            task=entry.task,
        )
        for entry in load_trace(path)
    ]
    if not steps:
        raise ConfigurationError(f"routing trace {path} holds no plan; record at least one image")
    return steps


def generated(
    pattern: str,
    *,
    passes: int,
    blocks: int,
    experts: int,
    top_k: int,
    tokens: int,
    tasks: int = 1,
    seed: int = 1,
) -> list[Step]:
    """``passes`` runs through ``blocks`` blocks with ``tokens`` tokens each.

    Raises:
        ConfigurationError: unknown pattern, or sizes that are not positive or contradict.
    """
    if pattern not in PATTERNS:
        raise ConfigurationError(f"unknown routing {pattern!r}; known are {', '.join(PATTERNS)}")
    if min(passes, blocks, experts, top_k, tokens, tasks) < 1 or top_k > experts:
        raise ConfigurationError(
            f"passes, blocks, experts, top_k, tokens and tasks must be positive and top_k at most "
            f"experts, got {passes}, {blocks}, {experts}, {top_k}, {tokens}, {tasks}"
        )
    generator = np.random.Generator(np.random.PCG64(seed))
    steps = []
    for number in range(passes):
        for block in range(blocks):
            if pattern == "adversarial":
                counts = _cycle(number * tokens, experts, top_k, tokens)
            else:
                weights = _popularity(pattern, experts, block, number % tasks, tasks)
                counts = _draw(generator, weights, top_k, tokens)
            steps.append(Step(block=block, tokens=counts, task=f"task{number % tasks}"))
    return steps


def _popularity(
    pattern: str, experts: int, block: int, task: int, tasks: int
) -> NDArray[np.float64]:
    """Relative popularity; another order of experts in every block."""
    order = np.random.Generator(np.random.PCG64(block)).permutation(experts)
    weights = np.ones(experts)
    if pattern == "zipf":
        weights[order] = 1.0 / np.arange(1, experts + 1)
    elif pattern == "task-skewed":
        hot = max(1, experts // 4)
        first = task * experts // tasks
        weights[order[(first + np.arange(hot)) % experts]] = 10.0
    return weights


def _draw(
    generator: np.random.Generator, weights: NDArray[np.float64], top_k: int, tokens: int
) -> tuple[int, ...]:
    """Each token takes ``top_k`` different experts by popularity (Gumbel's trick)."""
    scores = np.log(weights) + generator.gumbel(size=(tokens, weights.size))
    chosen = np.argsort(-scores, axis=1)[:, :top_k]
    counts = np.bincount(chosen.ravel(), minlength=weights.size)
    return tuple(int(count) for count in counts)


def _cycle(first: int, experts: int, top_k: int, tokens: int) -> tuple[int, ...]:
    chosen = (first * top_k + np.arange(tokens * top_k)) % experts
    return tuple(int(count) for count in np.bincount(chosen, minlength=experts))


def popularity(steps: Sequence[Step]) -> dict[tuple[int, int], int]:
    """How often each expert of each block has work."""
    seen: dict[tuple[int, int], int] = {}
    for step in steps:
        for expert in step.active:
            seen[step.block, expert] = seen.get((step.block, expert), 0) + 1
    return seen
