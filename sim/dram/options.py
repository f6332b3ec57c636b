"""How a controller is run: scheduler, page policy, refresh, queues."""

from dataclasses import dataclass

from m3vit.hw.errors import ConfigurationError
from m3vit.sim.dram.kernel.layout import (
    REFRESH_ALL,
    REFRESH_BANK,
    REFRESH_NONE,
    REFRESH_PAIRED,
)

SCHEDULERS = ("frfcfs-rowhit", "frfcfs")
"""First ready first come first served; with ``rowhit``, an older row hit keeps its row open."""

PAGES = ("open", "closed")
"""Closed pages auto-precharge as soon as nobody in the queue wants the row."""

REFRESHES = {
    "none": REFRESH_NONE,
    "all-bank": REFRESH_ALL,
    "per-bank": REFRESH_BANK,
    "paired": REFRESH_PAIRED,
}
"""``paired`` is HBM3's per-bank refresh: the same bank of every pseudo channel in turn."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Settings of one run.

    ``requests_per_tick`` limits how fast the trace may be handed over; with ``drain`` false the
    run ends when the last request has been sent (as Ramulator's trace front end does).
    Writes drain from above ``write_high`` of their queue to below ``write_low``.
    """

    mapping: str = "RoBaRaCoCh"
    scheduler: str = "frfcfs-rowhit"
    page: str = "open"
    refresh: str = "all-bank"
    read_queue: int = 32
    write_queue: int = 32
    write_high: float = 0.8
    write_low: float = 0.2
    requests_per_tick: int = 2
    drain: bool = True
    log_commands: int = 0

    def __post_init__(self) -> None:
        """Raise ConfigurationError for unknown names and impossible sizes."""
        for what, got, known in (
            ("scheduler", self.scheduler, SCHEDULERS),
            ("page policy", self.page, PAGES),
            ("refresh", self.refresh, tuple(REFRESHES)),
        ):
            if got not in known:
                raise ConfigurationError(f"unknown {what} {got!r}; known are {', '.join(known)}")
        for name in ("read_queue", "write_queue", "requests_per_tick"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} must be 1 or more, got {getattr(self, name)}")
        if not 0 <= self.write_low < self.write_high <= 1:
            raise ConfigurationError(
                "write watermarks must satisfy 0 <= low < high <= 1, "
                f"got {self.write_low} and {self.write_high}"
            )
