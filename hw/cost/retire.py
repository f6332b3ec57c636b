"""When results leave: the one unit that takes them in order to the stores."""

from collections import deque


class Retire:
    """Takes a pair's results every ``rate`` cycles, in order of the passes that end a sum.

    ``latency``: cycles from a pass's slot to its result at the head of the queue; ``places``:
    pairs that the queue holds, reserved when a pass starts.
    """

    def __init__(self, latency: int, places: int) -> None:
        self.free = 0.0
        self._latency = latency
        self._places = places
        self._taken = 0
        self._gone = 0
        self._waiting: deque[tuple[int, float, int]] = deque()

    def room(self, pairs: int) -> float:
        """Cycle at which the queue can promise ``pairs`` more places."""
        needed = self._taken + pairs - self._places
        while self._waiting and self._waiting[0][0] < needed:
            self._gone = self._waiting.popleft()[0]
        if needed <= self._gone or not self._waiting:
            return 0.0
        last, end, rate = self._waiting[0]
        return end - rate * (last - needed)

    def take(self, start: float, pairs: int, rate: int) -> float:
        """Results of a pass that begins at ``start``; returns when the last of them has left."""
        arrival = start + self._latency
        self.free = max(self.free + rate * pairs, arrival + rate * pairs)
        self._taken += pairs
        self._waiting.append((self._taken, self.free, rate))
        return self.free
