"""The accelerator in simulation as the driver's platform: see ``m3vit.host.driver.platform``.

Every register access is an AXI4-Lite transaction of the simulated slave, every buffer lies in the
DRAM behind its AXI4 masters.
"""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.machine import MachineConfig
from m3vit.hw.records import Evidence
from m3vit.sim.rtl.build import OPTIMISATION, build
from m3vit.sim.rtl.dram import Dram, DramBuffer
from m3vit.sim.rtl.harness_process import HarnessProcess
from m3vit.sim.rtl.verilog import build_folder, simulation_verilog

MEMORY = ("latency", "rate", "refresh_every", "refresh_for", "stall", "seed")
"""Options of the DRAM model: cycles, bytes a cycle over all ports, cycles, cycles, the chance that
a cycle moves no data, and the seed of that chance."""

DRAM_MIB = 256.0
SLICE_CYCLES = 20_000
SLACK_CYCLES = 500_000


class RtlPlatform:
    """A simulator process and its memory.

    Args:
        program: what ``m3vit.sim.rtl.build`` made.
        machine: what it simulates; its clock turns seconds into cycles.
        options: see ``MEMORY``, and ``dram_mib``, the memory's size.

    Raises:
        ConfigurationError: an option is unknown.
        DeviceError: the simulator does not start.
    """

    name = "rtl"
    evidence = Evidence.RTL
    lock = None

    def __init__(
        self, program: Path, machine: MachineConfig, options: Mapping[str, float] | None = None
    ) -> None:
        chosen = {"dram_mib": DRAM_MIB, **(options or {})}
        unknown = sorted(set(chosen) - {*MEMORY, "dram_mib"})
        if unknown:
            raise ConfigurationError(
                f"device rtl: unknown options {unknown}, expected {', '.join(MEMORY)}, dram_mib"
            )
        self._hertz = machine.clock_mhz * 1e6
        self.slice_s, self.slack_s = SLICE_CYCLES / self._hertz, SLACK_CYCLES / self._hertz
        self._scratch = tempfile.TemporaryDirectory(prefix="m3vit-rtl-")
        self.dram = Dram(
            Path(self._scratch.name) / "dram", int(chosen.pop("dram_mib") * 2**20), self.name
        )
        self.process = HarnessProcess(program, self.name)
        self.process.tell(f"memory {self.dram.size} {self.dram.path}")
        for name, value in chosen.items():
            self.process.tell(f"set {name} {value}")

    def read(self, offset: int) -> int:
        """One AXI4-Lite read."""
        return int(self.process.tell(f"read {offset}").split()[1])

    def write(self, offset: int, value: int) -> None:
        """One AXI4-Lite write."""
        self.process.tell(f"write {offset} {value}")

    def allocate(self, size: int) -> DramBuffer:
        """A buffer in the DRAM model."""
        return self.dram.allocate(size)

    def wait(self, seconds: float) -> bool:
        """Clock the machine until it interrupts."""
        answer = self.process.tell(f"wait {max(1, round(seconds * self._hertz))}")
        return answer.startswith("interrupt")

    def profile(self, on: bool) -> None:
        """Count every event from now on, or no longer; starting forgets what was counted."""
        self.process.tell(f"profile {'on' if on else 'off'}")

    def profiled(self) -> dict[str, Any]:
        """What was counted, run by run: see ``probe.h``; counters in the order of ``COUNTERS``."""
        path = Path(self._scratch.name) / "profile.json"
        self.process.tell(f"profile {path}")
        counted: dict[str, Any] = json.loads(path.read_text())
        return counted

    def waves(self, path: Path, first: int = 0, last: int = 1 << 62) -> None:
        """Write every signal from cycle ``first`` of the next run to before ``last`` as VCD.

        Raises:
            DeviceError: the simulator was not opened with the option ``waves``, or the file cannot
                be written.
        """
        self.process.tell(f"waves {path.resolve()} {first} {last}")

    def power_cycle(self) -> None:
        """Registers, memory and bursts under way are lost, as when the board was off and on."""
        self.process.tell("power")

    def inject(self, kind: str, count: int) -> None:
        """Let the memory fail once: the ``count``-th beat read or burst written from now.

        ``kind`` is read or write (answered with an error), or hang (no beat is read any more).
        """
        self.process.tell(f"fault {kind} {count}")

    def heal(self) -> None:
        """No injected fault strikes any more, a memory that hung answers again."""
        self.process.tell("fault off")

    def close(self) -> None:
        """End the simulator."""
        self.process.close()
        self._scratch.cleanup()


def open_platform(
    machine: MachineConfig,
    options: Mapping[str, float] | None = None,
    optimisation: str = OPTIMISATION,
) -> RtlPlatform:
    """The platform for ``machine``; its simulator is built unless it is there, see ``M3VIT_BUILD``.

    Raises:
        ToolError: the generator failed.
        ConfigurationError: Verilator is missing or failed, or an option is unknown.
    """
    home = build_folder()
    verilog = simulation_verilog(machine, home)
    chosen = dict(options or {})
    program = build(verilog.read_text(), home, optimisation, bool(chosen.pop("waves", 0)))
    return RtlPlatform(program, machine, chosen)
