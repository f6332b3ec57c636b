"""One serial gate unit: top-K and scores of a token, a logit a cycle (golden ``gate``).

A token's logits pass twice: first into the sorted list, then, against the largest, through the
exponential.  The second pass of one token runs beside the first pass of the next.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from m3vit.rtl.accumulator import ACCUMULATOR_BITS
from m3vit.rtl.gate_exponential import GateExponential
from m3vit.rtl.library import delayed, lanes, register, shared
from m3vit.rtl.reciprocal import Reciprocal
from m3vit.rtl.requantise import SHIFT_BITS, RequantiseLane, lane_controls
from m3vit.rtl.topk import LOGIT_BITS, TopK

SCORE_BITS = 16
"""A gate score: value w / 65536."""

_HIGHEST = 65535
_COLLECT = 1
_HOLD = 1
_CLAMP = 1


class GateRow(Component):
    """Scores of the chosen experts, rank by rank.

    Ports, first pass: ``z``, ``index``, ``valid``, ``first``.  ``take`` (two cycles after the
    last logit of the first pass, or later while no other token follows) moves the list to the
    second pass, whose logits ``z2``, ``index2``, ``valid2``, ``first2``, ``last2`` may start in
    the next cycle.  ``factor``, ``shift``: the gate's, constant.  Then ``out_valid`` for K
    cycles: ``out_index``, ``out_score`` of rank 0, 1, ...; ``out_first`` with rank 0.

    Tokens follow each other at intervals of at least ``max(experts, K)`` cycles.
    Latency: ``LATENCY`` cycles from ``last2`` to rank 0.
    """

    def __init__(self, *, top_k: int, max_experts: int) -> None:
        self.top_k, self.max_experts = top_k, max_experts
        self.index_bits = max(1, (max_experts - 1).bit_length())
        self.list = TopK(top_k=top_k, index_bits=self.index_bits)
        self.inverse = Reciprocal((max_experts * 65535).bit_length())
        self.LATENCY = (
            GateExponential.LATENCY
            + _COLLECT
            + self.inverse.LATENCY
            + _HOLD
            + RequantiseLane.LATENCY
            + _CLAMP
        )
        self.module_name = f"gate_row_k{top_k}_e{max_experts}"
        logit = {"z": In(LOGIT_BITS), "index": In(self.index_bits), "valid": In(1), "first": In(1)}
        super().__init__(
            {
                **logit,
                **{f"{name}2": port for name, port in logit.items()},
                "last2": In(1),
                "take": In(1),
                "factor": In(16),
                "shift": In(SHIFT_BITS),
                "out_valid": Out(1),
                "out_first": Out(1),
                "out_index": Out(self.index_bits),
                "out_score": Out(SCORE_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """List; exponentials and their sum; reciprocal; scores."""
        m = Module()
        top, hits = self._first_pass(m)
        x = Signal(16)
        m.submodules.exponential = shared(
            GateExponential(), z=self.z2, top=top, factor=self.factor, shift=self.shift, x=x
        )
        late = GateExponential.LATENCY
        valid, last = delayed(m, self.valid2, late, "v"), delayed(m, self.last2, late, "l")
        first = delayed(m, self.first2, late, "f")
        total = register(self.inverse.width, "total")
        with m.If(valid):
            m.d.sync += total.eq(Mux(first, x, total + x))
        m.submodules.inverse = self.inverse
        m.d.comb += self.inverse.x.eq(total)
        chosen = self._collect(m, x, delayed(m, hits, late, "hits"), valid & last)
        self._emit(m, chosen)
        return m

    def _first_pass(self, m: Module) -> tuple[Value, Value]:
        m.submodules.list = entries = self.list
        for name in ("z", "index", "valid", "first"):
            m.d.comb += getattr(entries, name).eq(getattr(self, name))
        top = register(LOGIT_BITS, "top")
        ids = register(self.top_k * self.index_bits, "ids")
        present = Signal(self.top_k)
        with m.If(self.take):
            m.d.sync += [
                top.eq(entries.best[:LOGIT_BITS]),
                ids.eq(entries.indices),
                present.eq(entries.present),
            ]
        hits = Cat(
            (each == self.index2) & self.valid2 & there
            for each, there in zip(lanes(ids, self.index_bits), present, strict=True)
        )
        return top, Cat(hits, self.index2)

    def _collect(self, m: Module, x: Value, hits: Value, done: Value) -> Value:
        """(x, index) of rank 0, 1, ... in the cycles after ``done``, with valid and first."""
        width = SCORE_BITS + self.index_bits
        index = hits[self.top_k :]
        slots = [register(width, f"slot{rank}") for rank in range(self.top_k)]
        for rank, slot in enumerate(slots):
            with m.If(hits[rank]):
                m.d.sync += slot.eq(Cat(x, index))
        queue = [register(width, f"queue{rank}") for rank in range(self.top_k)]
        load = delayed(m, done, 1, "load")
        left, first = Signal(range(self.top_k + 1)), register(1, "rank0")
        m.d.sync += first.eq(load)
        for rank, place in enumerate(queue):
            after = queue[rank + 1] if rank + 1 < self.top_k else Const(0, width)
            m.d.sync += place.eq(Mux(load, slots[rank], after))
        m.d.sync += left.eq(Mux(load, self.top_k, Mux(left == 0, 0, left - 1)))
        return Cat(queue[0], left != 0, first)

    def _emit(self, m: Module, chosen: Value) -> None:
        late = delayed(m, chosen, self.inverse.LATENCY + _HOLD - _COLLECT, "chosen")
        r, leading = register(16, "r"), register(SHIFT_BITS, "leading")
        ready = delayed(m, chosen[-1], self.inverse.LATENCY - _COLLECT, "ready")
        with m.If(ready):
            m.d.sync += [r.eq(self.inverse.r), leading.eq(self.inverse.leading)]
        y = Signal(18)
        m.submodules.score = shared(
            RequantiseLane(),
            acc=Cat(late[:SCORE_BITS], Const(0, ACCUMULATOR_BITS - SCORE_BITS)),
            factor=r,
            y=y,
            **lane_controls(m, leading, Const(0, 2), "score"),
        )
        beside = delayed(m, late[SCORE_BITS:], RequantiseLane.LATENCY + _CLAMP, "beside")
        score = register(SCORE_BITS, "score_held")
        m.d.sync += score.eq(Mux(y[SCORE_BITS:].any(), _HIGHEST, y[:SCORE_BITS]))
        m.d.comb += [
            self.out_index.eq(beside[: self.index_bits]),
            self.out_valid.eq(beside[-2]),
            self.out_first.eq(beside[-1]),
            self.out_score.eq(score),
        ]
