"""One run of the machine: registers written, a start, a bounded wait, an outcome in words."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from m3vit.host.driver.identity import check_identity
from m3vit.host.driver.platform import Platform
from m3vit.host.driver.register_file import RegisterFile
from m3vit.host.driver.resident import Resident, Slot
from m3vit.host.driver.state import MachineState, name_of
from m3vit.hw.error_codes import ErrorCode
from m3vit.hw.errors import DeviceError, DeviceTimeoutError
from m3vit.hw.machine import MachineConfig
from m3vit.hw.registers import BY_NAME, WINDOW_UNIT

Progress = Callable[[str], object]
PATIENCE_S = 2.0
"""Seconds of the host's clock between two words of progress."""

POLLS = 1000
"""Looks at the status register until a stop has ended: bursts under way take microseconds."""

TRANSIENT = frozenset({ErrorCode.READ_ERROR, ErrorCode.WRITE_ERROR})
"""Errors that may not come again: a run is tried once more."""


class TransientError(DeviceError):
    """A bus error: the same run may succeed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """A run to be made."""

    resident: Resident
    slot: Slot
    task: int
    trace: bool
    timeout_s: float
    """Of the machine's time."""


class Execution:
    """Runs jobs on a platform, one after the other; ``cancelled`` ends the one under way."""

    def __init__(
        self, platform: Platform, machine: MachineConfig, progress: Progress | None = None
    ) -> None:
        self._platform, self._machine = platform, machine
        self._registers = RegisterFile(platform)
        check_identity(self._registers, machine, platform.name)
        self._progress = progress
        self.cancelled = threading.Event()
        self.retries = 0
        """Runs that were repeated after a bus error."""
        self._programmed = self._registers.read("COMMAND_COUNT")
        """What the register must hold before the next run, else somebody cleared it."""

    def run(self, job: Job) -> MachineState:
        """Run ``job``; a bus error is tried once more after a soft reset.

        Raises:
            DeviceError: the machine stopped with an error, was not idle, has lost its state or has
                gone.
            DeviceTimeoutError: it did not end in time; it has been reset.
        """
        try:
            return self._attempt(job)
        except TransientError:
            self.retries += 1
            return self._attempt(job)

    def soft_reset(self) -> None:
        """To idle from any state.

        Raises:
            DeviceTimeoutError: it does not become idle; a new bitstream or a power-cycle helps.
        """
        self._registers.write_fields("CONTROL", SOFT_RESET=1)
        if self._becomes_idle():
            self._registers.write_fields("INTERRUPT_STATUS", DONE=1, ERROR=1)
            return
        raise DeviceTimeoutError(
            f"{self._platform.name}: still busy after a soft reset and {POLLS} looks at the "
            f"status ({self._registers.read('STATUS'):#x}): memory owes it data; load the "
            "bitstream again, or power-cycle the board"
        )

    def _becomes_idle(self) -> bool:
        return any(self._status("IDLE") for _ in range(POLLS))

    def _status(self, field: str) -> bool:
        return bool(BY_NAME["STATUS"].field(field).get(self._registers.read("STATUS")))

    def _interrupted(self) -> DeviceError:
        return DeviceError(f"{self._platform.name}: the run was interrupted; the machine is idle")

    def _attempt(self, job: Job) -> MachineState:
        if self.cancelled.is_set():
            raise self._interrupted()
        check_identity(self._registers, self._machine, self._platform.name)
        if self._registers.read("COMMAND_COUNT") != self._programmed:
            raise self._lost("it does not hold what was written")
        if not self._status("IDLE"):
            self.soft_reset()
        self._program(job)
        self._registers.write_fields("CONTROL", START=1, TRACE=int(job.trace))
        self._wait(job)
        return self._outcome(job)

    def _program(self, job: Job) -> None:
        """Every operand of the run: nothing of an earlier one is relied on."""
        registers, resident, slot = self._registers, job.resident, job.slot
        trace = slot.trace if job.trace else None
        buffers = {
            "PACKAGE": resident.static,
            "IMAGE": slot.image,
            "RESULT": slot.result,
            "TRACE": trace,
        }
        for base, buffer in buffers.items():
            registers.write_pair(f"BASE_{base}", buffer.address if buffer else 0)
            registers.write(f"WINDOW_{base}", len(buffer.data) // WINDOW_UNIT if buffer else 0)
        registers.write("COMMAND_ADDRESS", resident.list_offset // WINDOW_UNIT)
        registers.write("COMMAND_COUNT", len(resident.package.commands))
        registers.write("TASK", job.task)
        registers.write_fields("INTERRUPT_STATUS", DONE=1, ERROR=1)
        registers.write_fields("INTERRUPT_ENABLE", DONE=1, ERROR=1)
        self._programmed = len(resident.package.commands)

    def _wait(self, job: Job) -> None:
        """Until the machine is idle, cancelled or out of time."""
        platform, waited, told = self._platform, 0.0, time.perf_counter()
        while waited < job.timeout_s:
            step = min(platform.slice_s, job.timeout_s - waited)
            raised = platform.wait(step)
            waited += step
            if self.cancelled.is_set():
                self.soft_reset()
                raise self._interrupted()
            # An interrupt comes before the last burst has ended, and not every error makes one.
            if self._becomes_idle() if raised else self._status("IDLE"):
                return
            if self._progress and time.perf_counter() - told > PATIENCE_S:
                told = time.perf_counter()
                self._progress(self._words(job))
        self._give_up(job)

    def _words(self, job: Job) -> str:
        """Where the run is."""
        index, total = self._registers.read("COMMAND_INDEX"), len(job.resident.package.commands)
        cycles = self._registers.read_pair("COUNT_CYCLES")
        return f"{self._platform.name}: command {index} of {total}, {cycles} cycles"

    def _give_up(self, job: Job) -> None:
        state = MachineState.of(self._registers)
        text = state.describe(job.resident.package.commands)
        try:
            self.soft_reset()
            after = "it has been reset, run again"
        except DeviceTimeoutError as error:
            after = str(error)
        raise DeviceTimeoutError(
            f"{self._platform.name}: task {job.task} did not end within {job.timeout_s:.3g} s of "
            f"the machine's time: {text}; {after}"
        )

    def _outcome(self, job: Job) -> MachineState:
        """The state after the run, if it was a good one."""
        state = MachineState.of(self._registers)
        commands, name = job.resident.package.commands, self._platform.name
        if state.flag("ERROR") or state.code:
            self.soft_reset()
            kind = TransientError if state.code in TRANSIENT else DeviceError
            at = name_of(state.error_command, commands)
            raise kind(f"{name}: {at}: {state.sentence} (error {state.code})")
        if not state.flag("DONE"):
            raise self._lost("idle, but neither done nor in error")
        return state

    def _lost(self, seen: str) -> DeviceError:
        """Its memory is gone too, so nothing can be run any more."""
        self._programmed = -1
        return DeviceError(
            f"{self._platform.name}: {seen}: it was reset or power-cycled behind the driver's "
            "back and its memory is lost; open the device again and load the packages"
        )
