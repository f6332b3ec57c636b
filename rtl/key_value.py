"""K and V of a group's head: one load step a word, written a few bytes at a time."""

from amaranth.hdl import Cat, Module
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.machine import MachineConfig
from m3vit.rtl.library import register
from m3vit.rtl.loader import KV_LATENCY, kv_depth
from m3vit.rtl.memory import Memory


class KeyValue(Component):
    """Ports: ``address`` to ``data`` (``KV_LATENCY`` cycles); ``write_mask`` a bit a byte, byte
    (column, chain) = column * chains + chain; K in the lower half, V in the upper.
    """

    LATENCY = KV_LATENCY

    def __init__(self, machine: MachineConfig) -> None:
        self.depth, self.word = kv_depth(machine), machine.chains * machine.columns
        self.module_name = f"key_value_w{self.word}_d{self.depth}"
        super().__init__(
            {
                "address": In(range(self.depth)),
                "data": Out(8 * self.word),
                "write_address": In(range(self.depth)),
                "write_mask": In(self.word),
                "write_data": In(8 * self.word),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One memory; the write is registered."""
        m = Module()
        m.submodules.store = store = Memory(
            depth=self.depth, width=8 * self.word, style="ultra", latency=2, granularity=8
        )
        for port, name in ((store.wa, "address"), (store.wd, "data")):
            held = register(len(port), f"write_{name}_held")
            m.d.sync += held.eq(getattr(self, f"write_{name}"))
            m.d.comb += port.eq(held)
        mask = Cat(self.write_mask)
        enables = register(self.word, "enables")
        m.d.sync += enables.eq(mask)
        m.d.comb += [
            store.we.eq(enables),
            store.ra0.eq(self.address),
            self.data.eq(store.rd0),
        ]
        return m
