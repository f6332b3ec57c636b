"""Gate units side by side: pairs of logits in, plan records out (golden ``gate.route``)."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.errors import ConfigurationError
from m3vit.rtl.gate_slot import GateSlot
from m3vit.rtl.library import lanes, register, shared
from m3vit.rtl.plan import record
from m3vit.rtl.requantise import SHIFT_BITS
from m3vit.rtl.topk import LOGIT_BITS


class GateBank(Component):
    """``slots`` pairs at a time: a pair every max(experts, K) / slots cycles.

    Ports: ``valid``, ``ready``, ``logits`` int32 [2][panel], panel by panel of a pair, then the
    next pair; ``pair`` number and ``both`` (member 1 exists) with its first panel; ``experts``,
    ``top_k``, ``factor``, ``shift``: the gate's, constant while ``idle`` is not set.
    ``plan_we``, ``plan_token`` = 2 * pair + member, ``plan_entry`` (see plan): one record a
    cycle, in any order of pairs.
    """

    def __init__(
        self, *, panel: int, max_experts: int, max_top_k: int, pair_bits: int, slots: int
    ) -> None:
        if not 1 <= 2 * slots <= max_top_k:
            raise ConfigurationError(
                f"gate bank: slots must be 1 to {max_top_k // 2} with K up to {max_top_k}, "
                f"not {slots}: records would come faster than they are written"
            )
        self.panel, self.slots, self.pair_bits = panel, slots, pair_bits
        self.slot = GateSlot(
            panel=panel, max_experts=max_experts, top_k=max_top_k, name_bits=pair_bits + 1
        )
        self.index_bits = self.slot.index_bits
        self.layout = record(max_top_k, self.index_bits)
        self.module_name = f"gate_bank_p{panel}_e{max_experts}_k{max_top_k}_s{slots}"
        super().__init__(
            {
                "valid": In(1),
                "ready": Out(1),
                "logits": In(2 * panel * LOGIT_BITS),
                "pair": In(pair_bits),
                "both": In(1),
                "experts": In(self.index_bits + 1),
                "top_k": In(max_top_k.bit_length()),
                "factor": In(16),
                "shift": In(SHIFT_BITS),
                "plan_we": Out(1),
                "plan_token": Out(pair_bits + 1),
                "plan_entry": Out(self.layout.size),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Pairs go round the slots; finished records wait for the plan's port."""
        m = Module()
        turn = Signal(range(self.slots))
        seen = Signal(self.index_bits + 1)
        initial = seen == 0
        complete = seen + self.panel >= self.experts
        accept = self.valid & self.ready
        ready, idle, waiting = [], [], []
        for number in range(self.slots):
            offered = self.valid & (turn == number)
            ports, pending = self._slot(m, number, offered, initial)
            ready.append(ports["ready"])
            idle.append(ports["idle"])
            waiting.append(pending)
        with m.If(accept):
            m.d.sync += seen.eq(Mux(complete, 0, seen + self.panel))
            with m.If(complete):
                m.d.sync += turn.eq(Mux(turn == self.slots - 1, 0, turn + 1))
        m.d.comb += [
            self.ready.eq(Array(ready)[turn]),
            self.idle.eq(Cat(*idle).all()),
        ]
        self._write(m, waiting)
        return m

    def _slot(
        self, m: Module, number: int, offered: Value, initial: Value
    ) -> tuple[dict[str, Value], dict[str, Value]]:
        widths = {
            "ready": 1,
            "done": 1,
            "records": 2 * self.layout.size,
            "out_name": self.pair_bits + 1,
            "take": 1,
            "idle": 1,
        }
        ports = {name: Signal(bits, name=f"{name}{number}") for name, bits in widths.items()}
        m.submodules[f"slot{number}"] = shared(
            self.slot,
            valid=offered,
            initial=initial,
            logits=self.logits,
            name=Cat(self.both, self.pair),
            experts=self.experts,
            factor=self.factor,
            shift=self.shift,
            **ports,
        )
        left, served = Signal(2, name=f"left{number}"), Signal(2, name=f"served{number}")
        held = register(2 * self.layout.size, f"held{number}")
        both = ports["out_name"][0]
        with m.If(ports["done"]):
            m.d.sync += held.eq(ports["records"])
        m.d.sync += left.eq(Mux(ports["done"], Cat(1, both), left & ~served))
        m.d.comb += ports["take"].eq(served[1] | (served[0] & ~both))
        pending = {"left": left, "served": served, "held": held, "name": ports["out_name"]}
        return ports, pending

    def _write(self, m: Module, waiting: list[dict[str, Value]]) -> None:
        """One record a cycle, lowest slot and member first."""
        free: Value = Signal()
        m.d.comb += free.eq(1)
        entry, token, enable = register(self.layout.size, "entry"), Signal.like(self.plan_token), 0
        chosen_entry: Value = waiting[0]["held"][: self.layout.size]
        chosen_token: Value = Cat(0, waiting[0]["name"][1:])
        for slot in waiting:
            for member, record_ in enumerate(lanes(slot["held"], self.layout.size)):
                grant = free & slot["left"][member]
                m.d.comb += slot["served"][member].eq(grant)
                chosen_entry = Mux(grant, record_, chosen_entry)
                chosen_token = Mux(grant, Cat(member == 1, slot["name"][1:]), chosen_token)
                enable, free = enable | grant, free & ~slot["left"][member]
        m.d.sync += [entry.eq(chosen_entry), token.eq(chosen_token), self.plan_we.eq(enable)]
        ranks, used = data.View(self.layout, entry), data.View(self.layout, self.plan_entry)
        m.d.comb += self.plan_token.eq(token)
        for number in range(self.layout.length):
            m.d.comb += [
                used[number].present.eq(ranks[number].present & (number < self.top_k)),
                used[number].expert.eq(ranks[number].expert),
                used[number].weight.eq(ranks[number].weight),
            ]
