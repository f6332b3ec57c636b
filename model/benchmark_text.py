"""The benchmark's figures as a table for people."""

from collections.abc import Sequence

from m3vit.hw.record_table import text_table
from m3vit.model.benchmark import Speed

_HEADER = (
    "encoder, one image",
    "reference ms",
    "float32 ms",
    "ratio",
    "asked ms",
    "run MB",
    "process MB",
)


def _row(speed: Speed) -> tuple[str, ...]:
    limit = speed.limit_ms
    return (
        speed.model,
        f"{speed.reference_ms:.1f}",
        f"{speed.float32_ms:.1f}",
        f"{speed.ratio:.2f}",
        "-" if limit is None else f"{limit:.0f} {_verdict(speed.reference_ms, limit)}",
        f"{speed.run_megabytes:.0f}",
        f"{speed.process_megabytes:.0f}",
    )


def _verdict(milliseconds: float, limit: float) -> str:
    return "met" if milliseconds <= limit else "missed"


def render(speeds: Sequence[Speed]) -> str:
    """A row a model; all times are medians, measured in this process."""
    rows = [_HEADER, *map(_row, speeds)]
    threads = speeds[0].threads
    note = (
        f"measured: medians of {speeds[0].repeats}, {threads} threads, random weights; ratio = "
        "reference / float32 PyTorch;\nrun MB = peak of one run's arrays, process MB = peak "
        "resident size so far"
    )
    return f"{text_table(rows, (False, *[True] * 6))}\n{note}"
