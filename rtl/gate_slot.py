"""Two gate units for the two tokens of a pair: logits in panels, records out."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from m3vit.rtl.fifo import Fifo
from m3vit.rtl.gate_row import GateRow
from m3vit.rtl.library import delayed, lanes, register, shared
from m3vit.rtl.memory import Memory
from m3vit.rtl.plan import record
from m3vit.rtl.requantise import SHIFT_BITS
from m3vit.rtl.topk import LOGIT_BITS

_IN_FLIGHT = 8
"""Pairs between logits and record: at most 2 * experts + 40 cycles at intervals of 8 or more."""


class GateSlot(Component):
    """Pairs one behind the other, a pair every max(experts, K) cycles.

    Ports: ``valid``, ``ready``, ``logits`` int32 [2][panel] of the next ``panel`` experts,
    ``name`` of the pair with the first panel (any bits, given back with the record), ``initial``:
    it is the first; ``experts``, ``factor``, ``shift`` constant.  ``records`` [2] (see plan) with
    ``done`` for one cycle; ``out_name`` of that pair until ``take``; ``idle``: no pair is held.
    """

    def __init__(self, *, panel: int, max_experts: int, top_k: int, name_bits: int) -> None:
        self.panel, self.max_experts, self.top_k = panel, max_experts, top_k
        self.name_bits = name_bits
        self.row = GateRow(top_k=top_k, max_experts=max_experts)
        self.index_bits = self.row.index_bits
        self.layout = record(top_k, self.index_bits)
        self.module_name = f"gate_slot_p{panel}_e{max_experts}_k{top_k}_n{name_bits}"
        super().__init__(
            {
                "valid": In(1),
                "ready": Out(1),
                "initial": In(1),
                "logits": In(2 * panel * LOGIT_BITS),
                "name": In(name_bits),
                "experts": In(self.index_bits + 1),
                "factor": In(16),
                "shift": In(SHIFT_BITS),
                "done": Out(1),
                "records": Out(2 * self.layout.size),
                "out_name": Out(name_bits),
                "take": In(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Shift registers, second pass from a store, units, records."""
        m = Module()
        m.submodules.names = names = Fifo(width=self.name_bits, depth=_IN_FLIGHT)
        first = self._first_pass(m, names.w_ready)
        m.d.comb += [
            names.w_valid.eq(self.valid & self.ready & self.initial),
            names.w_data.eq(self.name),
            names.r_ready.eq(self.take),
            self.out_name.eq(names.r_data),
            self.idle.eq(names.level == 0),
        ]
        second = self._second_pass(m, first)
        for member in range(2):
            self._unit(m, member, first, second)
        return m

    def _first_pass(self, m: Module, room: Value) -> dict[str, Value]:
        """A logit a cycle out of the shift registers."""
        left, expert = Signal(range(self.panel + 1)), Signal(self.index_bits + 1)
        pause = Signal(range(self.top_k + 1))
        rest = Signal(self.index_bits + 1)
        valid, last = left != 0, Signal()
        base = Mux(valid, expert + 1, expert)[: len(expert)]
        follows = Mux(last, 0, base)
        accept = self.valid & self.ready
        m.d.comb += [
            last.eq(valid & (expert == self.experts - 1)),
            rest.eq(self.experts - follows),
            self.ready.eq((left <= 1) & (~self.initial | ((pause <= 1) & room))),
        ]
        m.d.sync += [
            expert.eq(follows),
            left.eq(Mux(accept, Mux(rest < self.panel, rest, self.panel), Mux(valid, left - 1, 0))),
            pause.eq(Mux(accept & self.initial, self.top_k, Mux(pause == 0, 0, pause - 1))),
        ]
        wide = self.panel * LOGIT_BITS
        z = []
        for member, logits in enumerate(lanes(self.logits, wide)):
            held = register(wide, f"logits{member}")
            m.d.sync += held.eq(Mux(accept, logits, held >> LOGIT_BITS))
            z.append(held[:LOGIT_BITS])
        number = expert[: self.index_bits]
        return {"z": Cat(*z), "index": number, "valid": valid, "first": expert == 0, "last": last}

    def _second_pass(self, m: Module, first: dict[str, Value]) -> dict[str, Value]:
        """The same logits again from a store of two tokens a member."""
        m.submodules.store = store = Memory(
            depth=2 << self.index_bits, width=2 * LOGIT_BITS, style="distributed"
        )
        side, other = Signal(), Signal()
        take = delayed(m, first["last"], 2, "take")
        active, expert = Signal(), Signal(self.index_bits + 1)
        final = expert == self.experts - 1
        with m.If(first["last"]):
            m.d.sync += side.eq(~side)
        with m.If(active & final):
            m.d.sync += other.eq(~other)
        start = delayed(m, first["last"], 1, "start")
        m.d.sync += [
            active.eq(start | (active & ~final)),
            expert.eq(Mux(start, 0, expert + 1)),
        ]
        m.d.comb += [
            store.we.eq(first["valid"]),
            store.wa.eq(Cat(first["index"], side)),
            store.wd.eq(first["z"]),
            store.ra0.eq(Cat(expert[: self.index_bits], other)),
        ]
        now = {"index": expert[: self.index_bits], "first": expert == 0, "last": active & final}
        late = {name: delayed(m, value, 1, f"second_{name}") for name, value in now.items()}
        valid = Signal(name="second_valid")
        m.d.sync += valid.eq(active)
        return {**late, "z": store.rd0, "valid": valid, "take": take}

    def _unit(
        self, m: Module, member: int, first: dict[str, Value], second: dict[str, Value]
    ) -> None:
        own = slice(member * LOGIT_BITS, (member + 1) * LOGIT_BITS)
        outputs = {
            name: Signal(width, name=f"{name}{member}")
            for name, width in (
                ("out_valid", 1),
                ("out_first", 1),
                ("out_index", self.index_bits),
                ("out_score", 16),
            )
        }
        m.submodules[f"row{member}"] = shared(
            self.row,
            z=first["z"][own],
            z2=second["z"][own],
            **{name: first[name] for name in ("index", "valid", "first")},
            **{f"{name}2": second[name] for name in ("index", "valid", "first", "last")},
            take=second["take"],
            factor=self.factor,
            shift=self.shift,
            **outputs,
        )
        entry = self._collect(m, member, outputs)
        m.d.comb += lanes(self.records, self.layout.size)[member].eq(entry)

    def _collect(self, m: Module, member: int, rank: dict[str, Value]) -> Value:
        """Ranks arrive one a cycle and move down, so that rank 0 ends lowest."""
        width = self.layout.size // self.top_k
        held = register(self.layout.size, f"entry{member}")
        count, done = Signal(range(self.top_k + 1), name=f"count{member}"), Signal()
        here = Mux(rank["out_first"], 0, count)
        present = here < self.experts
        word = Cat(present, rank["out_index"], rank["out_score"])
        with m.If(rank["out_valid"]):
            m.d.sync += [held.eq(Cat(held[width:], word)), count.eq(here + 1)]
        m.d.sync += done.eq(rank["out_valid"] & (here == self.top_k - 1))
        if member == 0:
            m.d.comb += self.done.eq(done)
        return held
