"""The driver: packages kept resident, images queued, results collected, everything freed."""

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from types import TracebackType

from m3vit.host.driver.execution import Execution, Job, Progress
from m3vit.host.driver.lock import DeviceLock
from m3vit.host.driver.platform import Platform
from m3vit.host.driver.resident import Resident
from m3vit.host.driver.state import MachineState
from m3vit.hw.errors import DeviceError
from m3vit.hw.formats import Int8, Int16, UInt8
from m3vit.hw.machine import MachineConfig
from m3vit.hw.package import Package

SLOTS = 2
"""Images of one package under way: one in the machine, one being filled or read."""

MARGIN = 10.0
"""A run may take this many times what the cost model expects, and the platform's slack."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Ticket:
    """An image that has been submitted."""

    job: Job
    future: "Future[tuple[MachineState, float]]"
    in_s: float
    """Seconds that its copy to the machine took."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """What one image left behind."""

    result: Int16
    """[T, d]."""
    trace: UInt8 | None
    state: MachineState
    phases: dict[str, float]
    """Seconds of this host's clock: "in", "run", "out"."""


class Accelerator:
    """One machine on a platform.

    Args:
        platform: carries the machine; it is closed with this object, or when this constructor
            fails.
        machine: what the bitstream must be.
        progress: told in words, every two seconds of a run, where it is.
        timeout_s: of the machine's time for one run; None = ten times what the cost model
            expects, and the platform's slack.

    Raises:
        DeviceError: another process drives it, or no accelerator answers.
        DigestMismatchError: another machine answers.
    """

    def __init__(
        self,
        platform: Platform,
        machine: MachineConfig,
        progress: Progress | None = None,
        timeout_s: float | None = None,
    ) -> None:
        self.platform, self.machine = platform, machine
        self._timeout_s = timeout_s
        self._residents: dict[str, Resident] = {}
        self._pending: list[Ticket] = []
        self._open, self._lock = True, None
        try:
            self._lock = DeviceLock(platform.lock) if platform.lock else None
            self._execution = Execution(platform, machine, progress)
        except BaseException:
            self._leave()
            raise
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="m3vit")

    @property
    def retries(self) -> int:
        """Runs that were repeated after a bus error."""
        return self._execution.retries

    def load(self, package: Package) -> None:
        """Make ``package`` resident beside the others; a second time changes nothing.

        Raises:
            DigestMismatchError: it was compiled for another machine.
            DeviceError: there is no room; the message says how much is needed and is free.
        """
        self._require_open()
        package.require_machine(self.machine)
        if package.digest not in self._residents:
            resident = Resident.load(package, self.platform.allocate, SLOTS)
            self._residents[package.digest] = resident

    def unload(self, package: Package) -> None:
        """Free the package's buffers.

        Raises:
            DeviceError: it is not resident, or an image of it is under way.
        """
        resident = self._resident(package)
        under_way = len(resident.slots) - len(resident.idle)
        if under_way:
            raise DeviceError(
                f"package {package.path} has {under_way} images under way; collect them first"
            )
        self._residents.pop(package.digest).free()

    def submit(self, package: Package, tiles: Int8, task: int, *, trace: bool = False) -> Ticket:
        """Copy an image to the machine and queue it; the task may differ from call to call.

        Args:
            package: a resident package.
            tiles: int8 [T - 1, patch elements].
            task: selects the gates; costs no cycle.
            trace: whether every layer is copied out as well.

        Raises:
            DeviceError: the package is not resident, its queue is full, or there is no room.
        """
        resident = self._resident(package)
        started = time.perf_counter()
        slot = resident.take_slot(tiles, trace, self.platform.allocate)
        copied = time.perf_counter() - started
        expected = MARGIN * resident.expected_s + self.platform.slack_s
        limit = expected if self._timeout_s is None else self._timeout_s
        job = Job(resident=resident, slot=slot, task=task, trace=trace, timeout_s=limit)
        ticket = Ticket(job=job, future=self._worker.submit(self._timed, job), in_s=copied)
        self._pending.append(ticket)
        return ticket

    def collect(self, ticket: Ticket) -> Run:
        """Wait for a submitted image and copy its result back; its place is free again.

        An interruption of the waiting (Ctrl-C) ends everything under way and leaves the machine
        idle.

        Raises:
            DeviceError: the machine failed (see :meth:`Execution.run`), or the image is no longer
                under way.
        """
        if ticket not in self._pending:
            raise DeviceError(f"{self.platform.name}: this image is not under way; submit it again")
        try:
            state, seconds = ticket.future.result()
            run = _read(ticket, state, seconds)
        except Exception:
            self._forget(ticket)
            raise
        except BaseException:
            self.interrupt()
            raise
        self._forget(ticket)
        return run

    def interrupt(self) -> None:
        """Drop every image under way; the machine is idle afterwards and can be used again."""
        self._execution.cancelled.set()
        for ticket in reversed(self._pending):
            ticket.future.cancel()
        wait([ticket.future for ticket in self._pending])
        for ticket in list(self._pending):
            self._forget(ticket)
        self._execution.cancelled.clear()

    def _forget(self, ticket: Ticket) -> None:
        self._pending.remove(ticket)
        ticket.job.resident.give_back(ticket.job.slot)

    def _timed(self, job: Job) -> tuple[MachineState, float]:
        started = time.perf_counter()
        state = self._execution.run(job)
        return state, time.perf_counter() - started

    def _resident(self, package: Package) -> Resident:
        self._require_open()
        if package.digest not in self._residents:
            raise DeviceError(
                f"package {package.path} is not resident on {self.platform.name}; load it"
            )
        return self._residents[package.digest]

    def _require_open(self) -> None:
        if not self._open:
            raise DeviceError(f"device {self.platform.name} is closed; open it again")

    def close(self) -> None:
        """End what runs, free every buffer and let others drive the machine."""
        if not self._open:
            return
        try:
            self.interrupt()
        finally:
            self._worker.shutdown()
            self._leave()

    def _leave(self) -> None:
        self._open = False
        for resident in self._residents.values():
            resident.free()
        self._residents.clear()
        self.platform.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> "Accelerator":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()


def _read(ticket: Ticket, state: MachineState, seconds: float) -> Run:
    """Copy what the run left."""
    started = time.perf_counter()
    job = ticket.job
    result = job.resident.result(job.slot)
    trace = job.resident.trace(job.slot) if job.trace else None
    out = time.perf_counter() - started
    phases = {"in": ticket.in_s, "run": seconds, "out": out}
    return Run(result=result, trace=trace, state=state, phases=phases)
