"""One stream of regions over several memory ports: slices of 1 KiB in turn, put together in order.

A port carries 16 bytes a cycle.  Each port's slices wait in its own queue of 64-byte words, so
that all ports work at once while one queue after the other is emptied at 64 bytes a cycle.
"""

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.layout.sizes import SLICE_BYTES
from m3vit.rtl.axi_bursts import ADDRESS_BITS, LENGTH_BITS
from m3vit.rtl.axi_read import TAG_BITS
from m3vit.rtl.fifo import Fifo
from m3vit.rtl.library import shared
from m3vit.rtl.ring import BEAT_BYTES

WORDS = SLICE_BYTES // BEAT_BYTES
"""Words of a slice that starts at a multiple of its size."""

PORT_BITS = 128
_PIECES = 8 * BEAT_BYTES // PORT_BITS
QUEUE = 2 * WORDS
_ENTRY = 6
"""Bits of a slice in the order: its words and whose it is."""


class Slices(Component):
    """Ports: regions ``valid``, ``ready``, ``address`` (a multiple of 64), ``words`` of 64 bytes;
    the same by port for AxiRead (``beats`` of 16 bytes), and its data; ``out`` in region order,
    with ``out_rows`` = ``rows`` of its region.
    ``waiting``: there is room and the memory has not answered.
    """

    def __init__(self, ports: int) -> None:
        self.ports = ports
        each: dict[str, Any] = {}
        for number in range(ports):
            each |= {
                f"valid{number}": Out(1),
                f"ready{number}": In(1),
                f"address{number}": Out(ADDRESS_BITS),
                f"beats{number}": Out(LENGTH_BITS),
                f"tag{number}": Out(TAG_BITS),
                f"data_valid{number}": In(1),
                f"data_ready{number}": Out(1),
                f"data{number}": In(PORT_BITS),
            }
        super().__init__(
            {
                "valid": In(1),
                "ready": Out(1),
                "address": In(ADDRESS_BITS),
                "words": In(LENGTH_BITS),
                "tag": In(TAG_BITS),
                "rows": In(1),
                **each,
                "out": Out(stream.Signature(8 * BEAT_BYTES)),
                "out_rows": Out(1),
                "waiting": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Cut, remember the lengths, collect."""
        m = Module()
        order = Fifo(width=_ENTRY, depth=16)
        order_in, size, rows = Signal(), Signal(5), Signal()
        order_out: dict[str, Signal] = {
            "w_ready": Signal(name="order_room"),
            "r_valid": Signal(name="order_valid"),
            "r_data": Signal(_ENTRY, name="order_words"),
            "level": Signal(5, name="order_level"),
            "r_ready": Signal(name="order_next"),
        }
        m.submodules.order = shared(order, w_valid=order_in, w_data=Cat(size, rows), **order_out)
        self._cut(m, order_in, size, order_out["w_ready"])
        with m.If(self.valid & self.ready):
            m.d.sync += rows.eq(self.rows)
        queues = [self._collect(m, number) for number in range(self.ports)]
        self._join(m, queues, order_out)
        return m

    def _cut(self, m: Module, give: Signal, size: Signal, room: Signal) -> None:
        left, place, tag = Signal(LENGTH_BITS), Signal(ADDRESS_BITS), Signal(TAG_BITS)
        turn = Signal(range(self.ports))
        reach = Signal(5)
        accepts = Array(getattr(self, f"ready{number}") for number in range(self.ports))
        m.d.comb += [
            reach.eq(WORDS - place[6:10]),
            size.eq(Mux(left < reach, left, reach)),
            self.ready.eq(left == 0),
            give.eq((left != 0) & room & accepts[turn]),
        ]
        for number in range(self.ports):
            m.d.comb += [
                getattr(self, f"valid{number}").eq((left != 0) & room & (turn == number)),
                getattr(self, f"address{number}").eq(place),
                getattr(self, f"beats{number}").eq(size * _PIECES),
                getattr(self, f"tag{number}").eq(tag),
            ]
        with m.If(self.valid & self.ready):
            m.d.sync += [left.eq(self.words), place.eq(self.address), tag.eq(self.tag)]
        with m.Elif(give):
            m.d.sync += [
                left.eq(left - size),
                place.eq(place + (size << 6)),
                turn.eq(Mux(turn == self.ports - 1, 0, turn + 1)),
            ]

    def _collect(self, m: Module, number: int) -> dict[str, Signal]:
        """Four beats make a word."""
        width = 8 * BEAT_BYTES
        word, count = Signal(width, name=f"word{number}", reset_less=True), Signal(3)
        queue = {
            name: Signal(bits, name=f"queue{number}_{name}")
            for name, bits in {
                "w_valid": 1,
                "w_ready": 1,
                "r_valid": 1,
                "r_ready": 1,
                "r_data": width,
                "level": QUEUE.bit_length(),
            }.items()
        }
        block = Fifo(width=width, depth=QUEUE)
        m.submodules[f"queue{number}"] = shared(block, w_data=word, **queue)
        full = count == _PIECES
        gives, ready = full & queue["w_ready"], getattr(self, f"data_ready{number}")
        takes = getattr(self, f"data_valid{number}") & ready
        m.d.comb += [queue["w_valid"].eq(full), ready.eq(~full | gives)]
        m.d.sync += count.eq(Mux(gives, 0, count) + takes)
        with m.If(takes):
            m.d.sync += word.eq(Cat(word[PORT_BITS:], getattr(self, f"data{number}")))
        return queue

    def _join(self, m: Module, queues: list[dict[str, Signal]], order: dict[str, Signal]) -> None:
        turn, done = Signal(range(self.ports)), Signal(5)
        valids = Array(queue["r_valid"] for queue in queues)
        words = Array(queue["r_data"] for queue in queues)
        last = done == order["r_data"][:5] - Const(1, 5)
        moves = self.out.valid & self.out.ready
        m.d.comb += [
            self.out.valid.eq(valids[turn] & order["r_valid"]),
            self.out.payload.eq(words[turn]),
            self.out_rows.eq(order["r_data"][5]),
            order["r_ready"].eq(moves & last),
            self.waiting.eq(self.out.ready & order["r_valid"] & ~valids[turn]),
        ]
        for number, queue in enumerate(queues):
            m.d.comb += queue["r_ready"].eq(moves & (turn == number))
        with m.If(moves):
            m.d.sync += done.eq(Mux(last, 0, done + 1))
            with m.If(last):
                m.d.sync += turn.eq(Mux(turn == self.ports - 1, 0, turn + 1))
