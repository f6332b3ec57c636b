"""Panel parameters: bias, factor and flags of every column, of the panels in the pipeline."""

from amaranth.hdl import Cat, Module, Value
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.formats import FACTOR_BITS
from m3vit.hw.layout.sizes import PARAMETER_BYTES
from m3vit.hw.machine import MachineConfig
from m3vit.rtl.accumulator import ACCUMULATOR_BITS
from m3vit.rtl.library import lanes
from m3vit.rtl.memory import Memory

_RECORD_BITS = 8 * PARAMETER_BYTES
_FACTOR_AT, _FLAGS_AT = 32, 48
FLAG_BITS = 16

BANK_BITS = 2
BANKS = 1 << BANK_BITS
"""A panel's results leave up to fifty cycles after its last pair: short panels overlap."""


class Parameters(Component):
    """Ports: ``we``, ``index``, ``bank``, ``word`` write ring word ``index`` of a panel's records;
    each of ``bias``, ``factor`` and ``flags`` shows the records of its own bank one cycle later.
    """

    LATENCY = 1

    def __init__(self, machine: MachineConfig) -> None:
        self.panel, self.word_bits = machine.panel, 8 * machine.word_bytes
        self.words = self.panel * _RECORD_BITS // self.word_bits
        super().__init__(
            {
                "we": In(1),
                "index": In(3),
                "bank": In(BANK_BITS),
                "word": In(self.word_bits),
                **{f"{name}_bank": In(BANK_BITS) for name in ("bias", "factor", "flags")},
                "bias": Out(self.panel * ACCUMULATOR_BITS),
                "factor": Out(self.panel * FACTOR_BITS),
                "flags": Out(self.panel * FLAG_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Memories of a word a bank; records side by side."""
        m = Module()
        seen: list[list[Value]] = [[], [], []]
        for index in range(self.words):
            store = Memory(depth=BANKS, width=self.word_bits, style="distributed", readers=3)
            m.submodules[f"word{index}"] = store
            m.d.comb += [
                store.we.eq(self.we & (self.index == index)),
                store.wa.eq(self.bank),
                store.wd.eq(self.word),
                store.ra0.eq(self.bias_bank),
                store.ra1.eq(self.factor_bank),
                store.ra2.eq(self.flags_bank),
            ]
            for part, data in zip(seen, (store.rd0, store.rd1, store.rd2), strict=True):
                part += lanes(data, _RECORD_BITS)
        m.d.comb += [
            self.bias.eq(Cat(record[:ACCUMULATOR_BITS] for record in seen[0])),
            self.factor.eq(Cat(record[_FACTOR_AT:_FLAGS_AT] for record in seen[1])),
            self.flags.eq(Cat(record[_FLAGS_AT:] for record in seen[2])),
        ]
        return m
