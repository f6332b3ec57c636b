"""How many ring words one or two linear layers take, an addition a cycle."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.machine import MachineConfig
from m3vit.rtl.command import Sizes

WORDS_BITS = 20
UNIT_BITS, STEP_BITS, PANEL_BITS = 8, 8, 8


class RegionSize(Component):
    """``start`` takes ``units0`` x 16 outputs over ``steps0`` contraction tiles and, with ``two``,
    a second layer behind the first; constant while ``busy`` (some twenty cycles).  Then
    ``panels0``, ``panels1``, ``first`` (words of the first layer), ``words`` (of all, whole stream
    units) and ``fits`` (they leave the ring a quarter) are valid until the next start.
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.sizes = Sizes(machine)
        self.room = machine.ring_bytes // machine.word_bytes * 3 // 4
        ports = {f"units{n}": In(UNIT_BITS) for n in range(2)}
        ports |= {f"steps{n}": In(STEP_BITS) for n in range(2)}
        super().__init__(
            {
                "start": In(1),
                "two": In(1),
                **ports,
                "busy": Out(1),
                "panels0": Out(PANEL_BITS),
                "panels1": Out(PANEL_BITS),
                "first": Out(WORDS_BITS),
                "words": Out(WORDS_BITS),
                "fits": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Panels, then panels x words of a panel, bit by bit; once more for the second layer."""
        m = Module()
        second, left = Signal(), Signal(PANEL_BITS)
        each, total = Signal(WORDS_BITS), Signal(WORDS_BITS)
        units, steps = Signal(UNIT_BITS), Signal(STEP_BITS)
        panels = Signal(PANEL_BITS)
        m.d.comb += panels.eq(self.sizes.panels(units))
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
            with m.State("IDLE"):
                m.d.sync += [second.eq(0), total.eq(0)]
                m.d.sync += [units.eq(self.units0), steps.eq(self.steps0)]
                with m.If(self.start):
                    m.next = "PANELS"
            with m.State("PANELS"):
                m.d.sync += [left.eq(panels), each.eq(self.sizes.parameter_words + (steps << 3))]
                with m.If(second):
                    m.d.sync += self.panels1.eq(panels)
                with m.Else():
                    m.d.sync += self.panels0.eq(panels)
                m.next = "ADD"
            with m.State("ADD"):
                m.d.sync += [left.eq(left >> 1), each.eq(each << 1)]
                m.d.sync += total.eq(total + Mux(left[0], each, 0))
                with m.If(left == 0):
                    m.next = "ALIGN"
            with m.State("ALIGN"):
                with m.If(self.two & ~second):
                    m.d.sync += [second.eq(1), units.eq(self.units1), steps.eq(self.steps1)]
                    m.d.sync += self.first.eq(total)
                    m.next = "PANELS"
                with m.Else():
                    m.d.sync += self.words.eq(self.sizes.aligned(total))
                    m.d.sync += self.fits.eq(total <= self.room)
                    m.next = "IDLE"
        return m
