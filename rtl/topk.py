"""The K largest logits of a token, one logit a cycle, for any number of experts.

Golden ``gate.top_experts``: a sorted list with strict comparison; experts come in rising order,
so that of equal logits the lower index stays in front.
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.errors import ConfigurationError
from m3vit.rtl.library import register

LOGIT_BITS = 32


class TopK(Component):
    """Sorted list of ``top_k`` entries.

    Ports: ``z`` int32, ``index``, ``valid``, ``first`` expert of a token; ``best`` int32 [K],
    ``indices`` [K], ``present`` [K], largest first.  Latency: 2 cycles from a logit to the list
    with it; the list stays until the next token's first logit has come through.
    """

    LATENCY = 2

    def __init__(self, *, top_k: int, index_bits: int) -> None:
        if top_k < 1:
            raise ConfigurationError(f"topk: top_k must be 1 or more, not {top_k}")
        self.top_k, self.index_bits = top_k, index_bits
        self.module_name = f"topk_k{top_k}_i{index_bits}"
        super().__init__(
            {
                "z": In(LOGIT_BITS),
                "index": In(index_bits),
                "valid": In(1),
                "first": In(1),
                "best": Out(top_k * LOGIT_BITS),
                "indices": Out(top_k * index_bits),
                "present": Out(top_k),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Compare against registers only; entries below the place move down."""
        m = Module()
        z, index = register(LOGIT_BITS, "z_held"), register(self.index_bits, "index_held")
        valid, first = Signal(), register(1, "first_held")
        m.d.sync += [z.eq(self.z), index.eq(self.index), valid.eq(self.valid)]
        m.d.sync += first.eq(self.first)
        best = [register(LOGIT_BITS, f"best{k}") for k in range(self.top_k)]
        ids = [register(self.index_bits, f"id{k}") for k in range(self.top_k)]
        present = Signal(self.top_k)
        above = Signal(self.top_k)
        for k in range(self.top_k):
            m.d.comb += above[k].eq(first | ~present[k] | (z.as_signed() > best[k].as_signed()))
            entry, name = (z, index), (best[k], ids[k])
            if k:
                inherit = above[k - 1]
                entry = (Mux(inherit, best[k - 1], z), Mux(inherit, ids[k - 1], index))
            with m.If(valid & above[k]):
                m.d.sync += [name[0].eq(entry[0]), name[1].eq(entry[1])]
        with m.If(valid):
            m.d.sync += present.eq(Mux(first, 1, Cat(1, present[:-1])))
        m.d.comb += [
            self.best.eq(Cat(*best)),
            self.indices.eq(Cat(*ids)),
            self.present.eq(present),
        ]
        return m
