"""GATE: logits of a pair, panel by panel, through a gate unit into the plan."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.machine import MachineConfig
from m3vit.rtl.array import GATE_BITS
from m3vit.rtl.gate_row import GateRow
from m3vit.rtl.library import lanes, shared
from m3vit.rtl.memory import Memory
from m3vit.rtl.passes import TOKEN_BITS
from m3vit.rtl.plan import record
from m3vit.rtl.requantise import SHIFT_BITS
from m3vit.rtl.results import result_layout
from m3vit.rtl.topk import LOGIT_BITS


class GateServer(Component):
    """``results``: a pair's panel of logits, all panels of a pair before the next pair's (one
    panel, or blocks of one pair).  ``experts``, ``top_k``, ``tokens``: of the command; ``start``
    forgets the pairs seen.  Writes a record a token (``plan_we``, ``plan_token``,
    ``plan_entry``).
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.machine = machine
        self.row = GateRow(top_k=machine.max_top_k, max_experts=machine.max_experts)
        self.layout = record(machine.max_top_k, self.row.index_bits)
        self.token_bits = max(1, (machine.max_tokens - 1).bit_length())
        super().__init__(
            {
                "start": In(1),
                "results": In(stream.Signature(result_layout(machine))),
                "experts": In(9),
                "top_k": In(4),
                "factor": In(16),
                "shift": In(SHIFT_BITS),
                "plan_we": Out(1),
                "plan_token": Out(self.token_bits),
                "plan_entry": Out(self.layout.size),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Copy, first pass, second pass, ranks; one token at a time."""
        m = Module()
        self.expert, self.member = Signal(9), Signal()
        self.base = Signal(9)
        m.submodules.store = self.store = Memory(
            depth=2 << self.row.index_bits, width=LOGIT_BITS, style="distributed"
        )
        self.pair, self.both = Signal(TOKEN_BITS), Signal()
        self.phase_valid, self.second = Signal(), Signal()
        self.taken, self.written = Signal(), Signal()
        with m.FSM():
            with m.State("COPY"):
                self._copy(m)
            for name, following in (("FIRST", "TAKE"), ("SECOND", "RANKS")):
                with m.State(name):
                    self._pass(m, following)
            with m.State("TAKE"):
                self._wait(m, "SECOND", 3)
            with m.State("RANKS"):
                self._ranks(m)
        self._row(m)
        with m.If(self.start):
            m.d.sync += self.base.eq(0)
        return m

    def _copy(self, m: Module) -> None:
        """A logit a cycle into the store; the last panel of a pair goes on."""
        result: Any = self.results.payload
        half = self.machine.columns // 2
        lane = Signal(6)
        experts = self.machine.panel // 2
        logits = [
            lanes(group, GATE_BITS * half)[member]
            for member in range(2)
            for group in lanes(result.values, 2 * GATE_BITS * half)
        ]
        last_lane = lane == experts - 1
        index = self.base + lane
        m.d.comb += [
            self.store.wa.eq(Cat(index[: self.row.index_bits], self.member)),
            self.store.wd.eq(
                Cat(*logits).word_select(lane + Mux(self.member, experts, 0), GATE_BITS)[
                    :LOGIT_BITS
                ]
            ),
            self.store.we.eq(self.results.valid & (index < self.experts)),
            self.results.ready.eq(last_lane & self.member),
        ]
        with m.If(self.results.valid):
            m.d.sync += lane.eq(Mux(last_lane, 0, lane + 1))
            with m.If(last_lane):
                m.d.sync += self.member.eq(~self.member)
                with m.If(self.member):
                    m.d.sync += [
                        self.base.eq(self.base + experts),
                        self.pair.eq(result.target.pair),
                        self.both.eq(result.target.both),
                        self.expert.eq(0),
                    ]
                    with m.If(self.base + experts >= self.experts):
                        m.d.sync += self.base.eq(0)
                        m.next = "FIRST"

    def _pass(self, m: Module, following: str) -> None:
        m.d.comb += self.phase_valid.eq(1)
        m.d.comb += self.second.eq(following == "RANKS")
        last = self.expert == self.experts - 1
        m.d.sync += self.expert.eq(Mux(last, 0, self.expert + 1))
        with m.If(last):
            m.next = following

    def _wait(self, m: Module, following: str, cycles: int) -> None:
        """The list takes two cycles behind the store's one."""
        m.d.sync += self.expert.eq(self.expert + 1)
        with m.If(self.expert == cycles):
            m.d.comb += self.taken.eq(1)
            m.d.sync += self.expert.eq(0)
            m.next = following

    def _ranks(self, m: Module) -> None:
        with m.If(self.written):
            with m.If(self.both & ~self.member):
                m.d.sync += self.member.eq(1)
                m.next = "FIRST"
            with m.Else():
                m.d.sync += self.member.eq(0)
                m.next = "COPY"

    def _row(self, m: Module) -> None:
        valid, first, last = Signal(), Signal(), Signal()
        second, index = Signal(), Signal(9)
        m.d.sync += [
            valid.eq(self.phase_valid),
            first.eq(self.expert == 0),
            last.eq(self.expert == self.experts - 1),
            second.eq(self.second),
            index.eq(self.expert),
        ]
        m.d.comb += self.store.ra0.eq(Cat(self.expert[: self.row.index_bits], self.member))
        out_valid, out_first = Signal(), Signal()
        out_index, out_score = Signal(self.row.index_bits), Signal(16)
        z, number = self.store.rd0, index[: self.row.index_bits]
        m.submodules.row = shared(
            self.row,
            z=z,
            index=number,
            valid=valid & ~second,
            first=first,
            z2=z,
            index2=number,
            valid2=valid & second,
            first2=first,
            last2=last & valid & second,
            take=self.taken,
            factor=self.factor,
            shift=self.shift,
            out_valid=out_valid,
            out_first=out_first,
            out_index=out_index,
            out_score=out_score,
        )
        self._record(m, out_valid, out_first, out_index, out_score)

    def _record(self, m: Module, valid: Value, first: Value, index: Value, score: Value) -> None:
        top_k = self.machine.max_top_k
        entry: Any = Signal(self.layout)
        rank = Signal(range(top_k + 1))
        here = Signal(range(top_k + 1))
        m.d.comb += here.eq(Mux(first, 0, rank))
        with m.If(valid):
            m.d.sync += rank.eq(here + 1)
            for number in range(top_k):
                with m.If(here == number):
                    m.d.sync += [
                        entry[number].present.eq(number < self.top_k),
                        entry[number].expert.eq(index),
                        entry[number].weight.eq(score),
                    ]
        m.d.sync += self.written.eq(valid & (here == top_k - 1))
        m.d.comb += [
            self.plan_we.eq(self.written),
            self.plan_entry.eq(Value.cast(entry)),
            self.plan_token.eq(Cat(self.member, self.pair)),
        ]
