"""When the matrix array works, and what each idle cycle waited for."""

CAUSES = (
    "dram",
    "refill",
    "operand",
    "ln",
    "drain",
    "softmax",
    "gate",
    "command",
    "gap",
    "io",
)
"""Why the array idles: weights not in the ring; weights not yet in the multipliers; operand not
made; LayerNorm; results cannot leave; softmax; gate not known; between commands; between passes;
start, image and result."""


class ArrayTimeline:
    """Places passes (one weight tile x one block of token pairs) at the earliest legal cycle.

    ``time`` is the first cycle in which the array is free; at any moment
    ``time == busy + sum(lost.values())``.
    """

    def __init__(self, gap: int) -> None:
        self.time = 0.0
        self.busy = 0
        self.lost = dict.fromkeys(CAUSES, 0.0)
        self._gap = gap
        self._swapped = 0.0

    def wait_until(self, cycle: float, cause: str) -> None:
        """Idle up to ``cycle``."""
        if cycle > self.time:
            self.lost[cause] += cycle - self.time
            self.time = cycle

    def start_pass(
        self,
        pairs: int,
        refill: int,
        *,
        arrival: float = 0.0,
        ready: float = 0.0,
        cause: str = "operand",
        out: float = 0.0,
        shortest: int = 1,
    ) -> float:
        """Run one pass and return its first cycle.

        It starts when the array is free, its tile has arrived (``arrival``) and been shifted into
        the shadow registers (``refill`` cycles), its operand is ``ready`` and its results may
        leave (``out``).  The wait is charged step by step, to the latest cause last.
        """
        loaded, shifted = arrival + refill, self._swapped + 1 + refill
        start = max(self.time, loaded, shifted, ready, out)
        if start > self.time:
            limits = [(shifted, "refill"), (loaded, "dram"), (ready, cause), (out, "drain")]
            for cycle, name in sorted(limits, key=lambda limit: limit[0]):
                self.wait_until(cycle, name)
        self._swapped = start
        self._occupy(1, pairs, shortest)
        return start

    def repeat(self, count: int, pairs: int, refill: int, shortest: int) -> float:
        """Run ``count`` passes that wait for nothing but each other; return the last's first cycle.

        The same as ``count`` times :meth:`start_pass` without conditions, in constant time.
        """
        start = self.start_pass(pairs, refill, shortest=shortest)
        if count > 1:
            length = max(pairs, shortest) + self._gap
            wait = max(0, 1 + refill - length)
            self.lost["refill"] += (count - 1) * wait
            self.time += (count - 1) * wait
            self._occupy(count - 1, pairs, shortest)
            start += (count - 1) * (length + wait)
            self._swapped = start
        return start

    def _occupy(self, count: int, pairs: int, shortest: int) -> None:
        padded = max(pairs, shortest)
        self.busy += count * pairs
        self.lost["refill"] += count * (padded - pairs)
        self.lost["gap"] += count * self._gap
        self.time += count * (padded + self._gap)
