"""Load jobs: panel parameters, tiles step by step onto the ``w`` bus, tables between them."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, enum, stream
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.machine import CASCADE, MachineConfig
from m3vit.rtl.library import delayed, register
from m3vit.rtl.passes import NUMBER_BITS, RING_BITS, Pass, Tile, Wait
from m3vit.rtl.ring import Ring, within

KV_LATENCY = 2

Table = data.StructLayout({"address": RING_BITS, "words": 8})
"""Ring words that a unit other than the array reads."""


class State(enum.Enum, shape=2):
    """What is read."""

    IDLE = 0
    PARAMETERS = 1
    TILE = 2
    TABLE = 3


class Loader(Component):
    """Takes the passes in order, one tile ahead of the array.

    A tile's step 0 reaches the array in the cycle after the swap of the tile in front of it at the
    earliest: ``swap`` is given when a pass is issued, ``operand_latency`` cycles before it reaches
    the array.  ``loaded``: the pass to come may be issued (``bank`` holds its parameters); its swap
    takes the tile.  ``freed``: the results of the last pass that uses a bank have left.

    Ports to memories: ``ring_address`` (``Ring.LATENCY``), ``kv_address`` (``KV_LATENCY``).
    ``load``, ``w`` go to the array; ``parameter_*`` to the parameters, ``table_word`` to the unit
    whose table was asked for, word by word.
    """

    LATENCY = Ring.LATENCY + 1
    """From an address to the array."""

    def __init__(self, machine: MachineConfig, operand_latency: int) -> None:
        self.lead = operand_latency - self.LATENCY
        self.words = CASCADE // machine.chains
        self.kv_depth = kv_depth(machine)
        word = 8 * machine.word_bytes
        super().__init__(
            {
                "passes": In(stream.Signature(Pass)),
                "tables": In(stream.Signature(Table)),
                "swap": In(1),
                "loaded": Out(1),
                "bank": Out(1),
                "starved": Out(1),
                "freed": In(2),
                "retired": In(NUMBER_BITS),
                "head": In(RING_BITS),
                "ring_address": Out(RING_BITS),
                "ring_data": In(word),
                "kv_address": Out(range(self.kv_depth)),
                "kv_data": In(word),
                "load": Out(CASCADE),
                "w": Out(word),
                "parameter_we": Out(1),
                "parameter_index": Out(3),
                "parameter_bank": Out(1),
                "word": Out(word),
                "table_we": Out(1),
                "table_last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A state machine that makes addresses; everything else follows them."""
        m = Module()
        self.state, self.count = Signal(State), Signal(8)
        self.full, self.taken, self.next_bank = Signal(), Signal(), Signal()
        self.busy = Signal(2)
        m.d.sync += self.busy.eq(self.busy & ~self.freed)
        clear = delayed_pulse(m, self.swap, self.lead, "clear")
        with m.If(self.swap):
            m.d.sync += self.loaded.eq(0)
        with m.If(clear):
            m.d.sync += self.full.eq(0)
        self._control(m)
        self._follow(m)
        return m

    def _control(self, m: Module) -> None:
        p, table = self.passes.payload, self.tables.payload
        self.tile = Signal(RING_BITS)
        after = Signal(8)
        m.d.comb += [
            self.tile.eq(p.address + Mux(p.parameters, self.words, 0)),
            after.eq(self.count + 1),
        ]
        with m.Switch(self.state):
            with m.Case(State.IDLE):
                m.d.sync += self.count.eq(0)
                with m.If(self.tables.valid & within(self.head, table.address, table.words)):
                    m.d.sync += self.state.eq(State.TABLE)
                with m.Elif(self.passes.valid):
                    self._begin(m)
            with m.Case(State.PARAMETERS):
                m.d.sync += self.count.eq(after)
                m.d.comb += self.ring_address.eq(p.address + self.count)
                with m.If(after == self.words):
                    m.d.sync += [self.taken.eq(1), self.state.eq(State.IDLE)]
                    m.d.sync += self.next_bank.eq(~self.next_bank)
            with m.Case(State.TILE):
                self._tile(m, after)
            with m.Case(State.TABLE):
                m.d.sync += self.count.eq(after)
                m.d.comb += self.ring_address.eq(table.address + self.count)
                with m.If(after == table.words):
                    m.d.comb += self.tables.ready.eq(1)
                    m.d.sync += self.state.eq(State.IDLE)

    def _begin(self, m: Module) -> None:
        p = self.passes.payload
        wanted = p.parameters & ~self.taken
        present = within(self.head, self.tile, CASCADE)
        waits = Signal()
        with m.Switch(p.tile):
            with m.Case(Tile.RING):
                m.d.comb += [waits.eq(~present), self.starved.eq(~present)]
            with m.Case(Tile.KEY):
                late = (self.retired - p.wait_for)[NUMBER_BITS - 1]
                m.d.comb += waits.eq((p.wait == Wait.RETIRED) & late)
        with m.If(wanted):
            free = ~self.busy.bit_select(self.next_bank, 1)
            with m.If(free & within(self.head, p.address, self.words)):
                m.d.sync += [
                    self.state.eq(State.PARAMETERS),
                    self.busy.bit_select(self.next_bank, 1).eq(1),
                ]
        with m.Elif(~self.full & ~waits):
            m.d.sync += [
                self.state.eq(State.TILE),
                self.full.eq(1),
                self.loaded.eq(1),
                self.bank.eq(~self.next_bank),
            ]

    def _tile(self, m: Module, after: Signal) -> None:
        p = self.passes.payload
        m.d.sync += self.count.eq(after)
        m.d.comb += [
            self.ring_address.eq(self.tile + self.count),
            self.kv_address.eq(
                (p.address << 3) + self.count + Mux(p.tile == Tile.VALUE, self.kv_depth // 2, 0)
            ),
        ]
        with m.If(after == CASCADE):
            m.d.comb += self.passes.ready.eq(1)
            m.d.sync += [self.taken.eq(0), self.state.eq(State.IDLE)]

    def _follow(self, m: Module) -> None:
        """Controls travel beside the words that they ask for."""
        latency = self.LATENCY
        tile = self.state == State.TILE
        onehot = Mux(tile, Const(1, CASCADE) << self.count[:3], 0)[:CASCADE]
        ring = tile & (self.passes.payload.tile == Tile.RING)
        parameters, table = self.state == State.PARAMETERS, self.state == State.TABLE
        controls = Cat(parameters, self.next_bank, self.count[:3], table, self.tables.ready)
        pulses = Signal(CASCADE + 3)
        m.d.comb += pulses.eq(Cat(onehot, parameters, table, self.tables.ready & table))
        late: Any = pulses
        for stage in range(latency):
            held = Signal(len(pulses), name=f"pulses_{stage}")
            m.d.sync += held.eq(late)
            late = held
        quiet = delayed(m, controls, latency, "controls")
        from_ring = delayed(m, ring, latency - 1, "from_ring")
        kv = delayed(m, self.kv_data, Ring.LATENCY - KV_LATENCY, "kv")
        word, w = register(len(self.word), "word_held"), register(len(self.w), "w_held")
        m.d.sync += [word.eq(self.ring_data), w.eq(Mux(from_ring, self.ring_data, kv))]
        m.d.comb += [
            self.word.eq(word),
            self.w.eq(w),
            self.load.eq(late[:CASCADE]),
            self.parameter_we.eq(late[CASCADE]),
            self.table_we.eq(late[CASCADE + 1]),
            self.table_last.eq(late[CASCADE + 2]),
            self.parameter_bank.eq(quiet[1]),
            self.parameter_index.eq(quiet[2:5]),
        ]


def delayed_pulse(m: Module, pulse: Signal, cycles: int, name: str) -> Any:
    """As ``delayed``, with reset."""
    late: Any = pulse
    for stage in range(cycles):
        held = Signal(name=f"{name}_{stage}")
        m.d.sync += held.eq(late)
        late = held
    return late


def kv_depth(machine: MachineConfig) -> int:
    """Words of a group's store of K and V, V in the upper half; heads of up to 64 channels."""
    word = machine.chains * machine.columns
    return 2 * -(-machine.max_tokens * 64 // word)
