"""A profile as text: what every unit did, layer by layer."""

from collections.abc import Iterator
from pathlib import Path

from m3vit.host.profile import UNITS, WAITS, Counts, Profile, Unit
from m3vit.hw.files import write_text

BEAT_BYTES = 16
_CAUSES = tuple(name.removeprefix("ARRAY_WAIT_").lower() for name in WAITS)


def profile_table(profile: Profile, by_block: bool = True) -> str:
    """Cycles of each unit by layer in thousands, then the array's waits by cause in percent.

    Args:
        profile: of one run.
        by_block: a line for every block and layer before the sums over all blocks.
    """
    lines = [_title(profile), *_head()]
    if by_block:
        named = ((f"{block:2} {layer}", counts) for (block, layer), counts in _layers(profile))
        lines += [_line(name, counts) for name, counts in named]
        lines.append("")
    lines += [_line(f"   {layer}", counts) for layer, counts in profile.kinds().items()]
    lines.append(_line("   all", profile.total))
    return "\n".join(lines)


def write_table(path: Path, profile: Profile) -> Path:
    """:func:`profile_table` as a file."""
    return write_text(path, profile_table(profile) + "\n")


def _layers(profile: Profile) -> Iterator[tuple[tuple[int, str], Counts]]:
    yield from profile.layers().items()


def _title(profile: Profile) -> str:
    cycles = profile.total["CYCLES"]
    return (
        f"{profile.model} on {profile.machine}: {cycles} cycles, "
        f"{cycles / profile.clock_mhz / 1e3:.3f} ms at {profile.clock_mhz:g} MHz (evidence: rtl)\n"
        "thousands of cycles: b busy, s starved, w held back; then the array's cycles in percent"
    )


def _head() -> list[str]:
    units = " ".join(f"{name:>{8 * len(_parts(unit)) - 1}}" for name, unit in UNITS.items())
    parts = " ".join(f"{part:>7}" for unit in UNITS.values() for part in _parts(unit))
    causes = " ".join(f"{cause[:8]:>8}" for cause in ("busy", *_CAUSES, "blocked"))
    return [
        f"{'':14} {'':>9} {units}",
        f"{'layer':14} {'cycles':>9} {parts} {causes} {'DRAM MB':>8}",
    ]


def _parts(unit: Unit) -> str:
    return (
        ("b" if unit.busy else "") + ("s" if unit.starved else "") + ("w" if unit.blocked else "")
    )


def _line(name: str, counts: Counts) -> str:
    cells = " ".join(
        f"{value / 1e3:7.1f}" for unit in UNITS.values() for value in _values(unit, counts)
    )
    cycles = counts["CYCLES"]
    shares = ("ARRAY_BUSY", *WAITS, "ARRAY_BLOCKED")
    causes = " ".join(f"{100 * counts[share] / max(1, cycles):8.1f}" for share in shares)
    moved = BEAT_BYTES * (counts["READ_BEATS"] + counts["WRITE_BEATS"]) / 1e6
    return f"{name:14} {cycles:9} {cells} {causes} {moved:8.3f}"


def _values(unit: Unit, counts: Counts) -> Iterator[int]:
    if unit.busy:
        yield counts[unit.busy]
    if unit.starved:
        yield sum(counts[name] for name in unit.starved)
    if unit.blocked:
        yield counts[unit.blocked]
