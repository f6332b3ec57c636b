"""AXI4 write master: a stream of beats into regions of memory, in order."""

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Component, In, Member, Out

from m3vit.rtl.axi_bursts import ADDRESS_BITS, LENGTH_BITS, BurstSplitter
from m3vit.rtl.axi_read import BURST_INCREMENT, CACHE


class AxiWrite(Component):
    """One port.

    Ports: AXI4 write channels (``m_axi_``, one identity); regions ``valid``, ``ready``,
    ``address``, ``beats``; data ``data_valid``, ``data_ready``, ``data``; ``error`` set by a
    response that is not OKAY, until ``clear``; ``hold`` stops new bursts and fills those under way
    with beats that write nothing, whether anybody gives data or not; ``idle``: every region has
    been written and answered; ``quiet``: no burst is under way, a region may wait (then a reset
    loses it without harm).

    A burst's address goes out before its data; up to ``outstanding`` answers are awaited.
    """

    def __init__(self, *, data_bits: int, burst_beats: int = 64, outstanding: int = 8) -> None:
        self.data_bits, self.outstanding = data_bits, outstanding
        self.splitter = BurstSplitter(data_bits=data_bits, burst_beats=burst_beats)
        self.module_name = f"axi_write_{data_bits}_{burst_beats}_{outstanding}"
        super().__init__(
            {
                "valid": In(1),
                "ready": Out(1),
                "address": In(ADDRESS_BITS),
                "beats": In(LENGTH_BITS),
                "data_valid": In(1),
                "data_ready": Out(1),
                "data": In(data_bits),
                "error": Out(1),
                "clear": In(1),
                "hold": In(1),
                "idle": Out(1),
                "quiet": Out(1),
                **write_ports(data_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One burst's data at a time; answers are only counted."""
        m = Module()
        m.submodules.splitter = split = self.splitter
        awaited, left = Signal(range(self.outstanding + 1)), Signal(9)
        waiting, drains, sending = Signal(), Signal(), Signal()
        start = self.m_axi_awvalid & self.m_axi_awready
        beat = self.m_axi_wvalid & self.m_axi_wready
        answer = self.m_axi_bvalid & self.m_axi_bready
        allowed = (left == 0) & (awaited != self.outstanding)
        with m.If(start):
            m.d.sync += [waiting.eq(0), left.eq(split.burst_length + 1)]
            m.d.sync += sending.eq(1)
        with m.Elif(split.burst_valid & allowed & ~self.hold):
            m.d.sync += waiting.eq(1)  # a burst once offered stays offered
        with m.If(beat):
            m.d.sync += [left.eq(left - 1), sending.eq(left != 1)]
        with m.If(~self.m_axi_wvalid | self.m_axi_wready):  # a beat once offered stays as it is
            m.d.sync += drains.eq(self.hold)
        m.d.sync += awaited.eq(awaited + start - answer)
        with m.If(answer & (self.m_axi_bresp != 0)):
            m.d.sync += self.error.eq(1)
        with m.Elif(self.clear):
            m.d.sync += self.error.eq(0)
        m.d.comb += [
            split.valid.eq(self.valid),
            self.ready.eq(split.ready),
            split.address.eq(self.address),
            split.beats.eq(self.beats),
            split.burst_ready.eq(start),
            self.m_axi_awvalid.eq(waiting),
            self.m_axi_awaddr.eq(split.burst_address),
            self.m_axi_awlen.eq(split.burst_length),
            self.m_axi_awsize.eq((self.data_bits // 8 - 1).bit_length()),
            self.m_axi_awburst.eq(BURST_INCREMENT),
            self.m_axi_awcache.eq(CACHE),
            self.m_axi_wvalid.eq((self.data_valid | drains) & sending),
            self.data_ready.eq(self.m_axi_wready & sending & ~drains),
            self.m_axi_wdata.eq(self.data),
            self.m_axi_wstrb.eq((~drains).replicate(self.data_bits // 8)),
            self.m_axi_wlast.eq(left == 1),
            self.m_axi_bready.eq(1),
            self.quiet.eq((left == 0) & (awaited == 0) & ~waiting),
            self.idle.eq(split.ready & (left == 0) & (awaited == 0)),
        ]
        return m


def write_ports(data_bits: int) -> dict[str, Member]:
    """AXI4 write channels as a master sees them."""
    outputs = {
        "awid": 1,
        "awaddr": ADDRESS_BITS,
        "awlen": 8,
        "awsize": 3,
        "awburst": 2,
        "awcache": 4,
        "awprot": 3,
        "awvalid": 1,
        "wdata": data_bits,
        "wstrb": data_bits // 8,
        "wlast": 1,
        "wvalid": 1,
        "bready": 1,
    }
    inputs = {"awready": 1, "wready": 1, "bid": 1, "bresp": 2, "bvalid": 1}
    return {f"m_axi_{name}": Out(bits) for name, bits in outputs.items()} | {
        f"m_axi_{name}": In(bits) for name, bits in inputs.items()
    }
