"""The one stream from DRAM, in order of use, through the weight ring."""

import math
from bisect import bisect_left

from m3vit.hw.errors import ConfigurationError

KINDS = (
    "weights",
    "experts",
    "gates",
    "tables",
    "commands",
    "image",
    "position",
    "result",
)
"""What DRAM bytes are moved for."""

_PIECES = 32
"""A region that is dropped moves in pieces of this part of the ring."""


class WeightStream:
    """Fetches as early as there is room; ``channel`` is when the last byte was sent.

    Data waits in the ring and, in front of it, in the ports' queues of ``queue_bytes``.
    """

    def __init__(
        self, bytes_per_cycle: float, ring_bytes: int, latency: int, queue_bytes: int = 0
    ) -> None:
        self.channel = 0.0
        self.bytes_by_kind = dict.fromkeys(KINDS, 0)
        self.rate = bytes_per_cycle
        self._ring = ring_bytes
        self._latency = latency
        self._queue = queue_bytes
        self._delivered = 0.0
        self._fetched = 0
        self._held = 0
        self._freed_bytes: list[int] = [0]
        self._freed_at: list[float] = [0.0]

    def _send(self, size: int, kind: str, not_before: float) -> float:
        self.channel = max(self.channel, not_before) + size / self.rate
        self.bytes_by_kind[kind] += size
        return max(self.channel + self._latency, self._delivered)

    def read(self, size: int, kind: str, not_before: float = 0.0) -> float:
        """Move ``size`` bytes past ring and queues; return the cycle at which they are here."""
        return self._send(size, kind, not_before)

    def rows(self, size: int, kind: str, rate: float, begins: float) -> float:
        """Move ``size`` bytes that are taken at ``rate`` bytes a cycle from ``begins`` on.

        What comes behind them waits in the queues meanwhile.  Returns when the last is here.
        """
        first = max(begins, self.channel + self._latency, self._delivered)
        self._delivered = max(self._send(size, kind, 0.0), first + size / rate)
        ahead = self._queue / self.rate + self._latency
        self.channel = max(self.channel, self._delivered - ahead)
        return self._delivered

    def fetch(self, size: int, kind: str, not_before: float = 0.0) -> float:
        """Move ``size`` bytes into the ring as soon as there is room.

        Raises:
            ConfigurationError: what must stay in the ring at once exceeds it.
        """
        self._fetched += size
        queued = self._room_at(self._fetched - self._ring - self._queue)
        return max(
            self._send(size, kind, max(not_before, queued)),
            self._room_at(self._fetched - self._ring),
        )

    def _room_at(self, freed: int) -> float:
        """Cycle at which ``freed`` bytes have been given back."""
        index = bisect_left(self._freed_bytes, freed)
        if index == len(self._freed_bytes):
            raise ConfigurationError(
                f"the weight ring of {self._ring} bytes cannot hold one panel of this network; "
                "choose a machine with a larger ring"
            )
        return self._freed_at[index]

    def hold(self, size: int) -> None:
        """The oldest ``size`` bytes are freed with the next that are: a table between panels."""
        self._held += size

    def release(self, size: int, cycle: float) -> None:
        """The oldest ``size`` bytes were used at ``cycle``; the ring frees in order."""
        self._freed_bytes.append(self._freed_bytes[-1] + size + self._held)
        self._freed_at.append(max(cycle, self._freed_at[-1]))
        self._held = 0

    @property
    def begins(self) -> float:
        """When the next byte can be asked for; infinite as long as nobody knows."""
        needed = self._fetched + 1 - self._ring - self._queue
        known = needed <= self._freed_bytes[-1]
        return max(self.channel, self._room_at(needed)) if known else math.inf

    def drop(self, size: int, kind: str, cycle: float) -> None:
        """Fetch ``size`` bytes in vain: from ``cycle`` on they leave the ring as they come."""
        pieces = -(-size * _PIECES // self._ring)
        for piece in range(pieces):
            part = size * (piece + 1) // pieces - size * piece // pieces
            self.release(part, max(cycle, self.fetch(part, kind)))
