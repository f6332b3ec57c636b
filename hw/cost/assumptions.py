"""Every figure that the cycle model takes for granted, with its unit and where it comes from.

What the machine's configuration states (array, stores, lanes, bandwidth) is not repeated here.
All are planning figures until RTL is counted; evidence kind ``modelled``.
"""

from dataclasses import dataclass, field, fields
from typing import Any

from m3vit.hw.commands.fields import WORD_BYTES
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.layout.sizes import GELU_BYTES, LAYERNORM_ENTRY_BYTES, PARAMETER_BYTES


def _assume(value: float, unit: str, source: str) -> Any:
    return field(default=value, metadata={"unit": unit, "source": source})


_DESIGN = "pipeline depth planned for 300 MHz, every block boundary registered"
_CONTRACT = "hw/CONTRACT.md section 6"


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """Latencies in cycles, sizes in bytes; defaults describe the contract's machine.

    Raises:
        ConfigurationError: a value is negative.
    """

    tile_refill_cycles: int = _assume(
        9, "cycles", "8 shifts down the cascade behind the swap wave, 1 to start them"
    )
    pass_gap_cycles: int = _assume(
        0, "cycles a pass", "passes decoded one ahead; each idle cycle costs Small 2.5 %"
    )
    result_latency: int = _assume(44, "cycles", f"pair issued to result readable: {_DESIGN}")
    accumulator_revisit: int = _assume(8, "cycles", "shortest read-add-write of an accumulator")
    softmax_latency: int = _assume(8, "cycles", "row maximum to first exponential")
    mix_latency: int = _assume(6, "cycles", "row factor onto the last product of A*V")
    query_load_latency: int = _assume(10, "cycles", "QOH to the query block's LUTRAM")
    layernorm_latency: int = _assume(40, "cycles", "statistics known to first token written")
    residual_fifo_pairs: int = _assume(64, "token pairs", "results buffered before a store")
    gate_latency: int = _assume(
        130, "cycles", "last logit to first gathered pair: top-K, bitmap scan, index fetch"
    )
    command_gap: int = _assume(12, "cycles", "between linear layers when the next is decoded")
    start_latency: int = _assume(200, "cycles", "start to first command decoded")
    dram_latency: int = _assume(120, "cycles", "first byte after an idle stream")
    ring_share: float = _assume(0.9, "of the ring", "what one group of panels may fill")
    speculate: int = _assume(1, "0 or 1", "experts are fetched before the gate is known")
    panel_column_bytes: int = _assume(PARAMETER_BYTES, "bytes", f"{_CONTRACT}, panel")
    gate_columns: int = _assume(2, "columns an expert", "hi and lo, hw/CONTRACT.md section 1")
    layernorm_channel_bytes: int = _assume(LAYERNORM_ENTRY_BYTES, "bytes", f"{_CONTRACT}, LN table")
    gelu_bytes: int = _assume(GELU_BYTES, "bytes a block", f"{_CONTRACT}, GELU tables")
    command_bytes: int = _assume(WORD_BYTES, "bytes", "hw/CONTRACT.md section 4")
    position_bytes: int = _assume(2, "bytes a channel", "int16, hw/CONTRACT.md section 2")

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if value < 0:
                raise ConfigurationError(
                    f"assumption {entry.name} is {value}, expected 0 or more ({entry.type})"
                )


@dataclass(frozen=True, kw_only=True)
class Assumption:
    """One row of the table."""

    name: str
    value: float
    unit: str
    source: str


def rows_of(assumptions: Assumptions) -> tuple[Assumption, ...]:
    """The table of ``assumptions``."""
    return tuple(
        Assumption(
            name=entry.name,
            value=getattr(assumptions, entry.name),
            unit=entry.metadata["unit"],
            source=entry.metadata["source"],
        )
        for entry in fields(assumptions)
    )


MODEL_LIMITS = (
    "all groups run in lockstep; a round with fewer heads than groups takes as long as a full one",
    "DRAM is a stream at its planned bandwidth in order of use; refresh and bank conflicts are "
    "inside the planned figure",
    "conflicts on a bank of XN between LayerNorm's writes and QKV's reads are not modelled",
    "positions come first, then each share of the image beside the embedding's weights",
    "task heads run on the host and are not in the cycles",
    "one image at a time; nothing of the next image is overlapped",
)
"""What the cycle model leaves out, in words."""

ASSUMPTIONS = rows_of(Assumptions())
"""The table of the contract's machine."""
