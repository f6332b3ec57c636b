"""The query block: the queries of two blocks, each group its own head, and its loader."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.machine import MachineConfig
from m3vit.rtl.activations import WORD_BITS, Activations, row_bits, unit_address
from m3vit.rtl.control import SLOT_BITS
from m3vit.rtl.library import delayed, lanes
from m3vit.rtl.memory import Memory
from m3vit.rtl.passes import NUMBER_BITS, TOKEN_BITS, QueryLoad

HEAD_LIMIT = 64


class QueryBlock(Component):
    """A pair in ``groups`` cycles for every step of its heads, twice that where the heads' first
    channels lie in the upper half of a word.

    Ports: ``loads``; the side reader of QOH (``read_*``, ``data0``, ``data1``); ``retired``;
    ``loaded`` by half, cleared by ``free``; ``half``, ``slot``, ``step`` to ``q`` int8
    [G][2][R], dimensions in their order, one cycle later.  ``tokens``: rows of QOH.
    """

    LATENCY = 1

    def __init__(self, machine: MachineConfig) -> None:
        self.groups, self.rows = machine.groups, machine.rows
        self.unit = min(16, machine.rows)
        self.units_a_step = machine.rows // self.unit
        self.steps = HEAD_LIMIT // machine.rows
        self.slots = 1 << (machine.accumulator_pairs - 1).bit_length()
        row = row_bits(machine)
        super().__init__(
            {
                "loads": In(stream.Signature(QueryLoad)),
                "retired": In(NUMBER_BITS),
                "tokens": In(TOKEN_BITS),
                "loaded": Out(2),
                "free": In(2),
                "read_enable": Out(1),
                "read_ready": In(1),
                "read_bank": Out(2),
                "read_row0": Out(row),
                "read_row1": Out(row),
                "data0": In(WORD_BITS),
                "data1": In(WORD_BITS),
                "half": In(1),
                "slot": In(SLOT_BITS),
                "step": In(4),
                "q": Out(self.groups * 2 * 8 * self.rows),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Three counters, a read a cycle, and writes behind the reads."""
        m = Module()
        q: Any = self.loads.payload
        self.slot_at, self.group = Signal(SLOT_BITS), Signal(range(self.groups))
        self.part, self.step_at = Signal(range(self.units_a_step + 1)), Signal(4)
        self.base, self.started, self.busy = Signal(7), Signal(), Signal()
        opening = self.loads.valid & ~self.busy & ~self.loaded.bit_select(q.half, 1)
        ready = ~(self.retired - q.wait_for)[NUMBER_BITS - 1]
        m.d.sync += self.loaded.eq(self.loaded & ~self.free)
        with m.If(opening & ready):
            m.d.sync += [self.started.eq(1), self.busy.eq(1), self.base.eq(q.column)]
            m.d.sync += [name.eq(0) for name in (self.slot_at, self.group, self.part, self.step_at)]
        self._read(m, q)
        return m

    def _read(self, m: Module, q: Any) -> None:
        dimension = (self.step_at * self.units_a_step + self.part) * self.unit
        valid, token = Signal(), (q.first_pair + self.slot_at) << 1
        channel = Signal(7)
        m.d.comb += channel.eq(self.base + (dimension >> 4))
        bank, row, half = unit_address(channel, token, self.tokens)
        tags = Signal(22 + SLOT_BITS)
        lower, limit = (dimension >> 3) & 1, q.units << 4
        exists = Cat(dimension < limit, dimension + self.unit < limit)
        tag = Cat(
            half,
            lower[0],
            exists,
            self._whole(),
            self.group,
            self.part[0],
            self.step_at,
            self.slot_at,
        )
        held_tag = Signal(len(tag))
        taken = ~valid | self.read_ready
        m.d.comb += self.read_enable.eq(valid)
        moves = self.started & taken
        with m.If(taken):
            m.d.sync += [
                valid.eq(self.started),
                held_tag.eq(tag),
                self.read_bank.eq(bank),
                self.read_row0.eq(row),
                self.read_row1.eq(row + 1),
            ]
        m.d.comb += tags.eq(held_tag)
        with m.If(moves):
            self._count(m, q)
        self._write(m, q, valid & self.read_ready, held_tag)

    def _whole(self) -> Value:
        """A word of QOH holds both units of a step."""
        return ~self.base[0] if self.units_a_step == 2 else Const(0, 1)

    def _count(self, m: Module, q: Any) -> None:
        last_part = self._whole() | (self.part == self.units_a_step - 1)
        last_step = self.step_at == q.steps - 1
        last_group = self.group == self.groups - 1
        m.d.sync += self.part.eq(Mux(last_part, 0, self.part + 1))
        with m.If(last_part):
            m.d.sync += self.step_at.eq(Mux(last_step, 0, self.step_at + 1))
            with m.If(last_step):
                m.d.sync += self.group.eq(Mux(last_group, 0, self.group + 1))
                m.d.sync += self.base.eq(Mux(last_group, q.column, self.base + q.group_step))
                with m.If(last_group):
                    m.d.sync += self.slot_at.eq(self.slot_at + 1)
                    with m.If(self.slot_at == q.pairs - 1):
                        m.d.sync += self.started.eq(0)

    def _write(self, m: Module, q: Any, granted: Value, tag: Signal) -> None:
        late: Any = granted
        for stage in range(Activations.SIDE_LATENCY):
            held = Signal(name=f"granted{stage}")
            m.d.sync += held.eq(late)
            late = held
        tags = delayed(m, tag, Activations.SIDE_LATENCY, "tag")
        half, lower, exists, whole = tags[0], tags[1], tags[2:4], tags[4]
        position = 5
        fields = []
        for width in (len(self.group), 1, 4, SLOT_BITS):
            fields.append(tags[position : position + width])
            position += width
        group, part, step, slot = fields
        words = (self.data0, self.data1)
        parts = [self._chosen(word, half, lower, exists, whole) for word in words]
        mask = Signal(self.units_a_step)
        with m.If(late):
            m.d.comb += mask.eq(Mux(whole, (1 << self.units_a_step) - 1, 1 << part))
        self._memories(m, q, mask, group, step, slot, parts)
        last = (slot == q.pairs - 1) & (group == self.groups - 1) & (step == q.steps - 1)
        ends = late & last & (whole | (part == self.units_a_step - 1))
        m.d.comb += self.loads.ready.eq(ends)
        with m.If(ends):
            m.d.sync += self.busy.eq(0)
            m.d.sync += self.loaded.eq((self.loaded & ~self.free) | (1 << q.half))

    def _chosen(
        self, word: Value, half: Value, lower: Value, exists: Value, whole: Value
    ) -> list[Value]:
        """The units of a step; zero where the head ends."""
        bits = 8 * self.unit
        single = word.word_select(half if self.unit == 16 else Cat(lower, half), bits)
        first = Mux(exists[0], single, 0)[:bits]
        if self.units_a_step == 1:
            return [first]
        upper = Mux(exists[1], word[bits : 2 * bits], 0)[:bits]
        return [first, Mux(whole, upper, first)]

    def _memories(
        self,
        m: Module,
        q: Any,
        mask: Value,
        group: Value,
        step: Value,
        slot: Value,
        parts: list[list[Value]],
    ) -> None:
        """``parts`` [member][unit]."""
        slot_bits, step_bits = (self.slots - 1).bit_length(), (self.steps - 1).bit_length()

        def place(half: Value, slot: Value, step: Value) -> Value:
            return Cat(step[:step_bits], slot[:slot_bits], half)

        data = Cat(*(unit for member in parts for unit in member))
        seen = []
        for number in range(self.groups):
            store = Memory(
                depth=2 * self.slots * self.steps,
                width=2 * 8 * self.rows,
                style="distributed",
                granularity=8 * self.unit,
            )
            m.submodules[f"group{number}"] = store
            m.d.comb += [
                store.wa.eq(place(q.half, slot, step)),
                store.wd.eq(data),
                store.we.eq(Mux(group == number, mask.replicate(2), 0)),
                store.ra0.eq(place(self.half, self.slot, self.step)),
            ]
            seen += lanes(store.rd0, 8)
        m.d.comb += self.q.eq(Cat(*seen))
