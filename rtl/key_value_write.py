"""Where the bytes of a pair's keys and values go in a load step of K or V (rtl/DESIGN.md 3)."""

from typing import Any

from amaranth.hdl import Cat, Const, Mux, Value

from m3vit.hw.machine import MachineConfig
from m3vit.rtl.residual_store import CHANNELS

Codes = list[list[Value]]
"""int8 [2][G * C] of a pair."""


def key_write(
    machine: MachineConfig, t: Any, count: Value, codes: Codes, query_steps: Value
) -> tuple[Value, list[Value], Value]:
    """Byte (column = key, chain); a column's member follows from its parity."""
    columns, chains = machine.columns, machine.chains
    bits = (columns - 1).bit_length()
    tile, start = t.pair[bits - 1 :], t.pair[: bits - 1]
    words_a_unit = CHANNELS // chains
    element = t.column * words_a_unit + count
    rows = sum(Mux(query_steps[i], tile << (i + 3), 0) for i in range(4))
    mask = Cat(
        ((start == column // 2) & (t.both if column % 2 else 1)).replicate(chains)
        for column in range(columns)
    )
    data: list[Value] = []
    for group in range(machine.groups):
        own = [
            Cat(*codes[member][group * columns : (group + 1) * columns]).word_select(
                count[: (words_a_unit - 1).bit_length()], 8 * chains
            )
            for member in range(2)
        ]
        data += [own[column % 2] for column in range(columns)]
    return mask, data, rows + element


def value_write(
    machine: MachineConfig, t: Any, count: Value, codes: Codes, value_columns: Value
) -> tuple[Value, list[Value], Value]:
    """Byte (column = dimension, chain = key mod chains)."""
    columns, chains = machine.columns, machine.chains
    single = chains == 1
    second = count[0]
    key = Cat(second if single else Const(0, 1), t.pair)
    step = key[(chains - 1).bit_length() :]
    rows = sum(Mux(value_columns[i], (step >> 3) << (i + 3), 0) for i in range(4))
    address = rows + (t.column << 3) + step[:3]
    mask, data = [], []
    for chain in range(chains):
        if single:
            mask.append(~second | t.both)
        else:
            here = t.pair[: (chains // 2 - 1).bit_length()] == chain // 2 if chains > 2 else 1
            mask.append(here & (t.both if chain % 2 else 1) & (count == 0))
    for group in range(machine.groups):
        for column in range(columns):
            lane = group * columns + column
            for chain in range(chains):
                if single:
                    data.append(Mux(second, codes[1][lane], codes[0][lane]))
                else:
                    data.append(codes[chain % 2][lane])
    return Cat(*mask * columns), data, address
