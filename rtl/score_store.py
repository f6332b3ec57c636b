"""Scores of a group between QK and A.V: two halves, the parts of a word written tile by tile."""

from amaranth.hdl import Cat, Module, Mux, Value
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.formats import SCORE_BITS
from m3vit.hw.machine import MachineConfig
from m3vit.rtl.library import delayed, lanes, register
from m3vit.rtl.memory import Memory


class ScoreStore(Component):
    """Word: [part][query of the pair][key of the tile], max(R, C) keys of two queries.

    Ports: ``write`` of ``scores`` int10 [2][C] into ``write_part`` of ``write_address``;
    ``address`` and ``part`` (which R keys of the word) to ``data`` int10 [2][R], ``LATENCY``
    cycles later.
    """

    LATENCY = 3

    def __init__(self, machine: MachineConfig) -> None:
        self.rows, self.columns = machine.rows, machine.columns
        self.keys, self.depth = max(self.rows, self.columns), machine.score_words
        self.parts = self.keys // self.columns
        self.module_name = f"score_store_r{self.rows}_c{self.columns}_d{self.depth}"
        super().__init__(
            {
                "write": In(1),
                "write_address": In(range(self.depth)),
                "write_part": In(2),
                "scores": In(2 * self.columns * SCORE_BITS),
                "address": In(range(self.depth)),
                "part": In(2),
                "data": Out(2 * self.rows * SCORE_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One memory; reading picks and regroups."""
        m = Module()
        grain = 2 * self.columns * SCORE_BITS
        m.submodules.store = store = Memory(
            depth=self.depth,
            width=self.parts * grain,
            style="block",
            latency=2,
            granularity=grain,
        )
        m.d.comb += [
            store.wa.eq(self.write_address),
            store.wd.eq(self.scores.replicate(self.parts)),
            store.we.eq(Mux(self.write, 1 << self.write_part, 0)[: self.parts]),
            store.ra0.eq(self.address),
        ]
        held = register(len(self.data), "data_held")
        m.d.sync += held.eq(self._picked(store.rd0, delayed(m, self.part, 2, "part")))
        m.d.comb += self.data.eq(held)
        return m

    def _picked(self, word: Value, part: Value) -> Value:
        scores = lanes(word, SCORE_BITS)
        members = []
        for member in range(2):
            keys = [
                scores[(2 * (key // self.columns) + member) * self.columns + key % self.columns]
                for key in range(self.keys)
            ]
            members.append(Cat(*keys).word_select(part, self.rows * SCORE_BITS))
        return Cat(*members)
