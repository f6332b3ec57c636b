"""XN and QOH: int8 activations in four banks of 32 channels."""

from amaranth.hdl import Cat, Const, Module, Mux, Value
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.machine import MachineConfig
from m3vit.rtl.library import delayed, lanes, register
from m3vit.rtl.memory import Memory

BANKS, CHANNELS, GRAIN = 4, 32, 8
WORD_BITS = 8 * CHANNELS


class Activations(Component):
    """Word k (32 channels) of token t: bank k mod 4, row (k div 4) * T + t.

    Ports: the array's ``bank``, ``row0``, ``row1`` with ``enable`` (never refused); another
    reader's ``side_*``, taken when ``side_ready``; ``data0``, ``data1`` ``LATENCY`` cycles after
    either.  ``write`` with ``write_mask`` (8 channels a bit) waits for ``write_ready``: a bank that
    is being read through both ports of its ultra RAM cannot be written.
    """

    LATENCY = 3

    def __init__(self, machine: MachineConfig) -> None:
        self.depth = -(-machine.activation_bytes // (BANKS * CHANNELS))
        bits = (self.depth - 1).bit_length()
        reader = {"enable": In(1), "bank": In(2), "row0": In(bits), "row1": In(bits)}
        super().__init__(
            {
                **reader,
                **{f"side_{name}": port for name, port in reader.items()},
                "side_ready": Out(1),
                "data0": Out(WORD_BITS),
                "data1": Out(WORD_BITS),
                "write": In(1),
                "write_ready": Out(1),
                "write_bank": In(2),
                "write_row": In(bits),
                "write_data": In(WORD_BITS),
                "write_mask": In(CHANNELS // GRAIN),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Banks behind two multiplexers."""
        m = Module()
        names = ("bank", "row0", "row1")
        chosen = {
            name: Mux(self.enable, getattr(self, name), getattr(self, f"side_{name}"))
            for name in names
        }
        reads = self.enable | self.side_enable
        m.d.comb += [
            self.side_ready.eq(~self.enable),
            self.write_ready.eq(~(reads & (chosen["bank"] == self.write_bank))),
        ]
        found: list[list[Value]] = [[], []]
        for index in range(BANKS):
            bank = Memory(
                depth=self.depth,
                width=WORD_BITS,
                style="ultra",
                latency=2,
                readers=2,
                granularity=8 * GRAIN,
            )
            m.submodules[f"bank{index}"] = bank
            written = self.write & self.write_ready & (self.write_bank == index)
            m.d.comb += [
                bank.ra0.eq(chosen["row0"]),
                bank.ra1.eq(chosen["row1"]),
                bank.wa.eq(self.write_row),
                bank.wd.eq(self.write_data),
                bank.we.eq(Mux(written, self.write_mask, 0)),
            ]
            found[0].append(bank.rd0)
            found[1].append(bank.rd1)
        pick = delayed(m, chosen["bank"], 2, "bank")
        for member, words in enumerate(found):
            held = register(WORD_BITS, f"data{member}_held")
            m.d.sync += held.eq(Cat(*words).word_select(pick, WORD_BITS))
            m.d.comb += getattr(self, f"data{member}").eq(held)
        return m


def unit_address(unit: Value, token: Value, step: Value) -> tuple[Value, Value, Value]:
    """Bank, row and half of the 16 channels number ``unit`` of ``token``; ``step`` = T."""
    word = unit[1:]
    blocks = word[2:]
    row = sum((Mux(blocks[i], step << i, 0) for i in range(len(blocks))), token)
    return word[:2], row, unit[0]


def in_half(values: Value, half: Value) -> tuple[Value, Value]:
    """A word and its mask with 16 channels in one half."""
    assert len(values) * 2 == WORD_BITS
    mask = Mux(half, Const(0b1100, 4), Const(0b0011, 4))
    return Cat(values, values), mask


def half_of(word: Value, half: Value) -> Value:
    """16 of 32 channels."""
    low, high = lanes(word, WORD_BITS // 2)
    return Mux(half, high, low)
