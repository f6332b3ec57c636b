"""On-chip memories of a machine: width and depth of every store, and the blocks they take.

As the RTL builds them: memories of style "ultra" and "block"; those in LUTs are in ``synthesised``.
"""

from dataclasses import dataclass

from m3vit.hw.formats import FACTOR_BITS, SCORE_BITS, TABLE_INDEX_BITS
from m3vit.hw.layout.sizes import aligned
from m3vit.hw.machine import MachineConfig

HEAD_DIM_LIMIT = 64
"""K and V of one head of this width fit a group's store at the machine's longest token count."""

RESIDUAL_BANKS, RESIDUAL_CHANNELS, RESIDUAL_BITS = 8, 16, 18
"""A token pair is added in one cycle: even and odd tokens lie four banks apart."""

ACTIVATION_BANKS, ACTIVATION_CHANNELS = 4, 32
"""Two arbitrary tokens are read in one cycle through the two ports of one bank."""

BYTE_BITS = 9
"""Memory blocks enable writes by nine bits."""

WEIGHT_BITS = 16
COMMANDS, COMMAND_BITS = 512, 256
GELU_ENTRIES = 512
GATE_SLOTS = 2
"""Pairs of tokens that the gate ranks side by side."""


def gate_rows(machine: MachineConfig) -> int:
    """Tokens that the gate ranks side by side."""
    return 2 * min(GATE_SLOTS, max(1, machine.max_top_k // 2))


@dataclass(frozen=True, kw_only=True)
class Store:
    """``copies`` memories of ``width`` bits by ``depth`` words; ``large`` ones go to URAM.

    ``block``: the block of rtl/size.json that holds it.  ``grain``: bits of a write enable, whole
    bytes of nine bits; 0: one enable.
    """

    name: str
    block: str
    copies: int
    width: int
    depth: int
    large: bool
    why: str
    grain: int = 0

    def blocks(self, lanes: int, words: int) -> int:
        """Blocks of ``lanes`` bits by ``words`` words."""
        width = self.width
        if self.grain:
            width = width // self.grain * aligned(self.grain, BYTE_BITS)
        return self.copies * -(-width // lanes) * -(-self.depth // words)

    @property
    def bram36(self) -> int:
        """Pairs of RAMB18E2 in the best of their shapes."""
        return -(-min(self.blocks(36 >> step, 512 << step) for step in range(4)) // 2)

    @property
    def uram(self) -> int:
        """URAM288 as 4096 x 72."""
        return self.blocks(72, 4096)


def _large_stores(machine: MachineConfig) -> list[Store]:
    elements, word = machine.activation_bytes, machine.chains * machine.columns
    activations = -(-elements // (ACTIVATION_BANKS * ACTIVATION_CHANNELS))
    shape = {
        "copies": ACTIVATION_BANKS,
        "width": 8 * ACTIVATION_CHANNELS,
        "depth": activations,
        "grain": 64,
    }
    rank = 1 + (machine.max_experts - 1).bit_length() + WEIGHT_BITS
    return [
        Store(
            name="residual",
            block="residual_store",
            copies=RESIDUAL_BANKS,
            width=RESIDUAL_CHANNELS * RESIDUAL_BITS,
            depth=-(-elements // (RESIDUAL_BANKS * RESIDUAL_CHANNELS)),
            large=True,
            why="18 bit a channel, a pair read and written each cycle",
        ),
        Store(
            name="XN", block="activations", large=True, why="two tokens read each cycle", **shape
        ),
        Store(name="QOH", block="activations", large=True, why="Q, O or hidden, as XN", **shape),
        Store(
            name="K and V",
            block="key_value",
            copies=machine.groups,
            width=8 * word,
            grain=8,
            depth=2 * -(-machine.max_tokens * HEAD_DIM_LIMIT // word),
            large=True,
            why="a tile of K or V refilled in eight cycles",
        ),
        Store(
            name="plan records",
            block="plan",
            copies=1,
            width=machine.max_top_k * rank,
            depth=machine.max_tokens,
            large=True,
            why="used, expert and weight, K a token",
        ),
    ]


def _small_stores(machine: MachineConfig) -> list[Store]:
    token_bits = max(1, (machine.max_tokens - 1).bit_length())
    return [
        Store(
            name="scores",
            block="score_store",
            copies=machine.groups,
            width=2 * max(machine.rows, machine.columns) * SCORE_BITS,
            grain=2 * machine.columns * SCORE_BITS,
            depth=machine.score_words,
            large=False,
            why="a word holds two queries x one tile of keys",
        ),
        Store(
            name="weight ring",
            block="ring",
            copies=1,
            width=8 * machine.word_bytes,
            depth=-(-machine.ring_bytes // machine.word_bytes),
            large=False,
            why="a load step of all groups a word",
        ),
        Store(
            name="queue lists",
            block="lists",
            copies=2,
            width=token_bits + WEIGHT_BITS,
            depth=2 << max(1, token_bits - 1),
            large=False,
            why="token and weight of this and the next expert, a member each",
        ),
        Store(
            name="GELU tables",
            block="gelu",
            copies=machine.panel,
            width=8,
            depth=GELU_ENTRIES,
            large=False,
            why="two tables a column, two members through two ports",
        ),
        *_reciprocals(machine),
        Store(
            name="commands",
            block="command_list",
            copies=2,
            width=COMMAND_BITS,
            depth=COMMANDS,
            large=False,
            why="a list with two readers",
        ),
    ]


def _reciprocals(machine: MachineConfig) -> list[Store]:
    entries = 1 << TABLE_INDEX_BITS
    users = (
        ("reciprocals of row sums", "rowfactor", 2 * machine.groups, entries),
        ("reciprocals of the gate", "gate_row", gate_rows(machine), entries),
        ("reciprocal roots", "layernorm", 1, 2 * entries),
    )
    return [
        Store(
            name=name,
            block=block,
            copies=copies,
            width=FACTOR_BITS,
            depth=depth,
            large=False,
            why="a table each",
        )
        for name, block, copies, depth in users
    ]


def stores(machine: MachineConfig) -> tuple[Store, ...]:
    """Every memory in blocks; memories in LUTs are counted with their unit."""
    return (*_large_stores(machine), *_small_stores(machine))
