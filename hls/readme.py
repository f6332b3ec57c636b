"""The comparison in hls/README.md, written between two markers and checked against the models."""

from pathlib import Path

from m3vit.hls.comparison import TRACES, markdown, rows, trace_of
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.files import write_text
from m3vit.hw.machine import machine_preset
from m3vit.hw.presets import model_preset

README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- comparison: begin -->", "<!-- comparison: end -->"
MODEL, MACHINE = "small-pascal", "zcu104"


def table_text(model: str = MODEL, machine: str = MACHINE, trace: Path | None = None) -> str:
    """The Markdown table of a preset and its trace.

    Raises:
        ConfigurationError: unknown names, or the trace is of another model.
        PackageError: the trace cannot be read.
    """
    config = model_preset(model)
    choices = trace_of(config, trace or TRACES / f"{model}.npz")
    return markdown(rows(config, machine_preset(machine), choices))


def updated(text: str, table: str) -> str:
    """``text`` with ``table`` between the markers.

    Raises:
        ConfigurationError: the markers are missing.
    """
    before, opened, rest = text.partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not opened or not closed:
        raise ConfigurationError(f"{README} lacks the markers {BEGIN} and {END}; restore them")
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def write() -> Path:
    """Bring the README up to date."""
    return write_text(README, updated(README.read_text(), table_text()))


def check() -> None:
    """Refuse a README whose table is not what the models give.

    Raises:
        ConfigurationError: it differs.
    """
    text = README.read_text()
    if text != updated(text, table_text()):
        raise ConfigurationError(
            f"the comparison in {README} is out of date; write it with `m3vit hls table --write`"
        )
