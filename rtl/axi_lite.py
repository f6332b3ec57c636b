"""The handshakes of an AXI4-Lite slave, turned into single register accesses."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import Component, In, Member, Out

from m3vit.hw.register_fields import SPACE_BYTES, WORD_BITS, WORD_BYTES

ADDRESS_BITS = (SPACE_BYTES - 1).bit_length()
INDEX_BITS = ADDRESS_BITS - (WORD_BYTES - 1).bit_length()


def slave_ports() -> dict[str, Member]:
    """AXI4-Lite as a slave sees it; responses are always OKAY."""
    inputs = {
        "awaddr": ADDRESS_BITS,
        "awprot": 3,
        "awvalid": 1,
        "wdata": WORD_BITS,
        "wstrb": WORD_BYTES,
        "wvalid": 1,
        "bready": 1,
        "araddr": ADDRESS_BITS,
        "arprot": 3,
        "arvalid": 1,
        "rready": 1,
    }
    outputs = {
        "awready": 1,
        "wready": 1,
        "bresp": 2,
        "bvalid": 1,
        "arready": 1,
        "rdata": WORD_BITS,
        "rresp": 2,
        "rvalid": 1,
    }
    return {f"s_axi_{name}": In(bits) for name, bits in inputs.items()} | {
        f"s_axi_{name}": Out(bits) for name, bits in outputs.items()
    }


class AxiLiteSlave(Component):
    """One access at a time in each direction.

    Ports: AXI4-Lite; ``write`` for one cycle with ``write_index`` (word number), ``write_data``
    and ``write_bits`` (the bits whose byte strobes are set); ``read`` for one cycle with
    ``read_index``, answered by ``read_data`` ``read_latency`` cycles later.
    """

    def __init__(self, read_latency: int) -> None:
        self.read_latency = read_latency
        super().__init__(
            {
                **slave_ports(),
                "write": Out(1),
                "write_index": Out(INDEX_BITS),
                "write_data": Out(WORD_BITS),
                "write_bits": Out(WORD_BITS),
                "read": Out(1),
                "read_index": Out(INDEX_BITS),
                "read_data": In(WORD_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Address and data of a write are taken in either order."""
        m = Module()
        self._writes(m)
        self._reads(m)
        return m

    def _writes(self, m: Module) -> None:
        address, data, strobe = Signal(INDEX_BITS), Signal(WORD_BITS), Signal(WORD_BYTES)
        has_address, has_data, answer = Signal(), Signal(), Signal()
        act = has_address & has_data & ~answer
        with m.If(self.s_axi_awvalid & self.s_axi_awready):
            m.d.sync += [address.eq(self.s_axi_awaddr[-INDEX_BITS:]), has_address.eq(1)]
        with m.If(self.s_axi_wvalid & self.s_axi_wready):
            m.d.sync += [data.eq(self.s_axi_wdata), strobe.eq(self.s_axi_wstrb), has_data.eq(1)]
        with m.If(act):
            m.d.sync += [has_address.eq(0), has_data.eq(0), answer.eq(1)]
        with m.Elif(self.s_axi_bready):
            m.d.sync += answer.eq(0)
        m.d.comb += [
            self.s_axi_awready.eq(~has_address),
            self.s_axi_wready.eq(~has_data),
            self.s_axi_bvalid.eq(answer),
            self.write.eq(act),
            self.write_index.eq(address),
            self.write_data.eq(data),
            self.write_bits.eq(Cat(bit.replicate(8) for bit in strobe)),
        ]

    def _reads(self, m: Module) -> None:
        index, busy, answer = Signal(INDEX_BITS), Signal(), Signal()
        pending = Signal(self.read_latency + 1)
        data = Signal(WORD_BITS)
        take = self.s_axi_arvalid & self.s_axi_arready
        m.d.sync += pending.eq(Cat(take, pending[:-1]))
        with m.If(take):
            m.d.sync += [index.eq(self.s_axi_araddr[-INDEX_BITS:]), busy.eq(1)]
        with m.If(pending[-1]):
            m.d.sync += [data.eq(self.read_data), answer.eq(1)]
        with m.Elif(answer & self.s_axi_rready):
            m.d.sync += [answer.eq(0), busy.eq(0)]
        m.d.comb += [
            self.s_axi_arready.eq(~busy),
            self.s_axi_rvalid.eq(answer),
            self.s_axi_rdata.eq(data),
            self.read.eq(pending[0]),
            self.read_index.eq(index),
        ]
