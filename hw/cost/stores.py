"""On-chip memories of a machine: width and depth of every store, and the blocks they take."""

from dataclasses import dataclass

from m3vit.hw.machine import MachineConfig

HEAD_DIM_LIMIT = 64
"""K and V of one head of this width fit a group's store at the machine's longest token count."""

RESIDUAL_BANKS, RESIDUAL_CHANNELS, RESIDUAL_BITS = 8, 16, 18
"""A token pair is added in one cycle: even and odd tokens lie four banks apart."""

ACTIVATION_BANKS, ACTIVATION_CHANNELS = 4, 32
"""Two arbitrary tokens are read in one cycle through the two ports of one bank."""

SCORE_BITS = 10
RECORD_BITS = 24
"""Expert u8 and weight u16, K times a token."""
BITMAP_BITS = 64
PORT_FIFO_DEPTH = 512


@dataclass(frozen=True, kw_only=True)
class Store:
    """``copies`` memories of ``width`` bits by ``depth`` words; ``large`` ones go to URAM."""

    name: str
    copies: int
    width: int
    depth: int
    large: bool
    why: str

    def blocks(self, lanes: int, words: int) -> int:
        """Blocks of ``lanes`` bits by ``words`` words."""
        return self.copies * -(-self.width // lanes) * -(-self.depth // words)

    @property
    def bram36(self) -> int:
        """RAMB36E2 in the best of its shapes."""
        return min(self.blocks(72 >> step, 512 << step) for step in range(4))

    @property
    def uram(self) -> int:
        """URAM288 as 4096 x 72."""
        return self.blocks(72, 4096)


def _large_stores(machine: MachineConfig) -> list[Store]:
    elements, word = machine.activation_bytes, machine.chains * machine.columns
    activations = -(-elements // (ACTIVATION_BANKS * ACTIVATION_CHANNELS))
    shape = {"copies": ACTIVATION_BANKS, "width": 8 * ACTIVATION_CHANNELS, "depth": activations}
    return [
        Store(
            name="residual",
            copies=RESIDUAL_BANKS,
            width=RESIDUAL_CHANNELS * RESIDUAL_BITS,
            depth=-(-elements // (RESIDUAL_BANKS * RESIDUAL_CHANNELS)),
            large=True,
            why="18 bit a channel, a pair read and written each cycle",
        ),
        Store(name="XN", large=True, why="two tokens read each cycle", **shape),
        Store(name="QOH", large=True, why="Q, O or hidden, as XN", **shape),
        Store(
            name="K and V",
            copies=machine.groups,
            width=8 * word,
            depth=-(-2 * machine.max_tokens * HEAD_DIM_LIMIT // word),
            large=True,
            why="a tile of K or V refilled in eight cycles",
        ),
        Store(
            name="plan bitmap",
            copies=1,
            width=BITMAP_BITS,
            depth=-(-machine.max_experts * machine.max_tokens // BITMAP_BITS),
            large=True,
            why="one bit an expert and token",
        ),
        Store(
            name="plan records",
            copies=1,
            width=machine.max_top_k * RECORD_BITS,
            depth=machine.max_tokens,
            large=True,
            why="expert and weight, K a token",
        ),
    ]


def _small_stores(machine: MachineConfig) -> list[Store]:
    ring_word = machine.chains * machine.panel
    return [
        Store(
            name="scores",
            copies=machine.groups,
            width=2 * max(machine.rows, machine.columns) * SCORE_BITS,
            depth=machine.score_words,
            large=False,
            why="a word holds two queries x one tile of keys",
        ),
        Store(
            name="weight ring",
            copies=-(-ring_word // 8),
            width=64,
            depth=-(-machine.ring_bytes // ring_word),
            large=False,
            why="64 of 72 bits a block, so that bytes need no steering",
        ),
        Store(
            name="queue lists",
            copies=2,
            width=27,
            depth=machine.max_tokens,
            large=False,
            why="token and weight of this and the next expert",
        ),
        Store(
            name="LayerNorm tables",
            copies=2,
            width=64,
            depth=machine.max_width,
            large=False,
            why="gamma and beta, double",
        ),
        Store(
            name="reciprocals",
            copies=1,
            width=32,
            depth=2048,
            large=False,
            why="RSQRT and RECIP side by side",
        ),
        Store(
            name="port buffers",
            copies=2 * machine.memory_ports,
            width=machine.port_bits,
            depth=PORT_FIFO_DEPTH,
            large=False,
            why="read and write data of each memory port",
        ),
        Store(
            name="commands",
            copies=1,
            width=256,
            depth=PORT_FIFO_DEPTH,
            large=False,
            why="one burst",
        ),
    ]


def stores(machine: MachineConfig) -> tuple[Store, ...]:
    """Every memory in blocks; memories in LUTs are counted with their unit."""
    return (*_large_stores(machine), *_small_stores(machine))
