"""Every figure that the cycle model takes for granted, with its unit and where it comes from.

What the machine's configuration states (array, stores, lanes, bandwidth) is not repeated here.
Structure is taken from the RTL, latencies from its sources or from cycles it counted; what follows
is still of evidence kind ``modelled``.  ``make bench-rtl`` compares both on whole encoders.
"""

from dataclasses import dataclass, field, fields
from typing import Any

from m3vit.hw.commands.fields import WORD_BYTES
from m3vit.hw.errors import ConfigurationError


def _assume(value: float, unit: str, source: str) -> Any:
    return field(default=value, metadata={"unit": unit, "source": source})


_CONTRACT = "hw/CONTRACT.md section 6"
_COUNTED = "counted in RTL: make bench-rtl, cycles by command"


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """Latencies in cycles, sizes in bytes; defaults describe the contract's machine.

    Raises:
        ConfigurationError: a value is negative.
    """

    pass_gap_cycles: int = _assume(
        0, "cycles a pass", "passes follow each other: rtl/issue.py; each costs Small 2.5 %"
    )
    result_latency: int = _assume(
        37, "cycles", "slot to results' queue and through it: rtl/array.py, rtl/results.py"
    )
    retire_latency: int = _assume(3, "cycles", "last result to its number: rtl/retire.py")
    write_latency: int = _assume(15, "cycles", "last result to the residual: rtl/residual_write.py")
    release_latency: int = _assume(14, "cycles", "pass begun to its words free: rtl/ring.py")
    softmax_latency: int = _assume(34, "cycles", "last score to its row's maximum: rtl/array.py")
    query_load_latency: int = _assume(10, "cycles", "QOH to the query block: rtl/query.py")
    layernorm_latency: int = _assume(44, "cycles", f"{_COUNTED}: a token to XN, less its words")
    queued_passes: int = _assume(9, "passes", "given ahead of the array: QUEUE of rtl/engine.py")
    table_word_latency: int = _assume(
        8, "cycles a ring word", f"{_COUNTED}: NORM behind EXPERTS, 163 and 323 for 192 and 384"
    )
    table_latency: int = _assume(3, "cycles", "likewise, beyond words and channels")
    gate_slots: int = _assume(2, "pairs", "decided at a time: GATE_SLOTS of rtl/size.py")
    gate_latency: int = _assume(66, "cycles", f"{_COUNTED}: logits of the last pair to the plan")
    plan_latency: int = _assume(18, "cycles", f"{_COUNTED}: plan to the first list begun")
    list_latency: int = _assume(6, "cycles", "beyond a token a cycle: rtl/lists.py")
    command_latency: int = _assume(10, "cycles", "the engine at rest to the next rows")
    start_latency: int = _assume(205, "cycles", f"{_COUNTED}: CONFIG less 16 bytes of list a cycle")
    dram_latency: int = _assume(60, "cycles", "first byte after an idle stream: sim/rtl/README.md")
    port_queue_bytes: int = _assume(2048, "bytes a port", "in front of the ring: rtl/slices.py")
    row_bytes_per_cycle: int = _assume(32, "bytes a cycle", f"{_COUNTED}: rows into RES and XN")
    row_latency: int = _assume(51, "cycles", f"{_COUNTED}: 111 a transfer, less dram_latency")
    result_bytes_per_cycle: float = _assume(
        14.83, "bytes a cycle", f"{_COUNTED}: one port, less bursts' addresses and refresh"
    )
    result_row_latency: int = _assume(80, "cycles", f"{_COUNTED}: the result's rows, beyond that")
    ring_share: float = _assume(0.9, "of the ring", "what one group of panels may fill")
    speculate: int = _assume(1, "0 or 1", "experts are fetched before the gate is known")
    gate_columns: int = _assume(2, "columns an expert", "hi and lo, hw/CONTRACT.md section 1")
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
    "DRAM is a stream at its sustained bandwidth in order of use; refresh is inside that figure, "
    "and a refresh that comes at a bad moment is not seen",
    "conflicts on a bank of XN or of the residual between readers and writers are not modelled",
    "the commands' own cycles are constants where the array can see them, else nothing",
    "with fewer requantise, combine or exponential lanes than a pair needs, results leave more "
    "slowly here; the RTL is built with all of them",
    "task heads run on the host and are not in the cycles",
    "one image at a time; nothing of the next image is overlapped",
)
"""What the cycle model leaves out, in words."""

ASSUMPTIONS = rows_of(Assumptions())
"""The table of the contract's machine."""
