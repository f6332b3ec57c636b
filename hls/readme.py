"""The figures in hls/README.md, written between markers and checked against the models.

What the RTL counted cannot be computed again without its profile: without one those figures stay
as they are, in writing and in checking alike.
"""

from pathlib import Path

from m3vit.hls.comparison import KERNEL, TRACES, markdown, rows, trace_of
from m3vit.hls.counted_text import counted_sums, read_counted, sentence
from m3vit.hls.estimate_table import preset_rows
from m3vit.hls.rtl_profile import RtlProfile
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.files import write_text
from m3vit.hw.machine import machine_preset
from m3vit.hw.presets import model_preset

README = Path(__file__).parent / "README.md"
COMPARISON, COUNTED = "comparison", "counted"
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


def _marked(text: str, part: str) -> tuple[str, str, str]:
    """``text`` up to and with the first marker of ``part``, what is inside, and the rest.

    Raises:
        ConfigurationError: the markers are missing.
    """
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    before, opened, rest = text.partition(begin)
    inside, closed, after = rest.partition(end)
    if not opened or not closed:
        raise ConfigurationError(f"{README} lacks the markers of its part {part}; restore them")
    return before + begin, inside, end + after


def _replaced(text: str, part: str, inside: str) -> str:
    before, _, after = _marked(text, part)
    return f"{before}{inside}{after}"


def updated(text: str, counted: RtlProfile | None = None) -> str:
    """``text`` with both parts as they are now.

    Raises:
        ConfigurationError: markers are missing, or the counted cycles cannot be read.
        RtlProfileError: ``counted`` is of another model or machine.
    """
    estimated = preset_rows(MODEL, MACHINE, KERNEL, counted)
    cycles = counted_sums(estimated) or read_counted(_marked(text, COUNTED)[1])
    text = _replaced(text, COMPARISON, f"\n{table_text()}\n")
    return _replaced(text, COUNTED, sentence(estimated, cycles))


def write(counted: RtlProfile | None = None) -> Path:
    """Bring the README up to date; without ``counted`` its counted cycles stay; see `updated`."""
    return write_text(README, updated(README.read_text(), counted))


def check() -> None:
    """Refuse a README whose figures are not what the models give; counted cycles are not looked at.

    Raises:
        ConfigurationError: one differs.
    """
    text = README.read_text()
    if text != updated(text):
        raise ConfigurationError(
            f"a figure in {README} is out of date; write them with `m3vit hls table --write`"
        )
