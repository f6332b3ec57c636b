"""A model's layers on the kernel, by the cost model and as counted in RTL, as a sentence."""

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from m3vit.hls.estimate_table import Row
from m3vit.hls.layer import Kind
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.records import Evidence

NAMES: Mapping[str, str] = MappingProxyType(
    {Kind.MLP.value: "MLPs", Kind.MOE.value: "mixtures with their gates"}
)
"""Kinds of layers; the sums follow them."""

MODELLED, RTL = f"`{Evidence.MODELLED.value}`", f"`{Evidence.RTL.value}`"


def _of(rows: Sequence[Row], kind: str) -> list[Row]:
    return [row for row in rows if row.layer.endswith(f".{kind}")]


def _sums(rows: Sequence[Row], value: Callable[[Row], int]) -> list[int]:
    return [sum(map(value, _of(rows, kind))) for kind in NAMES]


def counted_sums(rows: Sequence[Row]) -> list[int] | None:
    """Counted cycles by kind of layer; None where nothing was counted."""
    if any(row.rtl_cycles is None for row in rows):
        return None
    return _sums(rows, lambda row: row.rtl_cycles or 0)


def sentence(rows: Sequence[Row], counted: Sequence[int]) -> str:
    """The sums of ``rows``, with ``counted`` as :func:`counted_sums` gives them."""
    columns = (
        _sums(rows, lambda row: row.cycles),
        _sums(rows, lambda row: row.rtl_model_cycles),
        list(counted),
    )
    names = [*(f"{len(_of(rows, kind))} {text}" for kind, text in NAMES.items()), "together"]
    lines = zip(names, *([*one, sum(one)] for one in columns), strict=True)
    said = "; ".join(f"{name} {a:,}, {b:,} and {c:,} {RTL}" for name, a, b, c in lines)
    return (
        f"cycles on the HLS kernel, {MODELLED}, on the RTL's machine by `hw/cost`, {MODELLED}, and "
        f"counted in simulation of that RTL: {said}."
    )


def read_counted(text: str) -> list[int]:
    """The counted cycles of what :func:`sentence` wrote.

    Raises:
        ConfigurationError: it is not such a sentence.
    """
    found = [int(cell.replace(",", "")) for cell in re.findall(rf"([\d,]*\d) {RTL}", text)]
    if len(found) != len(NAMES) + 1 or found[-1] != sum(found[:-1]):
        raise ConfigurationError(
            "the counted cycles of hls/README.md cannot be read; write them with `m3vit hls table "
            "--write --rtl PROFILE.json`"
        )
    return found[:-1]
