"""Rails read again and again beside whatever runs."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from m3vit.host.power.hwmon import Rail
from m3vit.hw.errors import DeviceError
from m3vit.hw.formats import Float64

INTERVAL_S = 0.02
"""An INA226 as Linux sets it up averages over some 35 ms: reading it faster shows nothing new."""

SETTLE_S = 0.2
"""Readings within this time of a change of load still average over what was before."""

FEWEST = 5
"""Readings that a mean needs at least."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """Readings of some rails over a stretch of time."""

    names: tuple[str, ...]
    times: Float64
    """[n] seconds, ascending."""
    watts: Float64
    """[n, rails]."""
    lost: int = 0
    """Readings that a chip refused."""

    def __post_init__(self) -> None:
        if self.watts.shape != (len(self.times), len(self.names)):
            raise DeviceError(
                f"samples are {list(self.watts.shape)}, expected {len(self.times)} readings of "
                f"{len(self.names)} rails"
            )

    def settled(self) -> "Samples":
        """Without the readings of the first moments.

        Raises:
            DeviceError: too few are left.
        """
        begin = self.times[0] if len(self.times) else 0.0
        late: NDArray[np.bool_] = self.times - begin >= SETTLE_S
        if late.sum() < FEWEST:
            raise DeviceError(
                f"{int(late.sum())} power readings after {SETTLE_S} s of settling ({self.lost} "
                f"refused), expected {FEWEST} or more; measure longer with --seconds"
            )
        return Samples(
            names=self.names, times=self.times[late], watts=self.watts[late], lost=self.lost
        )


@dataclass
class Sampler:
    """A context manager: reads ``rails`` while its body runs, ``samples`` holds them afterwards."""

    rails: Sequence[Rail]
    interval_s: float = INTERVAL_S
    clock: Callable[[], float] = time.perf_counter
    _rows: list[tuple[float, list[float]]] = field(default_factory=list)
    _lost: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> "Sampler":
        self._thread = threading.Thread(target=self._read_on, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _read_on(self) -> None:
        while not self._stop.is_set():
            try:
                watts = [rail.watts() for rail in self.rails]
            except (OSError, ValueError):  # I2C loses a transfer now and then
                self._lost += 1
            else:
                self._rows.append((self.clock(), watts))
            self._stop.wait(self.interval_s)

    @property
    def samples(self) -> Samples:
        """What was read."""
        return Samples(
            names=tuple(rail.name for rail in self.rails),
            times=np.array([moment for moment, _ in self._rows], np.float64),
            watts=np.array([row for _, row in self._rows], np.float64).reshape(
                len(self._rows), len(self.rails)
            ),
            lost=self._lost,
        )
