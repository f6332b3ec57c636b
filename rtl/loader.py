"""Load jobs: panel parameters, tiles step by step onto the ``w`` bus, tables between them."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, enum, stream
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.machine import CASCADE, MachineConfig
from m3vit.rtl.library import delayed, register
from m3vit.rtl.parameters import BANK_BITS, BANKS
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
    """Takes the passes in order, one tile ahead of the array; a tile every eight cycles.

    A tile's step 0 reaches the array in the cycle after the swap of the tile in front of it at the
    earliest: ``swap`` is given when a pass is issued, ``operand_latency`` cycles before it reaches
    the array.  ``loaded``: the pass to come may be issued (``bank`` holds its parameters); its swap
    takes the tile.  ``freed``: the results of the last pass that uses a bank have left.
    ``starved``: the tile wanted next is not in the ring.

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
                "bank": Out(BANK_BITS),
                "starved": Out(1),
                "freed": In(BANKS),
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
                "parameter_bank": Out(BANK_BITS),
                "word": Out(word),
                "table_we": Out(1),
                "table_last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """What is read now, decided while the words in front of it are read."""
        m = Module()
        self.state, self.left = Signal(State), Signal(8)
        self.at, self.index = Signal(RING_BITS), Signal(3)
        self.full, self.taken, self.ends = Signal(), Signal(), Signal()
        self.next_bank, self.bank_ahead = Signal(BANK_BITS), Signal(BANK_BITS)
        self.from_ring = Signal()
        self.busy = Signal(BANKS)
        m.d.comb += [
            self.ends.eq(self.left == 0),
            self.ring_address.eq(self.at),
            self.kv_address.eq(self.at),
            self.tables.ready.eq((self.state == State.TABLE) & self.ends),
        ]
        m.d.sync += [
            self.busy.eq(self.busy & ~self.freed),
            self.at.eq(self.at + 1),
            self.index.eq(self.index + 1),
            self.left.eq(self.left - 1),
        ]
        self._present(m)
        self._decide(m)
        self._follow(m)
        return m

    def _present(self, m: Module) -> None:
        """What the pass in front needs is there: it stays there, so it may be a cycle old."""
        p, table = self.passes.payload, self.tables.payload
        self.tile, tile_here = Signal(RING_BITS), Signal()
        self.has_tile, self.has_parameters, self.has_table = Signal(), Signal(), Signal()
        late = (self.retired - p.wait_for)[NUMBER_BITS - 1]
        m.d.comb += self.tile.eq(p.address + Mux(p.parameters, self.words, 0))
        with m.Switch(p.tile):
            with m.Case(Tile.RING):
                m.d.comb += tile_here.eq(within(self.head, self.tile, CASCADE))
            with m.Case(Tile.KEY):
                m.d.comb += tile_here.eq((p.wait != Wait.RETIRED) | ~late)
            with m.Default():
                m.d.comb += tile_here.eq(1)
        stays = self.passes.valid & ~self.passes.ready
        m.d.sync += [
            self.has_tile.eq(stays & tile_here),
            self.has_parameters.eq(stays & within(self.head, p.address, self.words)),
            self.has_table.eq(
                self.tables.valid
                & ~self.tables.ready
                & within(self.head, table.address, table.words)
            ),
        ]
        m.d.comb += self.starved.eq((p.tile == Tile.RING) & self.passes.valid & ~self.has_tile)

    def _decide(self, m: Module) -> None:
        p, table = self.passes.payload, self.tables.payload
        clear = delayed_pulse(m, self.swap, self.lead, "clear")
        wanted = p.parameters & ~self.taken
        bank_free = ~self.busy.bit_select(self.next_bank, 1)
        with m.If(self.swap):
            m.d.sync += self.loaded.eq(0)
        with m.If(clear):
            m.d.sync += self.full.eq(0)
        with m.If((self.state == State.IDLE) | self.ends):
            m.d.sync += [self.state.eq(State.IDLE), self.index.eq(0)]
            with m.If(self.has_table & (self.state != State.TABLE)):
                self._begin(m, State.TABLE, table.address, table.words - 1)
            with m.Elif(wanted):
                with m.If(self.has_parameters & bank_free):
                    self._begin(m, State.PARAMETERS, p.address, self.words - 1)
                    m.d.sync += [
                        self.taken.eq(1),
                        self.bank_ahead.eq(self.next_bank),
                        self.next_bank.eq(self.next_bank + 1),
                        self.busy.bit_select(self.next_bank, 1).eq(1),
                    ]
            with m.Elif(self.has_tile & (~self.full | clear)):
                self._begin_tile(m)

    def _begin(self, m: Module, state: Any, address: Any, left: Any) -> None:
        m.d.sync += [self.state.eq(state), self.at.eq(address), self.left.eq(left)]

    def _begin_tile(self, m: Module) -> None:
        """The pass is known well enough to make room for the next."""
        p = self.passes.payload
        upper = Mux(p.tile == Tile.VALUE, self.kv_depth // 2, 0)
        ring = p.tile == Tile.RING
        self._begin(m, State.TILE, Mux(ring, self.tile, (p.address << 3) + upper), CASCADE - 1)
        m.d.comb += self.passes.ready.eq(1)
        m.d.sync += [
            self.from_ring.eq(ring),
            self.taken.eq(0),
            self.full.eq(1),
            self.loaded.eq(1),
            self.bank.eq(self.bank_ahead),
        ]

    def _follow(self, m: Module) -> None:
        """Controls travel beside the words that they ask for."""
        latency = self.LATENCY
        tile = self.state == State.TILE
        onehot = Mux(tile, Const(1, CASCADE) << self.index, 0)[:CASCADE]
        parameters, table = self.state == State.PARAMETERS, self.state == State.TABLE
        controls = Cat(self.bank_ahead, self.index)
        pulses = Signal(CASCADE + 3)
        m.d.comb += pulses.eq(Cat(onehot, parameters, table, self.tables.ready))
        late: Any = pulses
        for stage in range(latency):
            held = Signal(len(pulses), name=f"pulses_{stage}")
            m.d.sync += held.eq(late)
            late = held
        quiet = delayed(m, controls, latency, "controls")
        from_ring = delayed(m, tile & self.from_ring, latency - 1, "from_ring")
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
            self.parameter_bank.eq(quiet[:BANK_BITS]),
            self.parameter_index.eq(quiet[BANK_BITS:]),
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
