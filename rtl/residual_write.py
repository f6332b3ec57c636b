"""Contributions into RES: 16 channels of both members of a pair a cycle."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.machine import MachineConfig
from m3vit.rtl.hidden_write import UNIT_BITS
from m3vit.rtl.library import delayed, register
from m3vit.rtl.passes import TOKEN_BITS
from m3vit.rtl.residual import ResidualAdd
from m3vit.rtl.residual_store import WORD_BITS, ResidualStore, place_layout
from m3vit.rtl.results import ROW_BITS
from m3vit.rtl.weigh import GUARD_BITS, WEIGHT_BITS, Weigh

_LEAD = Weigh.LATENCY - ResidualStore.LATENCY
_TOTAL = Weigh.LATENCY + ResidualAdd.LATENCY


class ResidualWrite(Component):
    """Ports, for member i: ``valid<i>`` with ``y<i>`` int18 [16], ``weight<i>``, ``unit<i>``,
    ``token<i>``, ``next<i>``: the unit lies in the block of 8 units behind the one whose first row
    of token 0 is ``row``; ``guard`` of both.  The ports of RES: ``read<i>``, ``read<i>_place``,
    ``data<i>``, ``write<i>``, ``write<i>_place``, ``write<i>_data``.  ``saturated`` additions.

    A word is written ``LATENCY`` cycles after it came; the same word may come again after
    ``REVISIT`` cycles.
    """

    LATENCY = 1 + _TOTAL
    REVISIT = _TOTAL - _LEAD + 1

    def __init__(self, machine: MachineConfig) -> None:
        self.place, self.channels = place_layout(machine), 16
        ports: dict[str, Any] = {}
        for member in range(2):
            ports |= {
                f"valid{member}": In(1),
                f"y{member}": In(WORD_BITS),
                f"weight{member}": In(WEIGHT_BITS),
                f"unit{member}": In(UNIT_BITS),
                f"next{member}": In(1),
                f"token{member}": In(TOKEN_BITS),
                f"read{member}": Out(1),
                f"read{member}_place": Out(self.place),
                f"data{member}": In(WORD_BITS),
                f"write{member}": Out(1),
                f"write{member}_place": Out(self.place),
                f"write{member}_data": Out(WORD_BITS),
            }
        super().__init__(
            {
                **ports,
                "row": In(ROW_BITS),
                "guard": In(GUARD_BITS),
                "half_tokens": In(TOKEN_BITS),
                "saturated": Out(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Both members' pipelines."""
        m = Module()
        guard = register(GUARD_BITS, "guard_held")
        steps = [register(ROW_BITS, f"halves{n}") for n in range(4)]
        m.d.sync += guard.eq(self.guard)
        one, two = self.half_tokens, self.half_tokens << 1
        amounts = (0, one, two, one + two)
        m.d.sync += [step.eq(amount) for step, amount in zip(steps, amounts, strict=True)]
        found = [self._member(m, member, guard, steps) for member in range(2)]
        m.d.comb += self.saturated.eq(found[0] + found[1])
        return m

    def _member(self, m: Module, member: int, guard: Value, steps: list[Signal]) -> Value:
        y, weight = register(WORD_BITS, f"y{member}_held"), register(WEIGHT_BITS, f"w{member}_held")
        m.d.sync += [
            y.eq(getattr(self, f"y{member}")),
            weight.eq(getattr(self, f"weight{member}")),
        ]
        weigh, add = Weigh(self.channels), ResidualAdd(self.channels)
        m.submodules[f"weigh{member}"], m.submodules[f"add{member}"] = weigh, add
        valid: list[Signal] = []
        late: Any = getattr(self, f"valid{member}")
        for stage in range(1 + _TOTAL):
            valid.append(Signal(name=f"valid{member}_{stage}"))
            m.d.sync += valid[-1].eq(late)
            late = valid[-1]
        read = self._place(m, member, steps)
        write = delayed(m, read, _TOTAL - _LEAD, f"place{member}")
        m.d.comb += [
            weigh.y.eq(y),
            weigh.w.eq(weight),
            weigh.guard.eq(guard),
            getattr(self, f"read{member}").eq(valid[_LEAD]),
            Value.cast(getattr(self, f"read{member}_place")).eq(read),
            add.old.eq(getattr(self, f"data{member}")),
            add.term.eq(weigh.term),
            add.enable.eq(valid[Weigh.LATENCY]),
            getattr(self, f"write{member}").eq(valid[_TOTAL]),
            Value.cast(getattr(self, f"write{member}_place")).eq(write),
            getattr(self, f"write{member}_data").eq(add.y),
        ]
        return add.saturated

    def _place(self, m: Module, member: int, steps: list[Signal]) -> Value:
        """Row of unit w, token t: 2 * (w div 8) halves + one if t is odd + t div 2; ``_LEAD``
        cycles after the registers of ``y``."""
        token, unit = getattr(self, f"token{member}"), getattr(self, f"unit{member}")
        bank, base = register(3, f"bank{member}"), register(ROW_BITS, f"base{member}")
        halves = register(2, f"halves{member}_held")
        offset, row = register(ROW_BITS, f"offset{member}"), register(ROW_BITS, f"row{member}")
        start = register(ROW_BITS, f"start{member}")
        m.d.sync += [
            bank.eq(Cat(unit[:2], unit[2] ^ token[0])),
            base.eq(self.row + token[1:]),
            halves.eq(Cat(token[0], getattr(self, f"next{member}"))),
            offset.eq(
                Mux(
                    halves[1],
                    Mux(halves[0], steps[3], steps[2]),
                    Mux(halves[0], steps[1], 0),
                )
            ),
            start.eq(base),
            row.eq(start + offset),
        ]
        place = Cat(delayed(m, bank, 2, f"bank{member}"), row)[: self.place.size]
        return delayed(m, place, _LEAD - 2, f"read{member}")
