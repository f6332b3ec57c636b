"""Every memory and table of the machine: one write port or none, read ports of a stated latency.

No port is transparent: a read of the address that is written in the same cycle returns the old
word, in every style and in simulation alike (block RAM in read-first mode; ultra RAM serves its
reading port first).
"""

from collections.abc import Sequence

from amaranth.hdl import Module, Signal
from amaranth.lib import memory
from amaranth.lib.wiring import Component, In, Member, Out

from m3vit.hw.errors import ConfigurationError
from m3vit.rtl.library import register

STYLES = ("distributed", "block", "ultra")


class Memory(Component):
    """``depth`` words of ``width`` bits.

    Latency ``latency``: 1 (the read register) or 2 (the block's output register).  Write enables
    cover ``granularity`` bits each.  Ports: ``we``, ``wa``, ``wd`` (unless it is a table that is
    not ``writable``), and ``ra<i>``, ``rd<i>`` for each of ``readers``.  ``shared``: the write
    goes through reader 0's port, at ``ra0``, and nothing is read there in a cycle that writes: two
    readers and a writer fit a block with two ports.

    Raises:
        ConfigurationError: a size, style or latency is out of range.
    """

    def __init__(
        self,
        *,
        depth: int,
        width: int,
        style: str,
        latency: int = 1,
        readers: int = 1,
        granularity: int | None = None,
        contents: Sequence[int] = (),
        writable: bool = True,
        shared: bool = False,
    ) -> None:
        grain = granularity or width
        _require(depth >= 1, "depth", "1 or more", depth)
        _require(style in STYLES, "style", f"one of {', '.join(STYLES)}", style)
        _require(latency in (1, 2), "latency", "1 or 2", latency)
        _require(width % grain == 0, "width", f"a multiple of the granularity {grain}", width)
        _require(not (contents and style == "ultra"), "contents", "none in ultra RAM", "some")
        self.depth, self.width, self.style, self.latency = depth, width, style, latency
        self.readers, self.grain, self.contents = readers, grain, tuple(contents)
        self.writable, self.shared = writable, shared
        self.address_bits = max(1, (depth - 1).bit_length())
        ports: dict[str, Member] = {}
        if writable:
            ports |= {"we": In(width // grain), "wd": In(width)}
            ports |= {} if shared else {"wa": In(self.address_bits)}
        for reader in range(readers):
            ports |= {f"ra{reader}": In(self.address_bits), f"rd{reader}": Out(width)}
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """Amaranth's memory with its ports tied to ours."""
        m = Module()
        m.submodules.store = store = memory.Memory(
            shape=self.width,
            depth=self.depth,
            init=self.contents,
            attrs={"ram_style": self.style},
        )
        if self.writable:
            write = store.write_port(granularity=self.grain)
            address = self.ra0 if self.shared else self.wa
            m.d.comb += [write.en.eq(self.we), write.addr.eq(address), write.data.eq(self.wd)]
        for reader in range(self.readers):
            read = store.read_port(transparent_for=())
            m.d.comb += read.addr.eq(getattr(self, f"ra{reader}"))
            if self.shared and reader == 0:
                m.d.comb += read.en.eq(self.we == 0)
            data: Signal = getattr(self, f"rd{reader}")
            if self.latency == 1:
                m.d.comb += data.eq(read.data)
            else:
                held = register(self.width, f"held{reader}")
                m.d.sync += held.eq(read.data)
                m.d.comb += data.eq(held)
        return m


def _require(condition: bool, name: str, expected: str, got: object) -> None:
    if not condition:
        raise ConfigurationError(f"memory: {name} must be {expected}, not {got}")
