"""Writer of XN: words wait by bank, so that a bank that is read holds up no other.

The array reads one bank for a whole pass.  In one queue the words behind a word of that bank would
wait too, and then meet the next pass on the bank that follows: a token every 400 cycles, not 24.
"""

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.machine import MachineConfig
from m3vit.rtl.activations import BANKS, CHANNELS, WORD_BITS, row_bits
from m3vit.rtl.library import register
from m3vit.rtl.memory import Memory
from m3vit.rtl.passes import TOKEN_BITS

QUEUE = 32
"""Words of a bank that may wait for it."""


class XnWriter(Component):
    """``start`` begins an operation of ``tokens`` tokens of ``width16`` units of 16 channels, both
    taken with it.

    Ports: ``reserve`` takes the places of a token's words, allowed while ``room``; ``y`` with
    ``y_valid``, LayerNorm's lanes in order; or whole words, ``word`` with ``word_valid``, allowed
    while ``room``; the write port of XN; ``finished`` tokens that are complete in XN, ``done`` for
    a cycle behind the last.
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.machine, self.size = machine, machine.layernorm_lanes
        self.row_bits = row_bits(machine)
        super().__init__(
            {
                "start": In(1),
                "tokens": In(TOKEN_BITS),
                "width16": In(7),
                "reserve": In(1),
                "room": Out(1, init=1),
                "y": In(8 * self.size),
                "y_valid": In(1),
                "word": In(WORD_BITS),
                "word_valid": In(1),
                "xn_write": Out(1),
                "xn_ready": In(1),
                "xn_bank": Out(2),
                "xn_row": Out(self.row_bits),
                "xn_data": Out(WORD_BITS),
                "finished": Out(TOKEN_BITS),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Lanes to words, words to their bank's queue, queues in turn to XN."""
        m = Module()
        m.submodules.store = self.store = Memory(
            depth=BANKS * QUEUE, width=WORD_BITS, style="distributed"
        )
        self.level = [Signal(range(QUEUE + 1), name=f"level{b}") for b in range(BANKS)]
        self.head = [Signal(range(QUEUE), name=f"head{b}") for b in range(BANKS)]
        self.written = [Signal(TOKEN_BITS, name=f"written{b}") for b in range(BANKS)]
        words = register(6, "words")
        self.count, self.units = Signal(TOKEN_BITS), Signal(7)
        with m.If(self.start):
            m.d.sync += [self.count.eq(self.tokens), self.units.eq(self.width16)]
            m.d.sync += words.eq((self.width16 + 1) >> 1)
        self.share = [Signal(4, name=f"share{b}") for b in range(BANKS)]
        m.d.comb += [n.eq((words + (BANKS - 1 - b)) >> 2) for b, n in enumerate(self.share)]
        pushed = self._collect(m, words)
        popped = self._write(m)
        for bank in range(BANKS):
            change = self.level[bank] + pushed[bank] - popped[bank]
            m.d.sync += self.level[bank].eq(Mux(self.start, 0, change))
        self._reserve(m, popped)
        self._finish(m)
        return m

    def _collect(self, m: Module, words: Value) -> list[Value]:
        """Words of 32 channels; a token's last word may be half."""
        pieces = CHANNELS // self.size
        word, piece = Signal(WORD_BITS, reset_less=True), Signal(range(pieces))
        half, full = Signal(), Signal()
        index = self.index = Signal(6)
        last_piece = piece == Mux(half & (index == words - 1), pieces // 2 - 1, pieces - 1)
        to = Signal(2)
        tail = [Signal(range(QUEUE), name=f"tail{bank}") for bank in range(BANKS)]
        m.d.comb += half.eq(self.units[0])
        ends = Signal()
        m.d.comb += ends.eq((self.y_valid & last_piece) | self.word_valid)
        m.d.sync += [full.eq(ends), to.eq(index)]
        with m.If(self.start):
            m.d.sync += [piece.eq(0), index.eq(0)]
        with m.Elif(ends):
            m.d.sync += index.eq(Mux(index == words - 1, 0, index + 1))
        with m.If(self.word_valid):
            m.d.sync += word.eq(self.word)
        with m.Elif(self.y_valid):
            m.d.sync += [
                piece.eq(Mux(last_piece, 0, piece + 1)),
                word.word_select(piece, 8 * self.size).eq(self.y),
            ]
        m.d.comb += [
            self.store.we.eq(full),
            self.store.wd.eq(word),
            self.store.wa.eq(Cat(Array(tail)[to], to)),
        ]
        pushed = [full & (to == bank) for bank in range(BANKS)]
        m.d.sync += [t.eq(Mux(self.start, 0, t + p)) for t, p in zip(tail, pushed, strict=True)]
        return pushed

    def _write(self, m: Module) -> list[Value]:
        """Look at one bank after the other that holds words, never at the same twice running."""
        bank, next_bank, looks, found = Signal(2), Signal(2), Signal(), Signal()
        waiting = [level != 0 for level in self.level]
        with m.Switch(bank):
            for now in range(BANKS):
                with m.Case(now):
                    with m.If(waiting[now] & ~looks):
                        m.d.comb += [next_bank.eq(now), found.eq(1)]
                    for step in range(BANKS - 1, 0, -1):  # the nearest is assigned last
                        other = (now + step) % BANKS
                        with m.If(waiting[other]):
                            m.d.comb += [next_bank.eq(other), found.eq(1)]
        rows = [Signal(self.row_bits, name=f"row{b}") for b in range(BANKS)]
        row = register(self.row_bits, "row")
        with m.If(found):
            m.d.sync += [bank.eq(next_bank), row.eq(Array(rows)[next_bank])]
        m.d.sync += looks.eq(found & ~self.start)
        m.d.comb += [
            self.store.ra0.eq(Cat(Array(self.head)[next_bank], next_bank)),
            self.xn_write.eq(looks),
            self.xn_bank.eq(bank),
            self.xn_row.eq(row),
            self.xn_data.eq(self.store.rd0),
        ]
        popped = [looks & self.xn_ready & (bank == b) for b in range(BANKS)]
        for b, pop in enumerate(popped):
            self._advance(m, b, pop, rows[b])
        return popped

    def _advance(self, m: Module, bank: int, pop: Value, row: Signal) -> None:
        """Word j of the bank lies at row j * T + token."""
        number = Signal(4, name=f"number{bank}")
        token: Any = self.written[bank]
        with m.If(self.start):
            m.d.sync += [number.eq(0), token.eq(0), row.eq(0), self.head[bank].eq(0)]
        with m.Elif(pop):
            m.d.sync += [
                self.head[bank].eq(self.head[bank] + 1),
                number.eq(number + 1),
                row.eq(row + self.count),
            ]
            with m.If(number == self.share[bank] - 1):
                m.d.sync += [number.eq(0), token.eq(token + 1), row.eq(token + 1)]

    def _reserve(self, m: Module, popped: list[Value]) -> None:
        rooms, reserved = [], Signal()
        # A cycle late: no token follows in the next one, as each has two chunks or more.
        m.d.sync += reserved.eq(self.reserve & ~self.start)
        for bank, pop in enumerate(popped):
            free = Signal(range(QUEUE + 1), name=f"free{bank}", init=QUEUE)
            word = self.word_valid & (self.index[:2] == bank)
            taken = Mux(reserved, self.share[bank], word)
            left = Signal.like(free, name=f"left{bank}")
            m.d.comb += left.eq(free + pop - taken)
            m.d.sync += free.eq(Mux(self.start, QUEUE, left))
            rooms.append(left >= self.share[0])
        # Of the next cycle: those that wait for room decide with it at once.
        m.d.sync += self.room.eq(self.start | Cat(*rooms).all())

    def _finish(self, m: Module) -> None:
        """A token a cycle at most; banks without words of this width do not count."""
        complete = [
            (written != self.finished) | (share == 0)
            for written, share in zip(self.written, self.share, strict=True)
        ]
        after = self.finished + 1
        active = Signal()
        moves = Cat(*complete).all() & active
        ends = moves & (after == self.count)
        m.d.sync += [self.done.eq(ends & ~self.start), active.eq(self.start | (active & ~ends))]
        with m.If(self.start):
            m.d.sync += self.finished.eq(0)
        with m.Elif(moves):
            m.d.sync += self.finished.eq(after)
