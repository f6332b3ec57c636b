"""Weights in the order in which the machine streams them, and back.

A linear layer is cut into panels of groups x columns outputs.  A panel is one parameter record a
column, then the tiles of all contraction steps.  A tile is written step by step: [step][group]
[column][chain], contraction index = chain * 8 + step, so that one ring word holds one row of every
cascade and nothing is permuted on chip.
"""

import numpy as np

from m3vit.hw.formats import Int8, Int64, UInt8, UInt16
from m3vit.hw.layout.sizes import PARAMETER_BYTES, panel_bytes
from m3vit.hw.machine import CASCADE, MachineConfig
from m3vit.hw.quantised import Linear

_RECORD = np.dtype([("bias", "<i4"), ("factor", "<u2"), ("flags", "<u2")])
assert _RECORD.itemsize == PARAMETER_BYTES

UNUSED = -1
"""Marks a column without an output."""


def natural_columns(machine: MachineConfig, outputs: int) -> Int64:
    """[panels, panel]: output number of every column in natural order, ``UNUSED`` beyond."""
    panels = -(-outputs // machine.panel)
    numbers = np.arange(panels * machine.panel).reshape(panels, machine.panel)
    return np.where(numbers < outputs, numbers, UNUSED)


def head_columns(machine: MachineConfig, first: int, heads: int, head_dim: int) -> Int64:
    """[panels, panel]: group g makes the channels of head ``first + g``."""
    panels = -(-head_dim // machine.columns)
    group, column = np.divmod(np.arange(machine.panel), machine.columns)
    dimension = np.arange(panels)[:, None] * machine.columns + column
    used = (group < heads) & (dimension < head_dim)
    return np.where(used, (first + group) * head_dim + dimension, UNUSED)


def _tiles(weight: Int8, columns: Int64, machine: MachineConfig) -> UInt8:
    """[panels, tiles * tile_bytes]."""
    inner = weight.shape[1]
    steps = -(-inner // machine.rows)
    padded = np.zeros((weight.shape[0] + 1, steps * machine.rows), np.int8)
    padded[:-1, :inner] = weight
    chosen = padded[columns]  # UNUSED picks the zero row
    shape = (len(columns), machine.panel, steps, machine.chains, CASCADE)
    return np.ascontiguousarray(chosen.reshape(shape).transpose(0, 2, 4, 1, 3)).view(np.uint8)


def pack(
    layer: Linear, columns: Int64, machine: MachineConfig, flags: UInt16 | None = None
) -> bytes:
    """The bytes of all panels of ``layer``; ``columns`` [panels, panel] names the outputs."""
    records = np.zeros((layer.bias.size + 1,), _RECORD)
    records["bias"][:-1] = layer.bias
    records["factor"][:-1] = layer.factor
    if flags is not None:
        records["flags"][:-1] = flags
    head = records[columns].view(np.uint8).reshape(len(columns), -1)
    tiles = _tiles(layer.weight, columns, machine).reshape(len(columns), -1)
    stream: UInt8 = np.concatenate([head, tiles], axis=1)
    return stream.tobytes()


def unpack(
    data: bytes | memoryview, inner: int, columns: Int64, machine: MachineConfig, shift: int
) -> tuple[Linear, UInt16]:
    """Inverse of :func:`pack`: the layer and its flags, outputs in their own order."""
    size = panel_bytes(machine, inner)
    raw = np.frombuffer(data, np.uint8, len(columns) * size).reshape(len(columns), size)
    head = machine.panel * PARAMETER_BYTES
    records = np.ascontiguousarray(raw[:, :head]).view(_RECORD).reshape(columns.shape)
    steps = -(-inner // machine.rows)
    shape = (len(columns), steps, CASCADE, machine.panel, machine.chains)
    tiles = np.ascontiguousarray(raw[:, head:]).view(np.int8).reshape(shape)
    weight = tiles.transpose(0, 3, 1, 4, 2).reshape(*columns.shape, steps * machine.rows)
    used = columns != UNUSED
    order = np.argsort(columns[used], kind="stable")
    chosen = records[used][order]
    layer = Linear(
        weight=np.ascontiguousarray(weight[used][order][:, :inner]),
        bias=chosen["bias"].astype(np.int32),
        factor=chosen["factor"].astype(np.uint16),
        shift=shift,
    )
    return layer, chosen["flags"].astype(np.uint16)
