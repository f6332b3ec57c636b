"""DMA of the routing plan to memory: records of K ranks, packed."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.commands.fields import WORD_BITS, Op
from m3vit.hw.machine import MachineConfig
from m3vit.rtl.command import header, operands
from m3vit.rtl.dma_out import BEAT
from m3vit.rtl.plan import PlanStore, record

_RANK_BITS = 32


class DmaPlan(Component):
    """``start`` executes the DMA command in ``word``, constant until ``done``; ``token`` reads
    ``entry`` of the plan.  A record every five cycles: only a trace asks for it.
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.machine = machine
        index_bits = max(1, (machine.max_experts - 1).bit_length())
        self.plan = record(machine.max_top_k, index_bits)
        super().__init__(
            {
                "start": In(1),
                "word": In(WORD_BITS),
                "done": Out(1),
                "token": Out(max(1, (machine.max_tokens - 1).bit_length())),
                "entry": In(self.plan.size),
                "out": Out(stream.Signature(BEAT)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Ask, wait, merge, send whole beats."""
        m = Module()
        head, fields = header(self.word), operands(self.word, Op.DMA)
        token, wait = Signal(12), Signal(2)
        self.held, self.level = Signal(512), Signal(5)
        m.d.comb += [self.token.eq(token + fields["first_token"]), self.out.payload.eq(self.held)]
        full = self.level >= BEAT // _RANK_BITS
        ends = token == head["tokens"]
        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start):
                    m.d.sync += [token.eq(0), wait.eq(0), self.level.eq(0)]
                    m.next = "WAIT"
            with m.State("WAIT"):
                m.d.sync += wait.eq(wait + 1)
                with m.If(wait == PlanStore.READ_LATENCY):
                    self._merge(m, fields["elements"][:4])
                    m.d.sync += [token.eq(token + 1), wait.eq(0)]
                    m.next = "SEND"
            with m.State("SEND"):
                with m.If(full | (ends & (self.level != 0))):
                    m.d.comb += self.out.valid.eq(1)
                    with m.If(self.out.ready):
                        m.d.sync += self.held.eq(self.held >> BEAT)
                        m.d.sync += self.level.eq(Mux(full, self.level - BEAT // _RANK_BITS, 0))
                with m.Elif(ends):
                    m.d.comb += self.done.eq(1)
                    m.next = "IDLE"
                with m.Else():
                    m.next = "WAIT"
        return m

    def _merge(self, m: Module, used: Any) -> None:
        """A record behind what is left of the tokens before it."""
        ranks: Any = data.View(self.plan, self.entry)
        words = [Cat(rank.expert, Const(0, 16))[:16] for rank in ranks]
        entries = [Cat(word, rank.weight) for word, rank in zip(words, ranks, strict=True)]
        mask = Cat((rank < used).replicate(_RANK_BITS) for rank in range(len(entries)))
        entry = Signal(len(entries) * _RANK_BITS)
        m.d.comb += entry.eq(Cat(*entries) & mask)
        with m.Switch(self.level):
            for level in range(BEAT // _RANK_BITS):
                with m.Case(level):
                    clean = self.held[: level * _RANK_BITS]
                    m.d.sync += self.held.eq(Cat(clean, entry))
        m.d.sync += self.level.eq(self.level + used)
