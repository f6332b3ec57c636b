"""From operands to results: groups, accumulators, scores, requantisation, GELU."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.formats import FACTOR_BITS, RESIDUAL_BITS, SCORE_BITS
from m3vit.hw.machine import CASCADE, MachineConfig
from m3vit.rtl.accumulator import ACCUMULATOR_BITS, Accumulator
from m3vit.rtl.control import Control
from m3vit.rtl.gelu import Gelu
from m3vit.rtl.group import Group
from m3vit.rtl.library import delayed, lanes, register, shared
from m3vit.rtl.operand import Entry, Operand
from m3vit.rtl.parameters import BANK_BITS, BANKS, FLAG_BITS, Parameters
from m3vit.rtl.passes import NUMBER_BITS, TOKEN_BITS, Post, Source
from m3vit.rtl.pipe import Pipe
from m3vit.rtl.posts import first_row, joined_logits, limits_of
from m3vit.rtl.requantise import SHIFT_BITS, Requantise
from m3vit.rtl.results import FROM_CONTROL, result_layout
from m3vit.rtl.rowfactor import RowFactor
from m3vit.rtl.rowmax import RowMaximum
from m3vit.rtl.score_store import ScoreStore
from m3vit.rtl.scores import Scores


class Array(Component):
    """Ports: ``control`` at issue; ``a`` and ``entry`` ``Operand.LATENCY`` cycles later, ``codes``
    of probabilities ``Operand.CODES_AT``; ``load`` and ``w``; parameters' words; ``initial`` of A.V
    for ``value_tile`` one cycle later; score store and row maxima for reading; GELU's table.
    ``write`` of ``result``; ``freed``: the parameters of a bank are no longer needed; ``scored``.

    Constants: ``tokens`` T, ``half_tokens`` ceil(T/2); of an ATTN ``score_shift``, ``gain``,
    ``gain_shift`` by group.
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.machine, self.groups = machine, machine.groups
        columns, rows = machine.columns, machine.rows
        self.pairs = 1 << (machine.accumulator_pairs - 1).bit_length()
        self.group = Group(rows=rows, columns=columns)
        self.factor = RowFactor(rows=rows, pairs=self.pairs, max_tokens=machine.max_tokens)
        self.summed_at = Operand.LATENCY + self.group.LATENCY
        self.accumulated_at = self.summed_at + Accumulator.LATENCY
        ready = Operand.CODES_AT + self.factor.LATENCY + 1
        self.requantise_at = max(self.accumulated_at, ready)
        self.post_at = self.requantise_at + Requantise.LATENCY
        self.results_at = self.post_at + Gelu.LATENCY
        slot = (self.pairs - 1).bit_length()
        super().__init__(
            {
                "control": In(Control),
                "a": In(16 * rows * self.groups),
                "codes": In(16 * rows * self.groups),
                "entry": In(Entry),
                "load": In(CASCADE),
                "w": In(8 * machine.word_bytes),
                "parameter_we": In(1),
                "parameter_index": In(3),
                "parameter_bank": In(BANK_BITS),
                "word": In(8 * machine.word_bytes),
                "value_tile": Out(3),
                "initial": In(machine.panel * ACCUMULATOR_BITS),
                "tokens": In(TOKEN_BITS),
                "half_tokens": In(TOKEN_BITS),
                "score_shift": In(4 * self.groups),
                "gain": In(FACTOR_BITS * self.groups),
                "gain_shift": In(3 * self.groups),
                "score_address": In(range(machine.score_words)),
                "score_part": In(2),
                "scores": Out(self.groups * 2 * rows * SCORE_BITS),
                "best_slot": In(slot + 1),
                "best": Out(self.groups * 2 * SCORE_BITS),
                "gelu_we": In(1),
                "gelu_wa": In(9),
                "gelu_wd": In(8),
                "write": Out(1),
                "result": Out(result_layout(machine)),
                "freed": Out(BANKS),
                "scored": Out(NUMBER_BITS),
                "gate_factor": Out(FACTOR_BITS),
                "gate_shift": Out(SHIFT_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The stages, group by group."""
        m = Module()
        self.pipe = Pipe(m, self.control, Control, "control")
        m.submodules.parameters = self.parameters = Parameters(self.machine)
        m.d.comb += [
            self.parameters.we.eq(self.parameter_we),
            self.parameters.index.eq(self.parameter_index),
            self.parameters.bank.eq(self.parameter_bank),
            self.parameters.word.eq(self.word),
            self.parameters.bias_bank.eq(self.pipe.at(self.summed_at - 1).bank),
            self.parameters.factor_bank.eq(self.pipe.at(self.requantise_at - 1).bank),
            self.parameters.flags_bank.eq(self.pipe.at(self.post_at - 1).bank),
            self.value_tile.eq(self.pipe.at(self.summed_at - 1).channel),
        ]
        totals = [self._accumulated(m, group) for group in range(self.groups)]
        self._scores(m, totals)
        values = [self._results(m, group, totals[group]) for group in range(self.groups)]
        self._finish(m, values)
        return m

    def _accumulated(self, m: Module, group: int) -> Value:
        """int27 [2][C] when ``accumulated_at``."""
        c, rows = self.pipe.at(Operand.LATENCY), self.machine.rows
        a0, a1 = lanes(self.a.word_select(group, 16 * rows), 8 * rows)
        sums = Signal(2 * self.machine.columns * self.group.sum_bits, name=f"sums{group}")
        m.submodules[f"group{group}"] = shared(
            self.group,
            a0=a0,
            a1=a1,
            swap=c.swap,
            load=self.load,
            w=self.w.word_select(group, len(self.w) // self.groups),
            s=sums,
        )
        late, columns = self.pipe.at(self.summed_at), self.machine.columns
        block = Accumulator(
            columns=columns, sum_bits=self.group.sum_bits, pairs=self.machine.accumulator_pairs
        )
        width = columns * ACCUMULATOR_BITS
        total = Signal(2 * width, name=f"acc{group}")
        initial = Mux(late.post == Post.OUTPUT, self.initial, self.parameters.bias)
        start = Mux(late.post == Post.SCORE, 0, initial.word_select(group, width))
        m.submodules[f"accumulator{group}"] = shared(
            block,
            address=late.slot[: len(block.address)],
            first=late.first,
            enable=late.valid,
            sum=sums,
            initial=start[:width],
            acc=total,
        )
        return total

    def _scores(self, m: Module, totals: list[Value]) -> None:
        machine = self.machine
        at = self.accumulated_at + Scores.LATENCY
        c = self.pipe.at(at)
        early = self.pipe.at(at - 1)
        address = register(len(self.score_address), "score_write_address")
        half = Mux(early.half, machine.score_words // 2, 0)
        m.d.sync += address.eq(early.row + early.slot + half)
        valid = register(machine.columns, "score_valid")
        left = Signal(len(c.tokens) + 1)
        m.d.comb += left.eq(early.tokens - early.key * machine.columns)
        m.d.sync += valid.eq(Cat((left > k) & ~left[-1] for k in range(machine.columns)))
        writes = c.valid & c.last & (c.post == Post.SCORE)
        found, best = [], []
        for group, total in enumerate(totals):
            found.append(self._score_group(m, group, total, writes, address))
            best.append(self._best(m, group, found[-1][1], writes, valid))
        m.d.comb += [self.scores.eq(Cat(data for data, _ in found)), self.best.eq(Cat(*best))]
        self._count_scored(m, at)

    def _score_group(
        self, m: Module, group: int, total: Value, writes: Value, address: Value
    ) -> tuple[Value, Value]:
        c = self.pipe.at(self.accumulated_at + Scores.LATENCY)
        machine, columns = self.machine, self.machine.columns
        y = Signal(2 * columns * SCORE_BITS, name=f"score{group}")
        m.submodules[f"scores{group}"] = shared(
            Scores(columns), acc=total, shift=self.score_shift.word_select(group, 4), y=y
        )
        store = ScoreStore(machine)
        data = Signal(2 * machine.rows * SCORE_BITS, name=f"held_scores{group}")
        m.submodules[f"score_store{group}"] = shared(
            store,
            write=writes,
            write_address=address,
            write_part=(c.key & (store.parts - 1))[:2],
            scores=y,
            address=self.score_address,
            part=self.score_part,
            data=data,
        )
        return data, y

    def _best(self, m: Module, group: int, y: Value, writes: Value, valid: Value) -> Value:
        c = self.pipe.at(self.accumulated_at + Scores.LATENCY)
        self.maximum = RowMaximum(columns=self.machine.columns, pairs=2 * self.pairs)
        best = Signal(2 * SCORE_BITS, name=f"best{group}")
        slot = len(self.maximum.address) - 1
        m.submodules[f"row_maximum{group}"] = shared(
            self.maximum,
            s=y,
            valid=valid,
            address=Cat(c.slot[:slot], c.half),
            first=c.key == 0,
            enable=writes,
            ra=self.best_slot,
            best=best,
        )
        return best

    def _count_scored(self, m: Module, at: int) -> None:
        done = self.pipe.at(at + self.maximum.LATENCY)
        with m.If(done.valid & done.last & done.final & (done.post == Post.SCORE)):
            m.d.sync += self.scored.eq(done.number)

    def _results(self, m: Module, group: int, total: Value) -> Value:
        """18 bits [2][C] when ``results_at``."""
        columns, c = self.machine.columns, self.pipe.at(self.requantise_at)
        acc = delayed(m, total, self.requantise_at - self.accumulated_at, f"acc{group}")
        factors, shifts = self._row_factors(m, group)
        rows = c.post == Post.OUTPUT
        block = Requantise(columns)
        y = Signal(2 * columns * RESIDUAL_BITS, name=f"y{group}")
        width = columns * FACTOR_BITS
        m.submodules[f"requantise{group}"] = shared(
            block,
            acc=acc,
            factor=self.parameters.factor.word_select(group, width),
            rows=rows,
            row_factor=factors,
            shift=Mux(rows, shifts, c.shift.replicate(2)),
            range=limits_of(m, c.post, f"range{group}"),
            y=y,
        )
        return self._posted(m, group, acc, y)

    def _row_factors(self, m: Module, group: int) -> tuple[Value, Value]:
        c = self.pipe.at(Operand.CODES_AT)
        enable = c.valid & (c.source == Source.PROBABILITY) & (c.channel == 0)
        slot = len(self.factor.address)
        reads = self.pipe.at(self.requantise_at - 1).slot[:slot]
        rows, codes = self.machine.rows, lanes(self.codes, 8 * self.machine.rows)
        factors, shifts = [], []
        for member in range(2):
            factors.append(Signal(FACTOR_BITS, name=f"row_factor{group}_{member}"))
            shifts.append(Signal(SHIFT_BITS, name=f"row_shift{group}_{member}"))
            block = RowFactor(rows=rows, pairs=self.pairs, max_tokens=self.machine.max_tokens)
            m.submodules[f"row_factor{group}_{member}"] = shared(
                block,
                p=codes[2 * group + member],
                address=c.slot[:slot],
                first=c.key == 0,
                last=c.last,
                enable=enable,
                gain=self.gain.word_select(group, FACTOR_BITS),
                gain_shift=self.gain_shift.word_select(group, 3),
                ra=reads,
                factor=factors[-1],
                shift=shifts[-1],
            )
        return Cat(*factors), Cat(*shifts)

    def _posted(self, m: Module, group: int, acc: Value, y: Value) -> Value:
        columns, c = self.machine.columns, self.pipe.at(self.results_at)
        codes = Cat(value[:8] for value in lanes(y, RESIDUAL_BITS))
        flags = lanes(self.parameters.flags, FLAG_BITS)[group * columns : (group + 1) * columns]
        after = Signal(16 * columns, name=f"gelu_y{group}")
        m.submodules[f"gelu{group}"] = shared(
            Gelu(columns),
            x=codes,
            kind=Cat(flag[0] for flag in flags),
            y=after,
            we=self.gelu_we,
            wa=self.gelu_wa,
            wd=self.gelu_wd,
        )
        plain = delayed(m, y, Gelu.LATENCY, f"plain{group}")
        wide = Cat(Cat(v, v[-1].replicate(RESIDUAL_BITS - 8)) for v in lanes(after, 8))
        late = self.results_at - self.requantise_at
        logits = joined_logits(m, acc, late, f"logit{group}")
        posted = Signal(len(plain), name=f"posted{group}")
        with m.Switch(c.post):
            with m.Case(Post.GELU):
                m.d.comb += posted.eq(wide)
            with m.Case(Post.GATE):
                m.d.comb += posted.eq(logits)
            with m.Default():
                m.d.comb += posted.eq(plain)
        return posted

    def _finish(self, m: Module, values: list[Value]) -> None:
        """One register, then the FIFO."""
        c, layout = self.pipe.at(self.results_at), result_layout(self.machine)
        result: Any = Signal(layout)
        entry = delayed(m, Value.cast(self.entry), self.results_at - Operand.LATENCY, "entry")
        ends = c.valid & c.last & (c.post != Post.SCORE)
        m.d.comb += [result.values.eq(Cat(*values)), Value.cast(result.target.entry).eq(entry)]
        m.d.comb += [getattr(result.target, name).eq(getattr(c, name)) for name in FROM_CONTROL]
        early = self.pipe.at(self.results_at - 2)
        m.d.comb += result.target.row.eq(first_row(m, early, self.tokens, self.half_tokens))
        m.d.sync += [Value.cast(self.result).eq(Value.cast(result)), self.write.eq(ends)]
        uses = ends & c.final & (c.post != Post.OUTPUT)
        m.d.sync += self.freed.eq(Mux(uses, Const(1, BANKS) << c.bank, 0)[:BANKS])
        flags, factor = self.parameters.flags[:FLAG_BITS], self.parameters.factor[:FACTOR_BITS]
        at_factor, at_flags = self.pipe.at(self.requantise_at), self.pipe.at(self.post_at)
        with m.If(at_factor.valid & (at_factor.post == Post.GATE)):
            m.d.sync += self.gate_factor.eq(factor)
        with m.If(at_flags.valid & (at_flags.post == Post.GATE)):
            m.d.sync += self.gate_shift.eq(flags[8 : 8 + SHIFT_BITS])
