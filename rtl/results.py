"""The results' FIFO: a pair's values of 18 bits and where they go."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.formats import RESIDUAL_BITS
from m3vit.hw.machine import MachineConfig
from m3vit.rtl.memory import Memory
from m3vit.rtl.operand import Entry
from m3vit.rtl.passes import NUMBER_BITS, PAIR_BITS, TOKEN_BITS, Post

ROW_BITS = 13

Target = data.StructLayout(
    {
        "post": Post,
        "pair": PAIR_BITS,
        "both": 1,
        "entry": Entry,
        "tokens": TOKEN_BITS,
        "first_token": TOKEN_BITS,
        "gather": 1,
        "column": 7,
        "group_step": 4,
        "limit": 7,
        "weighted": 1,
        "guard": 3,
        "final": 1,
        "number": NUMBER_BITS,
        "publish": 1,
        "row": ROW_BITS,
    }
)
"""Where a pair's results go; fields as in Control.  row: first row of the block of 8 units of 16
channels that holds ``column``, of token 0 of its store (QOH or RES)."""

FROM_CONTROL = (
    "post pair both tokens first_token gather column group_step limit weighted guard final "
    "number publish"
).split()


def result_layout(machine: MachineConfig) -> data.StructLayout:
    """values: [G][2][C] of 18 bits."""
    return data.StructLayout({"values": 2 * machine.panel * RESIDUAL_BITS, "target": Target})


def depth_of(machine: MachineConfig) -> int:
    """Two passes of results."""
    return 2 << (machine.accumulator_pairs - 1).bit_length()


class Results(Component):
    """``write`` of ``value`` is never refused: issue keeps room.  Two cycles from in to out, then
    one result a cycle.  ``left``: a result has been taken.
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.layout, self.depth = result_layout(machine), depth_of(machine)
        super().__init__(
            {
                "write": In(1),
                "value": In(self.layout),
                "out": Out(stream.Signature(self.layout)),
                "left": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A memory whose read register is the output: it reads what will be first next cycle."""
        m = Module()
        width = Value.cast(self.value).shape().width
        m.submodules.store = store = Memory(depth=self.depth, width=width, style="distributed")
        bits = store.address_bits
        head, tail, level = Signal(bits), Signal(bits), Signal(bits + 1)
        takes, following = Signal(), Signal(bits)
        m.d.comb += [
            takes.eq(self.out.valid & self.out.ready),
            following.eq(tail + takes),
            store.we.eq(self.write),
            store.wa.eq(head),
            store.wd.eq(Value.cast(self.value)),
            store.ra0.eq(following),
            Value.cast(self.out.payload).eq(store.rd0),
            self.left.eq(takes),
        ]
        m.d.sync += [
            head.eq(head + self.write),
            tail.eq(following),
            level.eq(level + self.write - takes),
            self.out.valid.eq(Mux(takes, level > 1, level != 0)),
        ]
        return m
