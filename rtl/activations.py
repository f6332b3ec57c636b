"""XN and QOH: int8 activations in four banks of 32 channels."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.machine import MachineConfig
from m3vit.rtl.library import delayed, register
from m3vit.rtl.memory import Memory

BANKS, CHANNELS, GRAIN = 4, 32, 8
WORD_BITS = 8 * CHANNELS
MASK_BITS = CHANNELS // GRAIN


def row_bits(machine: MachineConfig) -> int:
    """Of a bank's address."""
    return (_depth(machine) - 1).bit_length()


def _depth(machine: MachineConfig) -> int:
    return -(-machine.activation_bytes // (BANKS * CHANNELS))


class Activations(Component):
    """Word k (32 channels) of token t: bank k mod 4, row (k div 4) * T + t.

    Ports: the array's ``row0``, ``row1``, a cycle behind their ``bank`` and ``enable`` (never
    refused); another reader's ``side_*``, taken when ``side_ready``; ``data0``, ``data1``
    ``LATENCY`` cycles after the array's rows, ``SIDE_LATENCY`` after the other's.  Every bank has
    a write port, its ``write_mask`` (8 channels a bit), ``write_row`` and ``write_data`` at the
    bank's place of the vectors; a bank that is ``reading`` (through both ports of its ultra RAM)
    is not written, so its writer must wait.  Who reads is known a cycle ahead: ``reading`` is a
    register, and what follows from it has a cycle of its own.
    """

    LATENCY = 3
    SIDE_LATENCY = LATENCY + 1

    def __init__(self, machine: MachineConfig) -> None:
        self.depth, self.row_bits = _depth(machine), row_bits(machine)
        bits = self.row_bits
        reader = {"enable": In(1), "bank": In(2), "row0": In(bits), "row1": In(bits)}
        super().__init__(
            {
                **reader,
                **{f"side_{name}": port for name, port in reader.items()},
                "side_ready": Out(1),
                "data0": Out(WORD_BITS),
                "data1": Out(WORD_BITS),
                "reading": Out(BANKS),
                "write_row": In(BANKS * bits),
                "write_data": In(BANKS * WORD_BITS),
                "write_mask": In(BANKS * MASK_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Banks behind two multiplexers."""
        m = Module()
        array, reads = Signal(), self.enable | self.side_enable
        bank_now = register(2, "bank_now")
        m.d.comb += self.side_ready.eq(~self.enable)
        following = Mux(self.enable, self.bank, self.side_bank)
        m.d.sync += [
            array.eq(self.enable),
            bank_now.eq(following),
            self.reading.eq(Mux(reads, Const(1, BANKS) << following, 0)[:BANKS]),
        ]
        rows: list[Value] = []
        for own, other in ((self.row0, self.side_row0), (self.row1, self.side_row1)):
            held = register(self.row_bits, f"side_row{len(rows)}_held")
            m.d.sync += held.eq(other)
            rows.append(Mux(array, own, held))
        found: list[list[Value]] = [[], []]
        for index in range(BANKS):
            bank = Memory(
                depth=self.depth,
                width=WORD_BITS,
                style="ultra",
                latency=2,
                readers=2,
                granularity=8 * GRAIN,
                shared=True,
            )
            m.submodules[f"bank{index}"] = bank
            mask = self.write_mask.word_select(index, MASK_BITS)
            row = self.write_row.word_select(index, self.row_bits)
            m.d.comb += [
                bank.ra0.eq(Mux(self.reading[index], rows[0], row)),
                bank.ra1.eq(rows[1]),
                bank.wd.eq(self.write_data.word_select(index, WORD_BITS)),
                bank.we.eq(Mux(self.reading[index], 0, mask)),
            ]
            found[0].append(bank.rd0)
            found[1].append(bank.rd1)
        pick = delayed(m, bank_now, 2, "bank")
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
