"""The accelerator: registers, the machine behind them, resets, interrupt, counters."""

from typing import Any

from amaranth.hdl import (
    Cat,
    ClockDomain,
    ClockSignal,
    Const,
    DomainRenamer,
    Module,
    Value,
)
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.machine import MachineConfig
from m3vit.hw.registers import BASES, COUNTERS
from m3vit.rtl.axi_bursts import ADDRESS_BITS
from m3vit.rtl.axi_lite import slave_ports
from m3vit.rtl.axi_read import read_ports
from m3vit.rtl.axi_write import write_ports
from m3vit.rtl.counters import EVENTS, STEP_BITS, Counters
from m3vit.rtl.machine import Machine
from m3vit.rtl.machine_memory import READS
from m3vit.rtl.registers import Registers
from m3vit.rtl.run_control import RunControl
from m3vit.rtl.slices import PORT_BITS

NAME = "m3vit"
"""Of the top module."""


class Top(Component):
    """Ports: AXI4-Lite ``s_axi_``, AXI4 masters ``m<i>_axi_`` (see Machine), ``interrupt``.

    With ``probe``, for simulation: ``probe``, what every counter adds in this cycle (8 bits each in
    the order of ``m3vit.hw.registers.COUNTERS``), and ``probe_index``, the sequencer's command.
    """

    def __init__(self, machine: MachineConfig, probe: bool = False) -> None:
        self.machine, self.probed = machine, probe
        ports: dict[str, Any] = {**slave_ports(), "interrupt": Out(1)}
        for number in range(READS):
            for name, member in read_ports(PORT_BITS).items():
                ports[name.replace("m_axi", f"m{number}_axi")] = member
        for name, member in write_ports(PORT_BITS).items():
            ports[name.replace("m_axi", "m0_axi")] = member
        probes = {"probe": Out(STEP_BITS * len(COUNTERS)), "probe_index": Out(9)}
        super().__init__({**ports, **(probes if probe else {})})

    def elaborate(self, platform: object) -> Module:
        """State of a run; the machine is held in reset before each."""
        m = Module()
        self.control = RunControl()
        self.inner = Machine(self.machine)
        # A domain of its own, not ResetInserter, which does not reach into shared blocks.  Its
        # reset is one register, set at power-up and a cycle after the reset of the whole.
        m.domains.machine = domain = ClockDomain("machine")
        m.d.comb += [
            domain.clk.eq(ClockSignal()),
            domain.rst.eq(self.control.reset),
        ]
        m.submodules.machine = DomainRenamer("machine")(self.inner)
        m.submodules.registers = self.registers = Registers(self.machine)
        self._ports(m)
        self._run(m)
        self._operands(m)
        self._count(m)
        return m

    def _ports(self, m: Module) -> None:
        for name, member in self.signature.members.items():
            if name == "interrupt" or name.startswith("probe"):
                continue
            other = getattr(self.registers if name.startswith("s_axi") else self.inner, name)
            mine = getattr(self, name)
            m.d.comb += other.eq(mine) if member.flow == In else mine.eq(other)

    def _run(self, m: Module) -> None:
        """States of a run, and what the registers show of them."""
        registers: Any = self.registers
        inner: Any = self.inner
        m.submodules.control = control = self.control
        m.d.comb += [
            control.start.eq(registers.control_start),
            control.soft_reset.eq(registers.control_soft_reset),
            control.finished.eq(inner.finished),
            control.failed.eq(inner.failed),
            control.its_error.eq(inner.error),
            control.its_index.eq(inner.error_index),
            control.index.eq(inner.index),
            control.quiet.eq(inner.quiet),
            inner.start.eq(control.begin),
            inner.hold.eq(control.hold),
        ]
        self._status(m)

    def _status(self, m: Module) -> None:
        registers: Any = self.registers
        inner: Any = self.inner
        control = self.control
        m.d.comb += [
            registers.status_idle.eq(~control.busy),
            registers.status_busy.eq(control.busy),
            registers.status_done.eq(control.done),
            registers.status_error.eq(control.stopped),
            registers.status_draining.eq(control.draining),
            registers.status_block.eq(inner.block),
            registers.error_code.eq(control.error),
            registers.error_command.eq(control.error_index),
            registers.command_index.eq(inner.index),
        ]
        with m.If(inner.finished):
            m.d.sync += registers.status_end_status.eq(inner.end_status)
        enabled = Cat(registers.interrupt_enable_done, registers.interrupt_enable_error)
        seen = Cat(registers.interrupt_status_done, registers.interrupt_status_error)
        m.d.comb += [
            registers.set_interrupt_status_done.eq(inner.asked),
            registers.set_interrupt_status_error.eq(control.raises),
            self.interrupt.eq((enabled & seen).any()),
        ]

    def _operands(self, m: Module) -> None:
        registers: Any = self.registers
        inner: Any = self.inner
        for number, base in enumerate(BASES):
            halves = (getattr(registers, f"base_{base.lower()}_{part}") for part in ("lo", "hi"))
            window = getattr(registers, f"window_{base.lower()}")
            m.d.comb += [inner.bases[number].eq(Cat(*halves)), inner.windows[number].eq(window)]
        address = (registers.command_address << 6) + inner.bases[0]
        m.d.comb += [
            inner.trace.eq(registers.control_trace),
            inner.task.eq(registers.task),
            inner.command_address.eq(address[:ADDRESS_BITS]),
            inner.command_count.eq(registers.command_count),
        ]

    def _count(self, m: Module) -> None:
        """Cleared by a start, held when the machine stops; ``events`` by counter."""
        registers: Any = self.registers
        m.submodules.counters = counters = Counters()
        self.events: dict[str, Value] = {
            name: getattr(self.inner, f"add_{name}") for name in EVENTS
        }
        m.d.comb += [counters.run.eq(self.control.busy), counters.clear.eq(self.control.accepts)]
        m.d.comb += [getattr(counters, f"add_{name}").eq(e) for name, e in self.events.items()]
        for name in ("cycles", *EVENTS):
            count = getattr(counters, f"count_{name}")
            m.d.comb += getattr(registers, f"count_{name}").eq(count)
        if self.probed:
            steps = [
                self.control.busy if name == "CYCLES" else self.events[name.lower()]
                for name in COUNTERS
            ]
            wide = [Cat(step, Const(0, STEP_BITS))[:STEP_BITS] for step in steps]
            m.d.comb += [self.probe.eq(Cat(*wide)), self.probe_index.eq(self.inner.index)]
