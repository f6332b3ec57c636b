"""Where the cycles of a run went: what each unit did, by command, by layer and over time.

Counted in the simulation of the RTL from the same events as the machine's performance counters.  A
cycle belongs to the command that the sequencer works on; the array follows at most four passes
behind it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from m3vit.hw.commands.fields import Flag, Op, Post, Store
from m3vit.hw.commands.word import Command
from m3vit.hw.errors import M3vitError
from m3vit.hw.files import write_json
from m3vit.hw.package import Package
from m3vit.hw.registers import COUNTERS

FORMAT = "m3vit-profile-1"
Counts = Mapping[str, int]

WAITS = tuple(name for name in COUNTERS if name.startswith("ARRAY_WAIT_"))
"""Why the array starves, cause by cause."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """Counters of a unit that exclude one another in a cycle."""

    busy: str
    starved: tuple[str, ...] = ()
    blocked: str = ""


UNITS: Mapping[str, Unit] = MappingProxyType(
    {
        "array": Unit(busy="ARRAY_BUSY", starved=WAITS, blocked="ARRAY_BLOCKED"),
        "norm": Unit(busy="NORM_BUSY", starved=("NORM_STARVED",), blocked="NORM_BLOCKED"),
        "combine": Unit(busy="COMBINE_BUSY", blocked="COMBINE_BLOCKED"),
        "gate": Unit(busy="GATE_BUSY"),
        "fetch": Unit(busy="", starved=("FETCH_STARVED",), blocked="FETCH_BLOCKED"),
    }
)
"""In the order of tables and pictures."""


class ProfileError(M3vitError):
    """A profile cannot be read, or does not belong to the package."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One command."""

    index: int
    op: str
    block: int
    layer: str
    """What it is for: ``qkv``, ``attention``, ``experts`` .."""
    first: int
    last: int
    """Cycles since the start."""
    counts: Counts


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One run.  ``bins``: the counts of every ``span`` cycles, one after the other."""

    machine: str
    clock_mhz: float
    model: str
    digest: str
    """Of the package."""
    steps: tuple[Step, ...]
    span: int
    bins: tuple[Counts, ...]

    @property
    def total(self) -> Counts:
        """Every counter over the whole run."""
        return added(step.counts for step in self.steps)

    def layers(self) -> dict[tuple[int, str], Counts]:
        """Counts by block and layer, in the order of the program."""
        return _grouped(((step.block, step.layer), step.counts) for step in self.steps)

    def kinds(self) -> dict[str, Counts]:
        """Counts by layer, all blocks together."""
        return _grouped((step.layer, step.counts) for step in self.steps)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_dict(cls, values: Any) -> "Profile":
        """Inverse of :meth:`to_dict`.

        Raises:
            ProfileError: another format, or something is missing.
        """
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise ProfileError(f"profile: expected an object with format {FORMAT!r}")
        try:
            rest = {key: value for key, value in values.items() if key != "format"}
            steps = tuple(Step(**step) for step in rest.pop("steps"))
            return cls(steps=steps, bins=tuple(rest.pop("bins")), **rest)
        except (KeyError, TypeError) as error:
            raise ProfileError(f"profile: {error}; expected what `--profile` writes") from error


def _grouped(pairs: Iterator[tuple[Any, Counts]]) -> dict[Any, Counts]:
    found: dict[Any, list[Counts]] = {}
    for key, counts in pairs:
        found.setdefault(key, []).append(counts)
    return {key: added(iter(each)) for key, each in found.items()}


def added(many: Iterator[Counts]) -> Counts:
    """Sums by counter."""
    total = dict.fromkeys(COUNTERS, 0)
    for counts in many:
        for name in total:
            total[name] += counts[name]
    return total


def layer_of(command: Command) -> str:
    """What a command is for."""
    if command.op is Op.GEMM:
        if command["post"] == Post.QKV:
            return "qkv"
        return "projection" if command.src is Store.QOH else "embedding"
    if command.op is Op.EXPERTS:
        return "mlp" if Flag.IDENTITY in command.flags else "experts"
    if command.op is Op.DMA:
        return "store" if Flag.WRITE in command.flags else "load"
    return {Op.ATTN: "attention"}.get(command.op, command.op.name.lower())


def profiles_of(counted: Mapping[str, Any], package: Package) -> list[Profile]:
    """A profile for each run in what the simulator counted (``RtlPlatform.profiled``).

    Raises:
        ProfileError: it counted a command that the package does not have.
    """
    return [_profile_of(run, package) for run in counted["runs"]]


def _profile_of(run: Mapping[str, Any], package: Package) -> Profile:
    steps = []
    for index, first, last, *counts in run["commands"]:
        if index >= len(package.commands):
            raise ProfileError(
                f"profile: command {index} was counted, the package has {len(package.commands)}"
            )
        command = package.commands[index]
        steps.append(
            Step(
                index=index,
                op=command.op.name,
                block=command.block,
                layer=layer_of(command),
                first=first,
                last=last,
                counts=_named(counts),
            )
        )
    return Profile(
        machine=package.machine.name,
        clock_mhz=package.machine.clock_mhz,
        model=package.config.name,
        digest=package.digest,
        steps=tuple(steps),
        span=run["span"],
        bins=tuple(_named(counts) for counts in run["bins"]),
    )


def _named(counts: Sequence[int]) -> Counts:
    return dict(zip(COUNTERS, counts, strict=False))


def write_profile(path: Path, profile: Profile) -> list[Path]:
    """``path`` as JSON; a folder gets ``profile.json``, the table and the picture.

    Returns the files that were written.
    """
    if path.suffix == ".json":
        return [write_json(path, profile.to_dict())]
    from m3vit.host.profile_picture import write_picture
    from m3vit.host.profile_table import write_table

    path.mkdir(parents=True, exist_ok=True)
    return [
        write_json(path / "profile.json", profile.to_dict()),
        write_table(path / "profile.txt", profile),
        write_picture(path / "profile.png", profile),
    ]


def read_profile(path: Path) -> Profile:
    """What :func:`write_profile` wrote.

    Raises:
        ProfileError: it cannot be read.
    """
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ProfileError(f"profile: cannot read {path}: {error}") from error
    return Profile.from_dict(values)
