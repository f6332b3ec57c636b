"""Operands of the array: activations by token, queries, probabilities, all after one latency."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.formats import CHAINS, SCORE_BITS
from m3vit.hw.machine import CASCADE, MachineConfig
from m3vit.rtl.activations import WORD_BITS, Activations, row_bits
from m3vit.rtl.control import SLOT_BITS, Control
from m3vit.rtl.library import delayed, lanes, register, shared
from m3vit.rtl.passes import PAIR_BITS, TOKEN_BITS, Source
from m3vit.rtl.score_store import ScoreStore
from m3vit.rtl.softmax import Softmax

Entry = data.StructLayout(
    {"token0": TOKEN_BITS, "token1": TOKEN_BITS, "weight0": 16, "weight1": 16}
)
"""A pair of the list: token numbers and gate weights."""

LIST_LATENCY = 2
STORE_AT = LIST_LATENCY + 1
"""Cycle after issue in which XN or QOH is asked; their banks are told the cycle before."""


class Operand(Component):
    """Ports: ``control`` of issue; ``list_pair`` and ``list_buffer`` to
    ``entry`` ``LIST_LATENCY`` cycles later; readers of XN and
    QOH; ``query_*`` of the query block; per group ``score_address``, ``score_part`` to ``scores``,
    ``best_slot`` (with the half on
    top) to ``best`` one cycle later.  ``a`` int8 [G][2][R], row = chain * 8 + step;
    ``codes`` p - 128 [G][2][R] ``CODES_AT`` cycles after issue, keys in their order; ``entry_late``
    the pair's list entry (natural token numbers without gather) when ``a`` is there.
    """

    LATENCY = 8
    CODES_AT = 7

    def __init__(self, machine: MachineConfig) -> None:
        self.machine = machine
        self.groups, self.rows, self.chains = machine.groups, machine.rows, machine.chains
        row = row_bits(machine)
        lanes_bits = 8 * self.rows
        reads: dict[str, Any] = {}
        for store in ("xn", "qoh"):
            reads |= {
                f"{store}_enable": Out(1),
                f"{store}_bank": Out(2),
                f"{store}_row0": Out(row),
                f"{store}_row1": Out(row),
                f"{store}_data0": In(WORD_BITS),
                f"{store}_data1": In(WORD_BITS),
            }
        super().__init__(
            {
                "control": In(Control),
                "list_pair": Out(PAIR_BITS),
                "list_buffer": Out(1),
                "entry": In(Entry),
                **reads,
                "query_half": Out(1),
                "query_slot": Out(SLOT_BITS),
                "query_step": Out(4),
                "q": In(self.groups * 2 * lanes_bits),
                "score_address": Out(range(machine.score_words)),
                "score_part": Out(2),
                "scores": In(self.groups * 2 * self.rows * SCORE_BITS),
                "best_slot": Out(self._slot_bits() + 1),
                "best": In(self.groups * 2 * SCORE_BITS),
                "a": Out(self.groups * 2 * lanes_bits),
                "codes": Out(self.groups * 2 * lanes_bits),
                "entry_late": Out(Entry),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Each source in its own pipeline, one multiplexer at the end."""
        m = Module()
        last = self.CODES_AT
        linear = self._activations(m)
        queries = self._queries(m)
        probabilities = self._probabilities(m)
        source = delayed(m, Value.cast(self.control.source), last, "source")
        out = register(len(self.a), "out")
        with m.Switch(source):
            with m.Case(Source.QUERY):
                m.d.sync += out.eq(queries)
            with m.Case(Source.PROBABILITY):
                m.d.sync += out.eq(probabilities)
            with m.Default():
                m.d.sync += out.eq(linear)
        m.d.comb += self.a.eq(out)
        return m

    def _tokens(self, m: Module) -> tuple[Value, Value]:
        """The rows' tokens when the list has answered: hidden activations lie in list order."""
        c = self.control
        m.d.comb += [self.list_pair.eq(c.pair), self.list_buffer.eq(c.buffer)]
        wait = LIST_LATENCY
        gather, pair = delayed(m, c.gather, wait, "gather"), delayed(m, c.pair, wait, "pair")
        hidden = delayed(m, c.source == Source.QOH, wait, "from_hidden")
        entry: Any = Signal(Entry)
        m.d.comb += entry.eq(self.entry)
        natural = (pair << 1, (pair << 1) | 1)
        with m.If(~gather):
            m.d.comb += [entry.token0.eq(natural[0]), entry.token1.eq(natural[1])]
        late = delayed(m, Value.cast(entry), self.LATENCY - wait, "entry")
        m.d.comb += Value.cast(self.entry_late).eq(late)
        return (
            Mux(hidden, natural[0], entry.token0),
            Mux(hidden, natural[1], entry.token1),
        )

    def _activations(self, m: Module) -> Value:
        c, tokens = self.control, self._tokens(m)
        row = delayed(m, c.row, LIST_LATENCY, "row")
        early = delayed(m, c.channel, STORE_AT - 1, "channel")
        channel = delayed(m, early, 1, "channel_late")
        rows = []
        for member, token in enumerate(tokens):
            held = register(len(self.xn_row0), f"row{member}_held")
            m.d.sync += held.eq(row + token)
            rows.append(held)
        for store, source in (("xn", Source.XN), ("qoh", Source.QOH)):
            wanted = delayed(m, c.valid & (c.source == source), STORE_AT - 1, f"{store}_wanted")
            m.d.comb += [
                getattr(self, f"{store}_enable").eq(wanted),
                getattr(self, f"{store}_bank").eq(early[2:4]),
                getattr(self, f"{store}_row0").eq(rows[0]),
                getattr(self, f"{store}_row1").eq(rows[1]),
            ]
        return self._selected(m, channel)

    def _selected(self, m: Module, channel: Value) -> Value:
        """R of the 32 channels; the same for all groups."""
        wait = Activations.LATENCY
        part = delayed(m, channel[:2], wait, "part")
        hidden = delayed(m, self.qoh_enable, wait + 1, "hidden")
        index = part[(self.rows // 8 - 1).bit_length() :]
        members = []
        for member in range(2):
            picked = register(8 * self.rows, f"picked{member}")
            words = (getattr(self, f"{store}_data{member}") for store in ("qoh", "xn"))
            word = Mux(hidden, *words)
            m.d.sync += picked.eq(word.word_select(index, 8 * self.rows) if len(index) else word)
            members.append(picked)
        return Cat(*members * self.groups)

    def _queries(self, m: Module) -> Value:
        c = self.control
        late = self.CODES_AT - 2
        m.d.comb += [
            self.query_half.eq(delayed(m, c.half, late, "query_half")),
            self.query_slot.eq(delayed(m, c.slot, late, "query_slot")),
            self.query_step.eq(delayed(m, c.channel, late, "query_step")),
        ]
        held = register(len(self.q), "q_held")
        m.d.sync += held.eq(self.q)
        return self._permuted(held)

    def _permuted(self, vector: Value) -> Value:
        """Row (chain, step) takes element (R/8) * step + chain of every member."""
        members = []
        for member in lanes(vector, 8 * self.rows):
            values = lanes(member, 8)
            members += [
                values[self.chains * step + chain]
                for chain in range(self.chains)
                for step in range(CASCADE)
            ]
        return Cat(*members)

    def _probabilities(self, m: Module) -> Value:
        c = self.control
        parts = max(self.machine.columns, self.rows) // self.rows
        m.d.comb += self.score_part.eq(delayed(m, c.key & (parts - 1), 1, "score_part"))
        m.d.sync += self.score_address.eq(
            c.row + c.slot + Mux(c.half, self.machine.score_words // 2, 0)
        )
        read = 1 + ScoreStore.LATENCY
        place = Cat(c.slot[: self._slot_bits()], c.half)
        m.d.comb += self.best_slot.eq(delayed(m, place, read - 1, "best_slot"))
        valid = register(self.rows, "key_valid")
        left = register(len(c.tokens) + 1, "keys_left")
        m.d.sync += left.eq(c.tokens - c.key * self.rows)
        m.d.sync += valid.eq(Cat((left > key) & ~left[-1] for key in range(self.rows)))
        valid_at = delayed(m, valid, read - 2, "valid_at")
        enable = c.valid & (c.source == Source.PROBABILITY)
        slot = delayed(m, c.slot, read, "slot")
        opens = delayed(m, c.key < CHAINS // self.rows, read, "opens")
        phase = delayed(m, c.key, read, "phase")
        enable_at = delayed(m, enable, read, "enable")
        codes = []
        for group in range(self.groups):
            block = Softmax(rows=self.rows, pairs=1 << self._slot_bits())
            codes.append(Signal(16 * self.rows, name=f"codes{group}"))
            m.submodules[f"softmax{group}"] = shared(
                block,
                s=self.scores.word_select(group, 2 * self.rows * SCORE_BITS),
                best=self.best.word_select(group, 2 * SCORE_BITS),
                valid=valid_at,
                address=slot[: len(block.address)],
                phase=phase[: len(block.phase)],
                first=opens,
                enable=enable_at,
                p=codes[-1],
            )
        m.d.comb += self.codes.eq(Cat(*codes))
        # A signal of its own: lanes of a concatenation would each be written out as the whole.
        masked = Signal(len(self.codes))
        m.d.comb += masked.eq(self._masked(delayed(m, valid_at, Softmax.LATENCY, "mask")))
        return self._permuted(masked)

    def _slot_bits(self) -> int:
        return (self.machine.accumulator_pairs - 1).bit_length()

    def _masked(self, mask: Value) -> Value:
        """Keys that do not exist must not meet what an earlier image left in V."""
        values = lanes(self.codes, 8)
        return Cat(Mux(mask[lane % self.rows], value, 0) for lane, value in enumerate(values))
