"""Sizes in bytes of what the machine streams: panels, tables, experts."""

from m3vit.hw.machine import MachineConfig

PARAMETER_BYTES = 8
"""Record of one column in front of a panel: bias int32, factor u16, flags u16."""

LAYERNORM_ENTRY_BYTES = 8
"""gamma int16, zero int16, beta int32."""

SLICE_BYTES = 1024
"""Streams are cut at multiples of this address.  The gates of all tasks lie alike to it, so that
they take the same bursts and a change of task costs no cycle.
"""

GELU_BYTES = 512
"""Two tables of 256 int8."""


def aligned(size: int, unit: int) -> int:
    """``size`` rounded up to a multiple of ``unit``."""
    return -(-size // unit) * unit


def layernorm_bytes(machine: MachineConfig, channels: int) -> int:
    """A LayerNorm table as it is streamed."""
    return aligned(channels * LAYERNORM_ENTRY_BYTES, machine.stream_unit)


def gelu_bytes(machine: MachineConfig) -> int:
    """Both GELU tables as they are streamed."""
    return aligned(GELU_BYTES, machine.stream_unit)


def panel_bytes(machine: MachineConfig, inner: int) -> int:
    """Parameters and tiles of one panel with ``inner`` contraction steps."""
    tiles = -(-inner // machine.rows)
    return machine.panel * PARAMETER_BYTES + tiles * machine.tile_bytes


def linear_bytes(machine: MachineConfig, inner: int, outputs: int) -> int:
    """All panels of a linear layer."""
    return -(-outputs // machine.panel) * panel_bytes(machine, inner)


def qkv_bytes(machine: MachineConfig, inner: int, head_dim: int) -> int:
    """V, K and Q panels of one round of heads: each group makes its own head's columns."""
    return 3 * -(-head_dim // machine.columns) * panel_bytes(machine, inner)


def gate_bytes(machine: MachineConfig, inner: int, experts: int) -> int:
    """Gate panels of one task: two columns an expert."""
    return linear_bytes(machine, inner, 2 * experts)


def expert_bytes(machine: MachineConfig, width: int, hidden: int) -> int:
    """Both layers of one expert."""
    return linear_bytes(machine, width, hidden) + linear_bytes(machine, hidden, width)
