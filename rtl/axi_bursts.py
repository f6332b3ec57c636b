"""Cuts a region into AXI4 bursts that never cross their own size, so never a 4 KiB page."""

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.errors import ConfigurationError

ADDRESS_BITS = 48
LENGTH_BITS = 24
"""Bits of a region's length in beats."""

PAGE_BYTES = 4096


class BurstSplitter(Component):
    """Regions in, bursts out.

    Ports: ``valid``, ``ready``, ``address`` (bytes, a multiple of the beat), ``beats`` (1 or
    more); ``burst_valid``, ``burst_ready``, ``burst_address``, ``burst_length`` = beats - 1
    (AxLEN), ``burst_last`` of its region.
    """

    def __init__(self, *, data_bits: int, burst_beats: int) -> None:
        size = data_bits // 8
        if burst_beats & (burst_beats - 1) or not 2 <= burst_beats * size <= PAGE_BYTES:
            raise ConfigurationError(
                f"burst_beats must be a power of two up to {PAGE_BYTES // size}, not {burst_beats}"
            )
        self.burst_beats, self.beat_bits = burst_beats, (size - 1).bit_length()
        super().__init__(
            {
                "valid": In(1),
                "ready": Out(1),
                "address": In(ADDRESS_BITS),
                "beats": In(LENGTH_BITS),
                "burst_valid": Out(1),
                "burst_ready": In(1),
                "burst_address": Out(ADDRESS_BITS),
                "burst_length": Out(8),
                "burst_last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The region's rest is kept in beats; every second cycle makes a burst."""
        m = Module()
        place, left = Signal(ADDRESS_BITS - self.beat_bits), Signal(LENGTH_BITS)
        offset_bits = (self.burst_beats - 1).bit_length()
        room = Const(self.burst_beats, offset_bits + 1) - place[:offset_bits]
        most = Mux(left < room, left, room)[: offset_bits + 1]
        size, valid = Signal(offset_bits + 1), Signal()
        sent = self.burst_valid & self.burst_ready
        m.d.comb += [
            self.ready.eq(left == 0),
            self.burst_valid.eq(valid),
            self.burst_address[self.beat_bits :].eq(place),
            self.burst_length.eq(size - 1),
            self.burst_last.eq(left == size),
        ]
        with m.If(self.valid & self.ready):
            m.d.sync += [place.eq(self.address[self.beat_bits :]), left.eq(self.beats)]
        with m.Elif(sent):
            m.d.sync += [place.eq(place + size), left.eq(left - size), valid.eq(0)]
        with m.Elif((left != 0) & ~valid):
            m.d.sync += [size.eq(most), valid.eq(1)]
        return m
