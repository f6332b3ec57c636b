"""AXI4 read master: regions of memory as a stream of beats, in order."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import Component, In, Member, Out

from m3vit.rtl.axi_bursts import ADDRESS_BITS, LENGTH_BITS, BurstSplitter
from m3vit.rtl.fifo import Fifo

BURST_INCREMENT = 1
TAG_BITS = 9
"""Of what is remembered with a region: the index of the command that it belongs to."""
CACHE = 0b0011
"""Normal, not cacheable, bufferable."""


class AxiRead(Component):
    """One port.

    Ports: AXI4 read channels (``m_axi_``, one identity); regions ``valid``, ``ready``,
    ``address``, ``beats``; data ``data_valid``, ``data_ready``, ``data``, ``data_last`` of its
    region; ``error`` set by a response that is not OKAY, until ``clear``, with the ``tag`` that
    came with its region as ``error_tag``; ``hold`` stops new bursts and drops what those under
    way bring, whether anybody takes data or not; ``idle``: nothing is to be done; ``quiet``: no
    burst is under way, a region may wait (then a reset loses it without harm).

    Up to ``outstanding`` bursts are under way.
    """

    def __init__(self, *, data_bits: int, burst_beats: int = 64, outstanding: int = 8) -> None:
        self.data_bits, self.outstanding = data_bits, outstanding
        self.splitter = BurstSplitter(data_bits=data_bits, burst_beats=burst_beats)
        self.module_name = f"axi_read_{data_bits}_{burst_beats}_{outstanding}"
        super().__init__(
            {
                "valid": In(1),
                "ready": Out(1),
                "address": In(ADDRESS_BITS),
                "beats": In(LENGTH_BITS),
                "tag": In(TAG_BITS),
                "data_valid": Out(1),
                "data_ready": In(1),
                "data": Out(data_bits),
                "data_last": Out(1),
                "error": Out(1),
                "error_tag": Out(TAG_BITS),
                "clear": In(1),
                "hold": In(1),
                "idle": Out(1),
                "quiet": Out(1),
                **read_ports(data_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Bursts out; the end of a region is remembered by burst."""
        m = Module()
        m.submodules.splitter = split = self.splitter
        m.submodules.ends = ends = Fifo(width=1 + TAG_BITS, depth=self.outstanding)
        under_way = Signal(range(self.outstanding + 1))
        allowed = ends.w_ready & (under_way != self.outstanding)
        waiting, tag = Signal(), Signal(TAG_BITS)
        start = self.m_axi_arvalid & self.m_axi_arready
        beat = self.m_axi_rvalid & self.m_axi_rready
        end = beat & self.m_axi_rlast
        with m.If(start):
            m.d.sync += waiting.eq(0)
        with m.Elif(split.burst_valid & allowed & ~self.hold):
            m.d.sync += waiting.eq(1)  # a burst once offered stays offered
        m.d.sync += under_way.eq(under_way + start - end)
        with m.If(self.valid & self.ready):
            m.d.sync += tag.eq(self.tag)
        with m.If(beat & (self.m_axi_rresp != 0) & ~self.error):
            m.d.sync += [self.error.eq(1), self.error_tag.eq(ends.r_data[1:])]
        with m.Elif(self.clear):
            m.d.sync += self.error.eq(0)
        m.d.comb += [
            split.valid.eq(self.valid),
            self.ready.eq(split.ready),
            split.address.eq(self.address),
            split.beats.eq(self.beats),
            split.burst_ready.eq(start),
            self.m_axi_arvalid.eq(waiting),
            self.m_axi_araddr.eq(split.burst_address),
            self.m_axi_arlen.eq(split.burst_length),
            self.m_axi_arsize.eq((self.data_bits // 8 - 1).bit_length()),
            self.m_axi_arburst.eq(BURST_INCREMENT),
            self.m_axi_arcache.eq(CACHE),
            ends.w_valid.eq(start),
            ends.w_data.eq(Cat(split.burst_last, tag)),
            ends.r_ready.eq(end),
            self.data_valid.eq(self.m_axi_rvalid & ends.r_valid & ~self.hold),
            self.m_axi_rready.eq((self.data_ready | self.hold) & ends.r_valid),
            self.data.eq(self.m_axi_rdata),
            self.data_last.eq(self.m_axi_rlast & ends.r_data[0]),
            self.quiet.eq((under_way == 0) & ~waiting),
            self.idle.eq(split.ready & (under_way == 0)),
        ]
        return m


def read_ports(data_bits: int) -> dict[str, Member]:
    """AXI4 read channels as a master sees them."""
    outputs = {
        "arid": 1,
        "araddr": ADDRESS_BITS,
        "arlen": 8,
        "arsize": 3,
        "arburst": 2,
        "arcache": 4,
        "arprot": 3,
        "arvalid": 1,
        "rready": 1,
    }
    inputs = {"arready": 1, "rid": 1, "rdata": data_bits, "rresp": 2, "rlast": 1, "rvalid": 1}
    return {f"m_axi_{name}": Out(bits) for name, bits in outputs.items()} | {
        f"m_axi_{name}": In(bits) for name, bits in inputs.items()
    }
