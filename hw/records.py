"""The one result record of every machine: reference, RTL, board, GPU, near-memory simulator.

Each figure carries its evidence, so that no table mixes what was measured with what was computed
without saying so.  ``m3vit run --json`` prints one record a line.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any

from m3vit.hw.errors import M3vitError


class RecordError(M3vitError):
    """A result record is malformed or holds a figure without evidence."""


class Evidence(str, Enum):
    """Where a figure comes from."""

    MEASURED = "measured"
    """Wall clock or counter on silicon."""
    RTL = "rtl"
    """Counted in simulation of the RTL."""
    SIMULATED = "simulated"
    """A timing or functional simulator's count."""
    MODELLED = "modelled"
    """Arithmetic on stated assumptions."""
    PUBLISHED = "published"
    """Somebody else's figure, with its source."""


def _is_number(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and value >= 0  # type: ignore[arg-type, operator]


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_counts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_count, value))


def _is_shares(value: object) -> bool:
    names = isinstance(value, dict) and all(isinstance(name, str) for name in value)
    return names and all(map(_is_number, value.values()))  # type: ignore[attr-defined]


@dataclass(frozen=True, kw_only=True)
class FigureKind:
    """Unit and legal values of a figure."""

    unit: str
    legal: Callable[[object], bool]
    expected: str


def _count(unit: str) -> FigureKind:
    return FigureKind(unit=unit, legal=_is_count, expected="a whole number, 0 or more")


def _number(unit: str) -> FigureKind:
    return FigureKind(unit=unit, legal=_is_number, expected="a finite number, 0 or more")


def _by_name(unit: str) -> FigureKind:
    return FigureKind(unit=unit, legal=_is_shares, expected="names with finite numbers")


FIGURES: Mapping[str, FigureKind] = MappingProxyType(
    {
        "tokens": _count("tokens"),
        "macs": _count("MAC"),
        "cycles": _count("cycles"),
        "clock_mhz": _number("MHz"),
        "latency_ms": _number("ms"),
        "dram_bytes": _count("B"),
        "experts_used": FigureKind(
            unit="experts in each block", legal=_is_counts, expected="a list of whole numbers"
        ),
        "experts_fetched": _count("experts read from memory"),
        "dram_bytes_by_kind": _by_name("B"),
        "energy_mj": _number("mJ"),
        "memory_bytes": _count("B held at most"),
        "utilisation": _by_name("share of time"),
        "phases_ms": _by_name("ms"),
        "saturations": _count("residual saturations"),
        "resources": _by_name("cells"),
    }
)
"""Every figure that a record may hold."""

ALWAYS = ("tokens", "macs", "cycles", "clock_mhz", "latency_ms", "dram_bytes", "experts_used")
"""Figures whose key stands in every record; null where a machine has no such figure."""

_TEXTS = ("model", "task", "device", "image", "digest", "package_digest")
FORMAT = "m3vit-record-1"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One value with its evidence and, where it needs one, its source."""

    value: Any
    unit: str
    evidence: Evidence
    source: str = ""


def figure(name: str, value: Any, evidence: Evidence, source: str = "") -> Figure:
    """The figure called ``name``, checked.

    Raises:
        RecordError: the name, the value or the evidence is not one of the known ones, or a
            published figure has no source.
    """
    if name not in FIGURES:
        raise RecordError(f"record: unknown figure {name!r}, expected one of {', '.join(FIGURES)}")
    kind = FIGURES[name]
    plain = list(value) if isinstance(value, tuple) else value
    if not kind.legal(plain):
        raise RecordError(f"record: {name} is {value!r}, expected {kind.expected}")
    try:
        known = Evidence(evidence)
    except ValueError:
        kinds = ", ".join(kind.value for kind in Evidence)
        raise RecordError(
            f"record: {name} has the evidence {evidence!r}, expected one of {kinds}"
        ) from None
    if known is Evidence.PUBLISHED and not source:
        raise RecordError(f"record: {name} is published without a source, name the publication")
    return Figure(value=plain, unit=kind.unit, evidence=known, source=source)


@dataclass(frozen=True, kw_only=True)
class ResultRecord:
    """One image, one task, one machine.

    ``digest`` is that of the outputs, ``package_digest`` that of what was executed; both are empty
    for figures that no run of ours produced.

    Raises:
        RecordError: a text is missing, or a figure is not a checked one of its name.
    """

    model: str
    task: str
    device: str
    image: str = ""
    digest: str = ""
    package_digest: str = ""
    figures: Mapping[str, Figure] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in _TEXTS:
            if not isinstance(getattr(self, name), str):
                raise RecordError(f"record: {name} is {getattr(self, name)!r}, expected a text")
        for name in ("model", "task", "device"):
            if not getattr(self, name):
                raise RecordError(f"record: {name} is empty, expected a name")
        checked = {
            name: figure(name, entry.value, entry.evidence, entry.source)
            for name, entry in self.figures.items()
        }
        object.__setattr__(self, "figures", MappingProxyType(checked))

    def value(self, name: str) -> Any:
        """The figure's value, None if the machine has none."""
        entry = self.figures.get(name)
        return entry.value if entry else None

    def to_dict(self) -> dict[str, Any]:
        """Plain values: texts, one key a figure, then ``evidence`` and ``sources`` by figure."""
        absent = dict.fromkeys(ALWAYS)
        return {
            "format": FORMAT,
            **{name: getattr(self, name) for name in _TEXTS},
            **absent,
            **{name: entry.value for name, entry in self.figures.items()},
            "evidence": {name: entry.evidence.value for name, entry in self.figures.items()},
            "sources": {name: e.source for name, e in self.figures.items() if e.source},
        }

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(self.to_dict(), sort_keys=False, separators=(", ", ": "))

    @classmethod
    def from_json(cls, text: str) -> "ResultRecord":
        """Inverse of :meth:`to_json`.

        Raises:
            RecordError: not a record of this format, or anything in it is missing, unknown or
                without evidence.
        """
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise RecordError(f"record: not JSON ({error}), expected one record a line") from error
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise RecordError(f"record: expected an object with format {FORMAT!r}")
        _require_keys(values)
        return cls(
            **{name: values[name] for name in _TEXTS},
            figures=_figures_from(values),
        )


def _require_keys(values: Mapping[str, Any]) -> None:
    needed = {"format", *_TEXTS, *ALWAYS, "evidence", "sources"}
    missing = sorted(needed - set(values))
    unknown = sorted(set(values) - needed - set(FIGURES))
    if missing or unknown:
        raise RecordError(
            f"record: keys missing {missing}, unknown {unknown}, expected those of {FORMAT}"
        )
    for name in ("evidence", "sources"):
        if not isinstance(values[name], dict):
            raise RecordError(f"record: {name} is {values[name]!r}, expected one entry a figure")


def _figures_from(values: Mapping[str, Any]) -> dict[str, Figure]:
    present = {name for name in FIGURES if values.get(name) is not None}
    evidence, sources = values["evidence"], values["sources"]
    for name, entries in (("evidence", evidence), ("sources", sources)):
        foreign = sorted(set(entries) - present)
        if foreign:
            raise RecordError(f"record: {name} names {foreign}, which the record does not hold")
    bare = sorted(present - set(evidence))
    if bare:
        raise RecordError(f"record: no evidence for {bare}, expected a kind for each figure")
    return {
        name: figure(name, values[name], evidence[name], sources.get(name, ""))
        for name in FIGURES
        if name in present
    }
