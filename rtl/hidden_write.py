"""Results into QOH: one member of a pair a cycle, all groups at once."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.machine import MachineConfig
from m3vit.rtl.activations import BANKS, MASK_BITS, WORD_BITS, row_bits
from m3vit.rtl.library import lanes, register
from m3vit.rtl.passes import TOKEN_BITS
from m3vit.rtl.residual_store import CHANNELS
from m3vit.rtl.results import ROW_BITS

SLOTS = 2 * BANKS
"""Places of 16 channels in a row of all banks."""

UNIT_BITS = 8
_CODES = 8 * CHANNELS


class HiddenWrite(Component):
    """Ports: ``valid`` with ``codes`` int8 [G][16] of ``token``, group g to unit ``units`` [G]
    where ``here``; ``first``: the lowest of these units, ``row``: that of token 0 in its block of
    8 units, or in the block in front of it if ``lift``; ``tokens`` rows from block to block; taken
    while ``free``.  Units of one cycle are less than 8 apart.  Store: ``reading``, ``write_mask``,
    ``write_row``, ``write_data`` of Activations; a write waits until none of its banks is read.
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.groups, self.row_bits = machine.groups, row_bits(machine)
        super().__init__(
            {
                "valid": In(1),
                "free": Out(1),
                "codes": In(_CODES * machine.groups),
                "units": In(UNIT_BITS * machine.groups),
                "here": In(machine.groups),
                "first": In(UNIT_BITS),
                "lift": In(1),
                "row": In(ROW_BITS),
                "token": In(TOKEN_BITS),
                "tokens": In(TOKEN_BITS),
                "reading": In(BANKS),
                "write_row": Out(BANKS * self.row_bits),
                "write_data": Out(BANKS * WORD_BITS),
                "write_mask": Out(BANKS * MASK_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A register, then the places' multiplexers."""
        m = Module()
        codes, row = register(len(self.codes), "codes_held"), register(ROW_BITS, "row_held")
        first, lift = register(2, "first_bank"), register(1, "lift_held")
        units = lanes(self.units, UNIT_BITS)
        wanted = Signal(BANKS)
        self.places = [Signal(SLOTS, name=f"place{g}") for g in range(self.groups)]
        m.d.comb += self.free.eq((wanted & self.reading) == 0)
        with m.If(self.free):
            m.d.sync += [codes.eq(self.codes), row.eq(self.row + self.token)]
            m.d.sync += [first.eq(self.first[1:3]), lift.eq(self.lift)]
            found: Value = Const(0, SLOTS)
            for group, unit in enumerate(units):
                used = self.valid & self.here[group]
                place = Mux(used, Const(1, SLOTS) << unit[:3], 0)[:SLOTS]
                m.d.sync += self.places[group].eq(place)
                found = found | place
            m.d.sync += wanted.eq(Cat(found[2 * b : 2 * b + 2].any() for b in range(BANKS)))
        self._write(m, codes, row, lift, first)
        return m

    def _write(self, m: Module, codes: Value, row: Value, lift: Value, first: Value) -> None:
        """A bank in front of the first unit's lies in the next block."""
        own, following = Signal(ROW_BITS), Signal(ROW_BITS)
        m.d.comb += [
            own.eq(row + Mux(lift, self.tokens, 0)),
            following.eq(row + Mux(lift, self.tokens << 1, self.tokens)),
        ]
        words = []
        for place in range(SLOTS):
            word: Value = Const(0, _CODES)
            for group, values in enumerate(lanes(codes, _CODES)):
                word = word | Mux(self.places[group][place], values, 0)
            words.append(word)
        masks = [Cat(place[slot] for place in self.places).any() for slot in range(SLOTS)]
        m.d.comb += [
            self.write_data.eq(Cat(*words)),
            self.write_mask.eq(Cat(mask.replicate(MASK_BITS // 2) for mask in masks)),
            self.write_row.eq(
                Cat(Mux(first > bank, following, own)[: self.row_bits] for bank in range(BANKS))
            ),
        ]
