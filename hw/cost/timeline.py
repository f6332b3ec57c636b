"""When the matrix array works, and what each idle cycle waited for."""

from m3vit.hw.machine import CASCADE

CAUSES = (
    "weights",
    "refill",
    "operand",
    "norm",
    "softmax",
    "gate",
    "command",
    "blocked",
)
"""Why the array idles, as the machine's counters ``ARRAY_WAIT_*`` and ``ARRAY_BLOCKED`` count it:
weights not in the ring; tile not in the multipliers (padding of short passes too); operand not
made, rows not moved; LayerNorm; softmax; gate not known; no pass given; results cannot leave."""

TILE_STEPS = CASCADE
"""Load steps of a tile, and the slots of the shortest pass."""

_SEEN = 2
"""Cycles until what a pass or a tile waits for is acted upon (registers of Issue and Loader)."""

_CLEAR = 3
"""Cycles from a pass's first slot until its shadow registers may be loaded again."""


class ArrayTimeline:
    """Places passes (one weight tile x one block of token pairs) at the earliest legal cycle.

    ``time`` is the first cycle in which the array is free; at any moment
    ``time == busy + sum(lost.values())``.  ``length`` is that of the last pass;
    ``parameter_steps``: load steps of the records in front of a panel's first tile.
    """

    def __init__(self, parameter_steps: int, gap: int = 0) -> None:
        self.time = 0.0
        self.busy = 0
        self.length = 0
        self.lost = dict.fromkeys(CAUSES, 0.0)
        self._parameters = parameter_steps
        self._gap = gap
        self._swapped = 0.0
        self._loaded = -float(TILE_STEPS + _SEEN)

    def wait_until(self, cycle: float, cause: str) -> None:
        """Idle up to ``cycle``."""
        if cycle > self.time:
            self.lost[cause] += cycle - self.time
            self.time = cycle

    def start_pass(
        self,
        pairs: int,
        *,
        panel: bool = False,
        arrival: float = 0.0,
        ready: float = 0.0,
        cause: str = "operand",
        room: float = 0.0,
        length: int = 1,
    ) -> float:
        """Run one pass and return its first cycle.

        Its tile is loaded once it has arrived (``arrival``), the tile and the records (``panel``)
        in front have been loaded and the pass in front has begun.  The pass starts when the array
        is free, its tile is loaded, its operand is ``ready`` and its results have ``room``.  The
        wait is charged as the machine's counters do it: operand first, then tile, then room; the
        cycles in which the end of a wait is noticed count as "command".
        """
        follows = self._loaded + TILE_STEPS + (self._parameters if panel else 0)
        load = max(follows, self._swapped + _CLEAR, arrival + _SEEN)
        start = max(self.time, load + _SEEN, ready + _SEEN, room + _SEEN)
        if start > self.time:
            self.wait_until(ready, cause)
            self.wait_until(min(arrival + _SEEN, start - 1), "weights")
            self.wait_until(min(load + 1, start - 1), "refill")
            self.wait_until(room, "blocked")
            self.wait_until(start, "command")
        self._loaded, self._swapped = load, start
        self._occupy(1, pairs, length)
        return start

    def repeat(self, count: int, pairs: int, length: int = 1) -> float:
        """Run ``count`` passes that wait for nothing but each other; return the last's first cycle.

        The same as ``count`` times :meth:`start_pass` without conditions, in constant time: a pass
        is never shorter than the load of a tile.
        """
        begun = self.start_pass(pairs, length=length)
        if count > 1:
            step = max(pairs, length, TILE_STEPS) + self._gap
            begun += (count - 1) * step
            self._loaded = max(self._loaded + (count - 1) * TILE_STEPS, begun - step + _CLEAR)
            self._swapped = begun
            self._occupy(count - 1, pairs, length)
        return begun

    def _occupy(self, count: int, pairs: int, length: int) -> None:
        padded = max(pairs, length, TILE_STEPS)
        self.busy += count * pairs
        self.length = padded
        self.lost["refill"] += count * (padded - pairs)
        self.lost["command"] += count * self._gap
        self.time += count * (padded + self._gap)
