"""A first-in first-out queue in LUTRAM or block RAM, its output registered."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.errors import ConfigurationError
from m3vit.rtl.memory import Memory


class Fifo(Component):
    """``depth`` words of ``width`` bits, in order.

    Ports: ``w_valid``, ``w_ready``, ``w_data``; ``r_valid``, ``r_ready``, ``r_data``; ``level``
    words held.  A word moves where valid and ready are both set; ``r_data`` stays until then.
    Latency: 2 cycles from an empty queue's write to ``r_valid``.
    """

    def __init__(self, *, width: int, depth: int, style: str = "distributed") -> None:
        if depth < 2 or depth & (depth - 1):
            raise ConfigurationError(f"fifo: depth must be a power of two from 2, not {depth}")
        self.width, self.depth, self.style = width, depth, style
        self.module_name = f"fifo_w{width}_d{depth}_{style}"
        super().__init__(
            {
                "w_valid": In(1),
                "w_ready": Out(1),
                "w_data": In(width),
                "r_valid": Out(1),
                "r_ready": In(1),
                "r_data": Out(width),
                "level": Out(depth.bit_length()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The memory's read register is the output; its address runs one word ahead."""
        m = Module()
        m.submodules.store = store = Memory(depth=self.depth, width=self.width, style=self.style)
        head, tail = Signal(store.address_bits), Signal(store.address_bits)
        level, valid = Signal(self.depth.bit_length()), Signal()
        push, pop = self.w_valid & self.w_ready, self.r_ready & valid
        m.d.comb += [
            self.w_ready.eq(level != self.depth),
            self.r_valid.eq(valid),
            self.r_data.eq(store.rd0),
            self.level.eq(level),
            store.we.eq(push),
            store.wa.eq(tail),
            store.wd.eq(self.w_data),
            store.ra0.eq(head + pop),
        ]
        m.d.sync += [
            head.eq(head + pop),
            tail.eq(tail + push),
            level.eq(level + push - pop),
            valid.eq(Mux(pop, level > 1, level > 0)),
        ]
        return m
