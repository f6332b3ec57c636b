"""RES: the residual stream in eight banks, and the address of its words."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.formats import RESIDUAL_BITS
from m3vit.hw.machine import MachineConfig
from m3vit.rtl.library import delayed, register
from m3vit.rtl.memory import Memory

BANKS, CHANNELS = 8, 16
WORD_BITS = RESIDUAL_BITS * CHANNELS


def store_depth(machine: MachineConfig) -> int:
    """Words of a bank."""
    return -(-machine.activation_bytes // (BANKS * CHANNELS))


def place_layout(machine: MachineConfig) -> data.StructLayout:
    """Where a word lies."""
    return data.StructLayout({"bank": 3, "row": (store_depth(machine) - 1).bit_length()})


def row_of(word: Value, token: Value, pairs: Value) -> Value:
    """Row (2 * (word div 8) + (token odd)) * pairs + token div 2."""
    factor = Cat(token[0], word[3:])
    return sum((Mux(factor[i], pairs << i, 0) for i in range(len(factor))), token >> 1)


class ResidualStore(Component):
    """Words of 16 channels of int18; a read and a write port a bank.

    Ports: ``read<i>`` / ``write<i>`` of the retire unit's two members are never refused: they are
    always in different banks.  ``side_read`` of other units is taken when ``side_read_ready``, that
    is unless the retire unit reads the bank.  ``side_write`` comes only while nothing is retired:
    DMA into RES runs alone.  ``data<i>`` and ``side_data`` come ``LATENCY`` cycles after their
    reads.
    """

    LATENCY = 3

    def __init__(self, machine: MachineConfig) -> None:
        self.depth = store_depth(machine)
        place = place_layout(machine)
        ports: dict[str, Any] = {}
        for name in ("read0", "read1", "side_read"):
            ports |= {name: In(1), f"{name}_place": In(place)}
        for name in ("write0", "write1", "side_write"):
            ports |= {name: In(1), f"{name}_place": In(place), f"{name}_data": In(WORD_BITS)}
        super().__init__(
            {
                **ports,
                "side_read_ready": Out(1),
                "data0": Out(WORD_BITS),
                "data1": Out(WORD_BITS),
                "side_data": Out(WORD_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Banks and the three results' multiplexers."""
        m = Module()
        self._grant(m)
        words = [self._bank(m, index) for index in range(BANKS)]
        for port, name in (("read0", "data0"), ("read1", "data1"), ("side_read", "side_data")):
            pick = delayed(m, getattr(self, f"{port}_place").bank, 2, f"{port}_bank")
            held = register(WORD_BITS, f"{name}_held")
            m.d.sync += held.eq(Cat(*words).word_select(pick, WORD_BITS))
            m.d.comb += getattr(self, name).eq(held)
        return m

    def _grant(self, m: Module) -> None:
        side = self.side_read_place.bank
        taken = [
            getattr(self, f"read{member}") & (getattr(self, f"read{member}_place").bank == side)
            for member in range(2)
        ]
        m.d.comb += self.side_read_ready.eq(~(taken[0] | taken[1]))

    def _uses(self, m: Module, name: str, index: int) -> Signal:
        uses = Signal(name=f"{name}_uses{index}")
        m.d.comb += uses.eq(getattr(self, name) & (getattr(self, f"{name}_place").bank == index))
        return uses

    def _bank(self, m: Module, index: int) -> Value:
        bank = Memory(depth=self.depth, width=WORD_BITS, style="ultra", latency=2)
        m.submodules[f"bank{index}"] = bank
        reads = [self._uses(m, f"read{member}", index) for member in range(2)]
        writes = [self._uses(m, f"write{member}", index) for member in range(2)]
        side = self._uses(m, "side_write", index)

        def chosen(uses: list[Signal], kind: str, field: str) -> Value:
            first, second, other = (
                getattr(self, f"{port}_place").row
                if field == "row"
                else getattr(self, f"{port}_data")
                for port in (f"{kind}0", f"{kind}1", f"side_{kind}")
            )
            return Mux(uses[0], first, Mux(uses[1], second, other))

        m.d.comb += [
            bank.ra0.eq(chosen(reads, "read", "row")),
            bank.wa.eq(chosen(writes, "write", "row")),
            bank.wd.eq(chosen(writes, "write", "data")),
            bank.we.eq(writes[0] | writes[1] | side),
        ]
        return bank.rd0
