"""The routing plan on chip: a record a token, and which experts have tokens at all."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from m3vit.rtl.memory import Memory

WEIGHT_BITS = 16


def record(top_k: int, index_bits: int) -> data.ArrayLayout:
    """K ranks: whether the rank is used, its expert and its gate score."""
    rank = data.StructLayout({"present": 1, "expert": index_bits, "weight": WEIGHT_BITS})
    return data.ArrayLayout(rank, top_k)


class PlanStore(Component):
    """Records by token.

    Ports: ``clear`` forgets all experts and tokens; ``we``, ``token``, ``entry`` (see record);
    ``ra`` reads a token's ``read`` record ``READ_LATENCY`` cycles later (the list builder and
    DMA share the port); ``live`` one bit an expert; ``written`` records since ``clear``.
    """

    READ_LATENCY = 2

    def __init__(self, *, max_tokens: int, max_experts: int, top_k: int) -> None:
        self.max_tokens, self.max_experts, self.top_k = max_tokens, max_experts, top_k
        self.index_bits = max(1, (max_experts - 1).bit_length())
        self.layout = record(top_k, self.index_bits)
        self.token_bits = max(1, (max_tokens - 1).bit_length())
        super().__init__(
            {
                "clear": In(1),
                "we": In(1),
                "token": In(self.token_bits),
                "entry": In(self.layout.size),
                "ra": In(self.token_bits),
                "read": Out(self.layout.size),
                "live": Out(max_experts),
                "written": Out(self.token_bits + 1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Ultra RAM; the live bits follow one cycle later."""
        m = Module()
        m.submodules.store = store = Memory(
            depth=self.max_tokens,
            width=self.layout.size,
            style="ultra",
            latency=self.READ_LATENCY,
        )
        m.d.comb += [
            store.we.eq(self.we),
            store.wa.eq(self.token),
            store.wd.eq(self.entry),
            store.ra0.eq(self.ra),
            self.read.eq(store.rd0),
        ]
        m.d.sync += self.written.eq(Mux(self.clear, 0, self.written + self.we))
        self._mark(m)
        return m

    def _mark(self, m: Module) -> None:
        ranks = data.View(self.layout, self.entry)
        chosen = [Signal(self.max_experts, name=f"chosen{k}") for k in range(self.top_k)]
        for one, rank in zip(chosen, ranks, strict=True):
            m.d.sync += one.eq((rank.present & self.we) << rank.expert)
        any_rank = Cat(
            Cat(one[expert] for one in chosen).any() for expert in range(self.max_experts)
        )
        m.d.sync += self.live.eq(Mux(self.clear, 0, self.live | any_rank))
