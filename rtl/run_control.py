"""A run's states: reset, run, stop; what STATUS and ERROR show of it."""

from amaranth.hdl import Module, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.error_codes import ErrorCode
from m3vit.rtl.axi_read import TAG_BITS
from m3vit.rtl.checks import INDEX_BITS

RESET_CYCLES = 128
"""Longer than any pipeline of the presets, LayerNorm's above all: what has no reset runs empty."""


class RunControl(Component):
    """Ports: ``start`` and ``soft_reset`` for one cycle; of the machine ``finished``, ``failed``
    with ``its_error`` and ``its_index``, ``index`` of the command in hand, ``quiet``: no burst is
    under way.  ``accepts``: a start begins a run.  To the machine: ``reset``, ``begin``, ``hold``
    (no new bursts, those under way run empty).  ``busy``, ``draining``, ``done``, ``stopped`` with
    ``error`` and ``error_index`` are what the registers show; ``raises`` is set for a cycle when
    an error stops the machine.

    The first error counts.  A start while busy is one: the run is not completed.  With
    ``soft_reset`` in the same cycle a start is ignored.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "soft_reset": In(1),
                "finished": In(1),
                "failed": In(1),
                "its_error": In(8),
                "its_index": In(INDEX_BITS),
                "index": In(TAG_BITS),
                "quiet": In(1),
                "accepts": Out(1),
                "reset": Out(1, init=1),
                "begin": Out(1),
                "hold": Out(1),
                "busy": Out(1),
                "draining": Out(1),
                "done": Out(1),
                "stopped": Out(1),
                "error": Out(8),
                "error_index": Out(INDEX_BITS),
                "raises": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """IDLE, RESET before each run, RUN, STOP until memory owes nothing."""
        m = Module()
        wait = Signal(range(RESET_CYCLES))
        m.d.sync += [self.raises.eq(0), wait.eq(0)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.hold.eq(1)
                m.d.sync += [self.reset.eq(1), self.busy.eq(0)]
                with m.If(self.start & ~self.soft_reset):
                    m.d.comb += self.accepts.eq(1)
                    m.d.sync += [self.busy.eq(1), self.done.eq(0)]
                    m.d.sync += [self.stopped.eq(0), self.error.eq(0), self.error_index.eq(0)]
                    m.next = "RESET"
            with m.State("RESET"):
                m.d.sync += wait.eq(wait + 1)
                m.d.sync += self.reset.eq(wait < RESET_CYCLES - 2)
                with m.If(wait == RESET_CYCLES - 1):
                    m.d.comb += self.begin.eq(1)
                    m.next = "RUN"
                self._interrupted(m)
            with m.State("RUN"):
                with m.If(self.finished):
                    m.d.sync += self.done.eq(1)
                    m.next = "STOP"
                with m.If(self.failed):
                    self._stop(m, self.its_error, self.its_index)
                with m.Else():
                    self._interrupted(m)
            with m.State("STOP"):
                m.d.comb += [self.hold.eq(1), self.draining.eq(1)]
                with m.If(self.start & ~self.soft_reset & ~self.stopped):
                    self._error(m, ErrorCode.START_WHILE_BUSY, self.index)
                with m.If(self.quiet):
                    m.d.sync += self.busy.eq(0)
                    m.next = "IDLE"
        with m.If(self.soft_reset):
            m.d.sync += [self.stopped.eq(0), self.error.eq(0), self.error_index.eq(0)]
        return m

    def _interrupted(self, m: Module) -> None:
        """A soft reset ends the run without an error, a start with one."""
        with m.If(self.soft_reset):
            m.next = "STOP"
        with m.Elif(self.start):
            self._stop(m, ErrorCode.START_WHILE_BUSY, self.index)

    def _stop(self, m: Module, code: Value | ErrorCode, index: Signal) -> None:
        self._error(m, code, index)
        m.next = "STOP"

    def _error(self, m: Module, code: Value | ErrorCode, index: Signal) -> None:
        m.d.sync += [self.stopped.eq(1), self.error.eq(code), self.error_index.eq(index)]
        m.d.sync += self.raises.eq(~self.soft_reset)
