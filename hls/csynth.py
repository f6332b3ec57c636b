"""Reports of Vitis HLS: csynth.xml, and the text beside it, as a result record."""

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from m3vit.hw.errors import ToolError
from m3vit.hw.records import Evidence, Figure, ResultRecord, figure

CELLS = ("BRAM_18K", "DSP", "FF", "LUT", "URAM")
SOURCE = "Vitis HLS csynth"


@dataclass(frozen=True, kw_only=True)
class Csynth:
    """What a report says about the top function; None where the tool wrote "undef" or "?"."""

    top: str
    part: str
    target_ns: float
    estimated_ns: float
    best_cycles: int | None
    worst_cycles: int | None
    cells: dict[str, int]
    available: dict[str, int]

    @property
    def clock_mhz(self) -> float:
        """The slower of the clock asked for and the one estimated."""
        return 1e3 / max(self.target_ns, self.estimated_ns)

    def to_record(self, model: str, tokens: int, macs: int | None = None) -> ResultRecord:
        """The report as a record of device "hls": worst case, evidence ``modelled``.

        ``macs`` are those of one call, None where the project is unknown.
        """
        said: dict[str, object] = {
            "tokens": tokens,
            "macs": macs,
            "cycles": self.worst_cycles,
            "clock_mhz": self.clock_mhz,
            "resources": {name: float(count) for name, count in self.cells.items()},
        }
        if self.worst_cycles is not None:
            said["latency_ms"] = self.worst_cycles / self.clock_mhz / 1e3
        figures: dict[str, Figure] = {
            name: figure(name, value, Evidence.MODELLED, SOURCE)
            for name, value in said.items()
            if value is not None
        }
        return ResultRecord(model=model, task=self.top, device="hls", figures=figures)


def find_report(path: Path) -> Path:
    """The report file of a project directory, or ``path`` itself if it is a file.

    Raises:
        ToolError: there is none.
    """
    if path.is_file():
        return path
    for pattern in ("**/syn/report/csynth.xml", "**/syn/report/*_csynth.rpt", "**/csynth.rpt"):
        found = sorted(path.glob(pattern))
        if found:
            return found[0]
    raise ToolError(f"{path} holds no csynth report; run `m3vit hls synth {path}` where Vitis is")


def read_report(path: Path) -> Csynth:
    """Read a csynth.xml or a _csynth.rpt.

    Raises:
        ToolError: it is missing, truncated or of another kind.
    """
    try:
        text = path.read_text()
        return _from_xml(text) if path.suffix == ".xml" else _from_text(text)
    except OSError as error:
        raise ToolError(f"cannot read report {path}: {error.strerror}") from error
    except (ElementTree.ParseError, StopIteration, IndexError, ValueError) as error:
        raise ToolError(
            f"{path} is no complete csynth report ({error}); run synthesis again"
        ) from error


def _count(text: str | None) -> int | None:
    cleaned = (text or "").strip()
    return int(cleaned) if cleaned.isdigit() else None


def _from_xml(text: str) -> Csynth:
    root = ElementTree.fromstring(text)

    def value(path: str) -> str:
        found = root.findtext(path)
        if found is None:
            raise ValueError(f"no {path}")
        return found.strip()

    latency = "PerformanceEstimates/SummaryOfOverallLatency"
    timing = "PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod"
    return Csynth(
        top=value("UserAssignments/TopModelName"),
        part=value("UserAssignments/Part"),
        target_ns=float(value("UserAssignments/TargetClockPeriod")),
        estimated_ns=float(value(timing)),
        best_cycles=_count(root.findtext(f"{latency}/Best-caseLatency")),
        worst_cycles=_count(root.findtext(f"{latency}/Worst-caseLatency")),
        cells=_cells(root.find("AreaEstimates/Resources")),
        available=_cells(root.find("AreaEstimates/AvailableResources")),
    )


def _cells(element: "ElementTree.Element | None") -> dict[str, int]:
    if element is None:
        raise ValueError("no resources")
    return {name: int(element.findtext(name) or 0) for name in CELLS}


def _from_text(text: str) -> Csynth:
    clock = _cells_of(text, "|ap_clk")
    best, worst = _latencies(text)
    return Csynth(
        top=_after(text, "== Vitis HLS Report for").strip("'"),
        part=_after(text, "* Target device:"),
        target_ns=float(clock[1].removesuffix("ns")),
        estimated_ns=float(clock[2].removesuffix("ns")),
        best_cycles=best,
        worst_cycles=worst,
        cells=_numbers(text, "|Total "),
        available=_numbers(text, "|Available "),
    )


def _after(text: str, label: str) -> str:
    """What follows ``label`` on its line."""
    for line in text.splitlines():
        if line.startswith(label):
            return line.removeprefix(label).strip()
    raise ValueError(f"no {label!r}")


def _cells_of(text: str, start: str) -> list[str]:
    """The cells of the first table row that starts with ``start``."""
    for line in text.splitlines():
        if line.strip().startswith(start):
            return [cell.strip() for cell in line.strip().strip("|").split("|")]
    raise ValueError(f"no row {start!r}")


def _latencies(text: str) -> tuple[int | None, int | None]:
    """Cycles of the first row below the heading of the summary of latencies."""
    lines = text[text.index("+ Latency:") :].splitlines()
    heading = next(n for n, line in enumerate(lines) if "min" in line and "max" in line)
    cells = lines[heading + 2].strip().strip("|").split("|")
    return _count(cells[0]), _count(cells[1])


def _numbers(text: str, row: str) -> dict[str, int]:
    cells = _cells_of(text, row)[1:]
    return {name: int(cell) for name, cell in zip(CELLS, cells, strict=True)}
