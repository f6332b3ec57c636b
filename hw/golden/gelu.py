"""GELU by two tables of 256 entries, one bit of the hidden channel chooses (hw/CONTRACT.md)."""

import numpy as np

from m3vit.hw.formats import Int8, UInt8


def gelu(h: Int8, hidden_class: UInt8, table: Int8) -> Int8:
    """table[class][h + 128]: h [..., N], hidden_class [N], table [2, 256] to Int8 [..., N]."""
    index = hidden_class.astype(np.intp) * 256 + 128 + h
    return table.reshape(-1).take(index)
