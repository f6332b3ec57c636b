"""What calibration keeps: per channel minimum, maximum and how many values were seen.

Ranges are exact, never percentiles: in transformers outliers carry the function, and clipping one
value in a thousand costs more than the coarser step it saves.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from m3vit.hw.errors import QuantisationError
from m3vit.hw.formats import Float64
from m3vit.model.quantise.score_rows import ScoreWatch

Key = tuple[str, int, int]
"""Name of the tensor, block (-1 in heads), and expert or task number (0 where neither applies)."""

HEAD = -1

_CHANNEL_AXIS = {"head_0": 1, "head_1": 1, "head_2": 1, "head_3": 1, "head_logits": 1}
_UNUSED = frozenset({"topk", "weights", "logits"})


@dataclass(frozen=True, kw_only=True)
class ChannelRange:
    """Minimum and maximum of every channel, float64 [C], and the number of rows seen."""

    low: Float64
    high: Float64
    count: int

    @property
    def peak(self) -> Float64:
        """Largest magnitude of every channel."""
        return np.maximum(np.abs(self.low), np.abs(self.high))

    @property
    def middle(self) -> Float64:
        """Middle of every channel's range."""
        return (self.low + self.high) / 2

    @property
    def half(self) -> Float64:
        """Half the width of every channel's range."""
        return (self.high - self.low) / 2

    def reach(self, centre: Float64) -> Float64:
        """Largest distance of every channel from ``centre`` [C]."""
        return np.maximum(self.high - centre, centre - self.low)

    def join(self, other: "ChannelRange") -> "ChannelRange":
        """The range over both."""
        return ChannelRange(
            low=np.minimum(self.low, other.low),
            high=np.maximum(self.high, other.high),
            count=self.count + other.count,
        )


def channel_range(values: Float64) -> ChannelRange:
    """Range of ``values`` [..., C]; at least one row."""
    rows = values.reshape(-1, values.shape[-1])
    return ChannelRange(low=rows.min(0), high=rows.max(0), count=len(rows))


@dataclass
class Ranges:
    """Ranges of all tensors of a network, filled while it runs.

    ``scores`` holds, by block, queries with their best scores.
    """

    entries: dict[Key, ChannelRange] = field(default_factory=dict)
    scores: ScoreWatch = field(default_factory=ScoreWatch)

    def add(self, key: Key, values: Float64) -> None:
        """Widen the range of ``key`` by ``values`` [..., C].

        Raises:
            QuantisationError: a value is not finite.
        """
        if values.size == 0:
            return
        if not np.isfinite(values).all():
            raise QuantisationError(
                f"{describe(key)} is not finite during calibration; check the weights and images"
            )
        new = channel_range(values)
        old = self.entries.get(key)
        self.entries[key] = new if old is None else old.join(new)

    def observe(self, name: str, block: int, value: Tensor, index: int | None) -> None:
        """Observer of the network; see :meth:`for_task` for heads."""
        if name not in _UNUSED:
            axis = _CHANNEL_AXIS.get(name, -1)
            rows = value.detach().movedim(axis, -1).cpu().double().numpy()
            self.add((name, block, index or 0), rows)
        self.scores(name, block, value)

    def for_task(self, task: int) -> "TaskObserver":
        """Observer that files what heads report under ``task``."""
        return TaskObserver(self, task)

    def get(self, name: str, block: int, index: int = 0) -> ChannelRange:
        """Range of a tensor that every calibration must have seen.

        Raises:
            QuantisationError: calibration has not seen it.
        """
        found = self.find(name, block, index)
        if found is None:
            raise QuantisationError(
                f"calibration has not seen {describe((name, block, index))}; "
                "run it on every task of the same network"
            )
        return found

    def find(self, name: str, block: int, index: int = 0) -> ChannelRange | None:
        """Range of a tensor, None if calibration has not met it (an expert without tokens)."""
        return self.entries.get((name, block, index))

    def named(self, names: Iterable[str]) -> Iterator[ChannelRange]:
        """All ranges whose tensor is called one of ``names``, in any block."""
        wanted = set(names)
        return (entry for (name, _, _), entry in self.entries.items() if name in wanted)


@dataclass(frozen=True)
class TaskObserver:
    """Callable with the network's observer signature; see :meth:`Ranges.for_task`."""

    ranges: Ranges
    task: int

    def __call__(self, name: str, block: int, value: Tensor, expert: int | None) -> None:
        """Record ``value``."""
        self.ranges.observe(name, block, value, self.task if block == HEAD else expert)


def describe(key: Key) -> str:
    """A tensor's name for messages."""
    name, block, index = key
    return f"{name} of task {index}" if block == HEAD else f"block {block} {name} [{index}]"
