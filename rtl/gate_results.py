"""The gate behind the results' queue: its units take a pair every max(E, K) / 2 cycles."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.machine import MachineConfig
from m3vit.rtl.gate_bank import GateBank
from m3vit.rtl.library import lanes, register, shared
from m3vit.rtl.passes import PAIR_BITS
from m3vit.rtl.posts import GATE_BITS
from m3vit.rtl.requantise import SHIFT_BITS
from m3vit.rtl.results import result_layout
from m3vit.rtl.topk import LOGIT_BITS

SLOTS = 2
"""Pairs side by side: with 16 experts a pair in 8 cycles, fewer than its tiles need."""


class GateResults(Component):
    """``results``: panels of logits, all panels of a pair before the next pair's.

    ``experts``, ``top_k``, ``factor``, ``shift``: of the gate, constant until all records are
    written.  ``plan_we``, ``plan_token``, ``plan_entry``: one record a cycle (see plan).
    ``busy``: logits are being ranked.
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.machine = machine
        slots = min(SLOTS, max(1, machine.max_top_k // 2))
        self.bank = GateBank(
            panel=machine.panel // 2,
            max_experts=machine.max_experts,
            max_top_k=machine.max_top_k,
            pair_bits=PAIR_BITS,
            slots=slots,
        )
        self.layout = self.bank.layout
        self.token_bits = max(1, (machine.max_tokens - 1).bit_length())
        super().__init__(
            {
                "results": In(stream.Signature(result_layout(machine))),
                "experts": In(9),
                "top_k": In(4),
                "factor": In(16),
                "shift": In(SHIFT_BITS),
                "plan_we": Out(1),
                "plan_token": Out(self.token_bits),
                "plan_entry": Out(self.layout.size),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Values lie [group][member][expert] and are wanted [member][group][expert]."""
        m = Module()
        result: Any = self.results.payload
        half = GATE_BITS * self.machine.columns // 2
        groups = lanes(result.values, 2 * half)
        logits = [
            logit[:LOGIT_BITS]
            for member in range(2)
            for group in groups
            for logit in lanes(lanes(group, half)[member], GATE_BITS)
        ]
        token, idle = Signal(PAIR_BITS + 1), Signal()
        offered = Cat(*logits, result.target.pair, result.target.both)
        held, full, taken = register(len(offered), "held"), Signal(), Signal()
        wide = len(offered) - PAIR_BITS - 1
        # a result every other cycle at most: no path leads from the results into the gate or back
        m.d.comb += self.results.ready.eq(~full)
        m.d.sync += full.eq(Mux(full, ~taken, self.results.valid))
        with m.If(~full):
            m.d.sync += held.eq(offered)
        m.submodules.bank = shared(
            self.bank,
            valid=full,
            ready=taken,
            logits=held[:wide],
            pair=held[wide:-1],
            both=held[-1],
            experts=self.experts[: len(self.bank.experts)],
            top_k=self.top_k[: len(self.bank.top_k)],
            factor=self.factor,
            shift=self.shift,
            plan_we=self.plan_we,
            plan_token=token,
            plan_entry=self.plan_entry,
            idle=idle,
        )
        m.d.comb += [self.plan_token.eq(token), self.busy.eq(full | ~idle)]
        return m
