"""Performance counters: 64 bits each, cleared by START, held when the machine stops."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Member, Out

from m3vit.hw.registers import COUNTERS
from m3vit.rtl.library import register

COUNTER_BITS = 64
STEP_BITS = 8
"""Most a counter can rise in one cycle: beats of all ports, saturations of a pair."""

EVENTS = tuple(name.lower() for name in COUNTERS if name != "CYCLES")
"""What is counted, in the order of the table."""

_LATE = 2


class Counters(Component):
    """One counter for each name of ``m3vit.hw.registers.COUNTERS``.

    Ports: ``add_<name>`` of 8 bits, counted while ``run`` is set (CYCLES counts those cycles by
    itself); ``clear``; ``count_<name>`` of 64 bits.  Three cycles late, so read when stopped.
    ``low_bits`` are added in one cycle, their carry in the next.
    """

    def __init__(self, low_bits: int = 32) -> None:
        self.low_bits = low_bits
        ports: dict[str, Member] = {"run": In(1), "clear": In(1)}
        ports |= {f"add_{name}": In(STEP_BITS) for name in EVENTS}
        for name in COUNTERS:
            ports[f"count_{name.lower()}"] = Out(COUNTER_BITS)
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """Low halves first, their carry a cycle later into the high halves."""
        m = Module()
        clear = [Signal(name=f"clear{stage}") for stage in range(_LATE)]
        m.d.sync += [clear[0].eq(self.clear), clear[1].eq(clear[0])]
        for name in COUNTERS:
            step = register(STEP_BITS, f"step_{name}")
            given = 1 if name == "CYCLES" else getattr(self, f"add_{name.lower()}")
            low = Signal(self.low_bits, name=f"low_{name}")
            high = Signal(COUNTER_BITS - self.low_bits, name=f"high_{name}")
            carry = Signal(name=f"carry_{name}")
            m.d.sync += [
                step.eq(Mux(self.run, given, 0)),
                Cat(low, carry).eq(Mux(clear[0], 0, low + step)),
                high.eq(Mux(clear[1], 0, high + carry)),
            ]
            m.d.comb += getattr(self, f"count_{name.lower()}").eq(Cat(low, high))
        return m
