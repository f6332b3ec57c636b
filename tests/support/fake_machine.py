"""A platform without hardware: registers in a dictionary, the executor behind START."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from m3vit.hw.commands.fields import Base
from m3vit.hw.commands.word import decode_all
from m3vit.hw.error_codes import ErrorCode
from m3vit.hw.errors import DeviceError
from m3vit.hw.executor.engine import Engine
from m3vit.hw.formats import UInt8
from m3vit.hw.machine import MachineConfig
from m3vit.hw.records import Evidence
from m3vit.hw.registers import BASES, BY_NAME, REGISTERS, WINDOW_UNIT, identity_values

COMMAND_BYTES = 32
IDLE, BUSY, DONE, ERROR = (
    BY_NAME["STATUS"].field(n).put(1) for n in ("IDLE", "BUSY", "DONE", "ERROR")
)


class FakeBuffer:
    def __init__(self, owner: "FakePlatform", address: int, size: int) -> None:
        self._owner, self.address = owner, address
        self.data: UInt8 = np.zeros(size, np.uint8)
        self.freed = False

    def to_device(self) -> None:
        self._owner.memory[self.address : self.address + len(self.data)] = self.data

    def from_device(self) -> None:
        self.data[:] = self._owner.memory[self.address : self.address + len(self.data)]

    def free(self) -> None:
        if not self.freed:
            self._owner.buffers.remove(self)
        self.freed = True


@dataclass(eq=False)
class FakePlatform:
    """``script``: how the next runs end; when it is empty, with the executor's result."""

    machine: MachineConfig
    capacity: int = 1 << 22
    lock: str | None = None
    run_s: float = 1e-3
    name: str = "fake"
    evidence: Evidence = Evidence.SIMULATED
    slack_s: float = 0.1
    slice_s: float = 1e-3
    script: list[ErrorCode | str] = field(default_factory=list)
    on_wait: Callable[[], object] = lambda: None
    buffers: list[FakeBuffer] = field(default_factory=list)
    starts: int = 0
    resets: int = 0
    closed: bool = False
    gone: bool = False
    stuck: bool = False
    """A soft reset has no effect."""

    def __post_init__(self) -> None:
        self.memory: UInt8 = np.zeros(self.capacity, np.uint8)
        self.registers = {register.offset: register.reset for register in REGISTERS}
        for name, value in identity_values(self.machine).items():
            self.registers[BY_NAME[name].offset] = value
        self._next, self._left = 4096, 0.0
        self._ending: Callable[[], None] = lambda: None

    def value(self, name: str) -> int:
        return self.registers[BY_NAME[name].offset]

    def set(self, name: str, value: int) -> None:
        self.registers[BY_NAME[name].offset] = value

    def read(self, offset: int) -> int:
        if self.gone:
            raise DeviceError(f"{self.name}: the device has gone")
        return self.registers[offset]

    def write(self, offset: int, value: int) -> None:
        self.read(offset)
        if offset != BY_NAME["CONTROL"].offset:
            self.registers[offset] = value
        elif value & BY_NAME["CONTROL"].field("SOFT_RESET").mask:
            self.resets += 1
            if not self.stuck:
                self._left = 0.0
                self.set("STATUS", IDLE)
                self.set("ERROR", 0)
        elif value & BY_NAME["CONTROL"].field("START").mask:
            self._start(bool(value & BY_NAME["CONTROL"].field("TRACE").mask))

    def _start(self, trace: bool) -> None:
        self.starts += 1
        self.set("STATUS", BUSY)
        self._left = self.run_s
        outcome = self.script.pop(0) if self.script else ErrorCode.NONE
        if outcome == "hang":
            self._left = float("inf")
        elif outcome == "power":
            self._ending = self._power_cycle
        elif isinstance(outcome, ErrorCode) and outcome:
            code = outcome
            self._ending = lambda: self._fail(code)
        else:
            self._ending = lambda: self._execute(trace)

    def _fail(self, code: ErrorCode) -> None:
        self.set("STATUS", IDLE | ERROR)
        self.set("ERROR", int(code))
        self.set("ERROR_COMMAND", 2)

    def _power_cycle(self) -> None:
        self.memory[:] = 0
        for register in REGISTERS:
            if not register.identity:
                self.registers[register.offset] = register.reset

    def _window(self, base: str) -> UInt8:
        start = self.value(f"BASE_{base}_LO") | self.value(f"BASE_{base}_HI") << 32
        return self.memory[start : start + self.value(f"WINDOW_{base}") * WINDOW_UNIT]

    def _execute(self, trace: bool) -> None:
        windows = {Base(number): self._window(name) for number, name in enumerate(BASES)}
        package = windows.pop(Base.PACKAGE).tobytes()
        first = self.value("COMMAND_ADDRESS") * WINDOW_UNIT
        size = self.value("COMMAND_COUNT") * COMMAND_BYTES
        commands = decode_all(package[first : first + size])
        if not trace:
            windows.pop(Base.TRACE)
        outcome = Engine(commands, package, self.machine).run(windows, self.value("TASK"))
        self.set("STATUS", IDLE | DONE)
        self.set("COUNT_SATURATIONS_LO", outcome.saturations)
        self.set("COUNT_CYCLES_LO", 1234)
        self.set("COUNT_READ_BEATS_LO", 100)
        self.set("COUNT_WRITE_BEATS_LO", 10)

    def wait(self, seconds: float) -> bool:
        self.read(BY_NAME["STATUS"].offset)
        self.on_wait()
        if self.value("STATUS") & BUSY:
            self._left -= seconds
            if self._left <= 0:
                self._ending()
        return bool(self.value("STATUS") & DONE)

    def allocate(self, size: int) -> FakeBuffer:
        taken = sum(len(buffer.data) for buffer in self.buffers)
        if self._next + size > self.capacity:
            raise DeviceError(f"{self.name}: no room for {size} bytes, {taken} are taken")
        buffer = FakeBuffer(self, self._next, size)
        self._next += -(-size // 4096) * 4096
        self.buffers.append(buffer)
        return buffer

    def close(self) -> None:
        self.closed = True
