"""The accelerator in simulation: packages, images and registers on a running harness."""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from m3vit.hw.commands.word import encode
from m3vit.hw.error_codes import SENTENCES, ErrorCode
from m3vit.hw.errors import CommandError, ConfigurationError
from m3vit.hw.formats import Int8, Int16, UInt8
from m3vit.hw.layout.sizes import aligned
from m3vit.hw.machine import MachineConfig
from m3vit.hw.package import Package
from m3vit.hw.registers import BASES, BY_NAME, COUNTERS, WINDOW_UNIT
from m3vit.sim.rtl.build import build

_PAGE = 4096
LIMIT = 50_000_000
"""Cycles after which a run counts as hung."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RtlRun:
    """What one image left behind."""

    result: Int16
    """[T, d]."""
    cycles: int
    counters: Mapping[str, int]
    trace: UInt8 | None
    profile: Mapping[str, Any] | None = None
    """What ``probe.h`` counted, if it was asked for."""


class RtlSimulator:
    """A simulator process; ``verilog`` is what ``m3vit rtl`` writes for ``machine``.

    Args:
        options: latency, rate (bytes a cycle), refresh_every, refresh_for of the memory.
    """

    def __init__(
        self,
        verilog: Path,
        machine: MachineConfig,
        home: Path,
        options: Mapping[str, float] | None = None,
    ) -> None:
        self.machine = machine
        program = build(verilog.read_text(), home)
        self._scratch = tempfile.TemporaryDirectory(prefix="m3vit-rtl-")
        self._process = subprocess.Popen(
            [str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name, value in (options or {}).items():
            self._tell(f"set {name} {value}")

    def __enter__(self) -> "RtlSimulator":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        if self._process.poll() is None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait()
        self._scratch.cleanup()

    def _tell(self, line: str) -> str:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        if not answer or answer.startswith("error"):
            raise ConfigurationError(f"simulator: {line!r} was answered by {answer!r}")
        return answer

    def write(self, register: str, value: int) -> None:
        """Write a register by name."""
        self._tell(f"write {BY_NAME[register].offset} {value}")

    def read(self, register: str) -> int:
        """Read a register by name."""
        return int(self._tell(f"read {BY_NAME[register].offset}").split()[1])

    def _put(self, address: int, data: bytes) -> None:
        path = Path(self._scratch.name) / "in.bin"
        path.write_bytes(data)
        self._tell(f"load {address} {path}")

    def _get(self, address: int, size: int) -> UInt8:
        path = Path(self._scratch.name) / "out.bin"
        self._tell(f"save {address} {size} {path}")
        return np.fromfile(path, np.uint8)

    def load(self, package: Package) -> None:
        """Weights and commands into memory; buffers behind them."""
        package.require_machine(self.machine)
        commands = b"".join(encode(command) for command in package.commands)
        config = package.config
        sizes = {
            "PACKAGE": aligned(len(package.weights), WINDOW_UNIT) + len(commands),
            "IMAGE": (config.tokens - 1) * config.patch_elements,
            "RESULT": 2 * config.tokens * config.width,
            "TRACE": package.trace_bytes,
        }
        self._package, self._sizes = package, sizes
        self._bases, at = {}, _PAGE
        for name in BASES:
            self._bases[name] = at
            at = aligned(at + sizes[name] + _PAGE, _PAGE)
        self._tell(f"memory {at}")
        start = aligned(len(package.weights), WINDOW_UNIT)
        self._put(self._bases["PACKAGE"], package.weights)
        self._put(self._bases["PACKAGE"] + start, commands)
        for name in BASES:
            self.write(f"BASE_{name}_LO", self._bases[name])
            self.write(f"BASE_{name}_HI", 0)
            self.write(f"WINDOW_{name}", aligned(sizes[name], WINDOW_UNIT) // WINDOW_UNIT)
        self.write("COMMAND_ADDRESS", start // WINDOW_UNIT)
        self.write("COMMAND_COUNT", len(package.commands))

    def run(
        self,
        tiles: Int8,
        task: int,
        trace: bool = False,
        limit: int = LIMIT,
        profile: bool = False,
    ) -> RtlRun:
        """One image: patches int8 [T - 1, 768].

        Raises:
            CommandError: the machine stopped with an error, or did not end within ``limit``.
        """
        self._put(self._bases["IMAGE"], np.ascontiguousarray(tiles).tobytes())
        control = BY_NAME["CONTROL"]
        self.write("TASK", task)
        kept = control.field("TRACE").put(int(trace))
        if profile:
            self._tell("profile on")
        self.write("CONTROL", kept | control.field("START").put(1))
        answer, cycles = self._tell(f"run {limit}").split()
        self._check(answer, int(cycles))
        config = self._package.config
        result = self._get(self._bases["RESULT"], self._sizes["RESULT"])
        traced = self._get(self._bases["TRACE"], self._sizes["TRACE"]) if trace else None
        counters = self._counters()
        return RtlRun(
            result=result.view(np.int16).reshape(config.tokens, config.width),
            cycles=counters["CYCLES"],
            counters=counters,
            trace=traced,
            profile=self._profile() if profile else None,
        )

    def _profile(self) -> Mapping[str, Any]:
        path = Path(self._scratch.name) / "profile.json"
        self._tell(f"profile {path}")
        self._tell("profile off")
        counted: Mapping[str, Any] = json.loads(path.read_text())
        return counted

    def _check(self, answer: str, cycles: int) -> None:
        index = self.read("COMMAND_INDEX")
        if answer == "timeout":
            raise CommandError(f"command {index}: no end after {cycles} cycles, expected END")
        code = BY_NAME["ERROR"].field("CODE").get(self.read("ERROR"))
        if code:
            at = self.read("ERROR_COMMAND")
            raise CommandError(f"command {at}: {SENTENCES[ErrorCode(code)]}")

    def _counters(self) -> dict[str, int]:
        return {
            name: self.read(f"COUNT_{name}_LO") | self.read(f"COUNT_{name}_HI") << 32
            for name in COUNTERS
        }
