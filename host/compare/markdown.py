"""The comparison as Markdown: figures with their evidence, sources as footnotes."""

from collections.abc import Callable, Sequence

from m3vit.host.compare.entry import Entry, Value
from m3vit.host.compare.rows import Row, apart

ABSENT = "not measured"
_MARKS = {
    "measured": "measured",
    "rtl": "RTL",
    "simulated": "simulated",
    "modelled": "modelled",
    "published": "published",
}


def _three(value: float) -> str:
    """Three significant digits, never an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:#.3g}".rstrip(".")


_COLUMNS: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("latency_ms", "ms/image", _three),
    ("energy_mj", "mJ/image", _three),
    ("memory_bytes", "memory MiB, on chip or a GPU's", lambda v: _three(v / 2**20)),
    ("dram_bytes", "DRAM MB/image", lambda v: _three(v / 1e6)),
    ("host_ms", "simulating host ms", _three),
)


class Footnotes:
    """Sources numbered in order of first use."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def mark(self, source: str) -> str:
        """The mark of ``source``, empty without one."""
        if not source:
            return ""
        return f"<sup>{self._numbers.setdefault(source, len(self._numbers) + 1)}</sup>"

    def lines(self) -> list[str]:
        """The list of sources."""
        return [f"{number}. {source}" for source, number in self._numbers.items()]


def _cell(value: Value | None, text: Callable[[float], str], notes: Footnotes) -> str:
    if value is None:
        return "-"
    return f"{text(value.value)} {_MARKS[value.evidence.value]}{notes.mark(value.source)}"


def _line(entry: Entry, first: bool, shown: Sequence[str], notes: Footnotes) -> str:
    cells = [
        _cell(entry.values.get(name), text, notes) for name, _, text in _COLUMNS if name in shown
    ]
    workload = entry.workload.text() if first else ""
    machine = f"{entry.machine} ({entry.task})" if entry.task else entry.machine
    return f"| {' | '.join([workload, machine, *cells])} |"


def render(rows: Sequence[Row]) -> str:
    """One table, then why rows are apart, then the sources."""
    entries = [entry for row in rows for entry in row.entries]
    shown = [name for name, *_ in _COLUMNS if any(name in entry.values for entry in entries)]
    titles = ["workload", "machine", *(title for name, title, _ in _COLUMNS if name in shown)]
    notes = Footnotes()
    lines = [
        f"| {' | '.join(titles)} |",
        f"|{'---|' * 2}{'---:|' * len(shown)}",
        *(
            _line(entry, number == 0, shown, notes)
            for row in rows
            for number, entry in enumerate(row.entries)
        ),
        *_missing(entries, len(titles)),
        "",
    ]
    reasons = apart(rows)
    if reasons:
        lines += ["Rows of equal work only:", "", *(f"- {reason}" for reason in reasons), ""]
    return "\n".join([*lines, *notes.lines()]) + "\n"


AWAITED = {
    "RTL simulation": ("rtl",),
    "HLS": ("hls",),
    "GPU": ("cuda", "nvidia", "triton"),
    "near memory": ("near memory", "near-memory", "nearmem"),
}
"""Machines that the table names even where no record of theirs was given."""


def _missing(entries: Sequence[Entry], columns: int) -> list[str]:
    published = {
        id(e) for e in entries if any(v.evidence.value == "published" for v in e.values.values())
    }
    names = " ".join(entry.machine.lower() for entry in entries if id(entry) not in published)
    absent = [title for title, words in AWAITED.items() if not any(w in names for w in words)]
    rest = " |" * (columns - 3)
    return [f"| any | {title} | {ABSENT} |{rest}" for title in absent]
