"""The one stream from DRAM, in order of use, through the weight ring."""

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


class WeightStream:
    """Fetches as early as the ring's space allows; ``channel`` is when the last byte was sent."""

    def __init__(self, bytes_per_cycle: float, ring_bytes: int, latency: int) -> None:
        self.channel = 0.0
        self.bytes_by_kind = dict.fromkeys(KINDS, 0)
        self.rate = bytes_per_cycle
        self._ring = ring_bytes
        self._latency = latency
        self._fetched = 0
        self._freed_bytes: list[int] = [0]
        self._freed_at: list[float] = [0.0]
        self._oldest = 0

    def read(self, size: int, kind: str, not_before: float = 0.0) -> float:
        """Move ``size`` bytes past the ring; return the cycle at which they are here."""
        self.channel = max(self.channel, not_before) + size / self.rate
        self.bytes_by_kind[kind] += size
        return self.channel + self._latency

    def fetch(self, size: int, kind: str, not_before: float = 0.0) -> float:
        """Move ``size`` bytes into the ring as soon as it has room.

        Raises:
            ConfigurationError: what must stay in the ring at once exceeds it.
        """
        self._fetched += size
        return self.read(size, kind, max(not_before, self._room_at(self._fetched - self._ring)))

    def _room_at(self, freed: int) -> float:
        freed_bytes = self._freed_bytes
        while freed_bytes[self._oldest] < freed:
            self._oldest += 1
            if self._oldest == len(freed_bytes):
                raise ConfigurationError(
                    f"the weight ring of {self._ring} bytes cannot hold one panel of this network; "
                    "choose a machine with a larger ring"
                )
        return self._freed_at[self._oldest]

    def release(self, size: int, cycle: float) -> None:
        """The oldest ``size`` bytes were used at ``cycle``; the ring frees in order."""
        self._freed_bytes.append(self._freed_bytes[-1] + size)
        self._freed_at.append(max(cycle, self._freed_at[-1]))

    def has_room(self, size: int) -> bool:
        """Whether ``size`` more bytes fit without waiting for a release yet to come."""
        return self._fetched + size - self._ring <= self._freed_bytes[-1]

    def drop(self, size: float) -> None:
        """Bytes fetched in vain: they take time and traffic, no room for long."""
        self.channel += size / self.rate
        self.bytes_by_kind["experts"] += round(size)
