"""Every block of a machine, mapped and counted; kept by what it was made of."""

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import m3vit.hw
import m3vit.rtl
from m3vit.hw.files import write_json, write_text
from m3vit.hw.machine import MachineConfig
from m3vit.rtl.hierarchy import Piece, cut
from m3vit.rtl.library import convert
from m3vit.rtl.netlist import Mapped, Size
from m3vit.rtl.paths import connect, longest
from m3vit.rtl.size_blocks import block_of
from m3vit.rtl.synthesis import kept_mapping, mapped
from m3vit.rtl.top import NAME, Top


@dataclass(frozen=True, kw_only=True)
class Row(Size):
    """All units of a block in the machine, without the blocks inside them.

    ``levels``: LUTs in a row between two registers, the second one of this block, at most.
    ``logic``: LUTs and CARRY8 in a row.  ``path``: names on the longest way of LUTs.
    """

    times: int
    levels: int = 0
    logic: int = 0
    path: tuple[str, ...] = ()

    def plus(self, other: Size) -> "Row":
        """Both together; the longest path of either."""
        sums = asdict(Size.plus(self, other))
        if not isinstance(other, Row):
            return Row(**(asdict(self) | sums))
        worse = max(self, other, key=lambda row: row.levels)
        logic = max(self.logic, other.logic)
        return Row(
            **sums, times=self.times, levels=worse.levels, logic=logic, path=tuple(worse.path)
        )


def measure(machine: MachineConfig, folder: Path) -> dict[str, Row]:
    """Rows by block; what is kept in ``folder`` is not made again, progress on stderr."""
    name = f"{machine.name}-{_key(machine)}"
    kept = folder / f"{name}.json"
    if not kept.exists():
        pieces = cut(_verilog(machine, folder / f"{name}.v"), NAME, lambda m: bool(block_of(m)))
        rows = _rows(_map(pieces, folder))
        write_json(kept, {block: asdict(row) for block, row in rows.items()})
    return {block: Row(**values) for block, values in json.loads(kept.read_text()).items()}


def _key(machine: MachineConfig) -> str:
    """Of the machine and of everything that its Verilog is made from and measured by."""
    digest = hashlib.sha256(json.dumps(machine.to_dict(), sort_keys=True).encode())
    for package in (m3vit.hw, m3vit.rtl):
        for file in sorted(Path(str(package.__file__)).parent.rglob("*.py")):
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def _verilog(machine: MachineConfig, path: Path) -> str:
    if not path.exists():
        print(f"converting {machine.name}, a minute or two", file=sys.stderr, flush=True)
        write_text(path, convert(Top(machine), NAME).text)
    return path.read_text()


def _map(pieces: Mapping[str, Piece], folder: Path) -> dict[str, Mapped]:
    found = {name: kept_mapping(piece, folder) for name, piece in pieces.items()}
    missing = [name for name, one in found.items() if one is None]
    for number, name in enumerate(missing, 1):
        print(f"[{number}/{len(missing)}] {name}", file=sys.stderr, flush=True)
        found[name] = mapped(pieces[name], folder)
    return {name: one for name, one in found.items() if one is not None}


def _rows(modules: Mapping[str, Mapped]) -> dict[str, Row]:
    paths = longest(connect(modules, NAME))
    units = Counter(_instances(modules, NAME, ""))
    rows: dict[str, Row] = {}
    for (module, new), times in units.items():
        block, path, size = block_of(module), paths[module], modules[module].size
        row = rows.get(block, Row(times=0))
        one = Row(times=0, levels=path.levels, logic=path.logic, path=path.names, **asdict(size))
        row = row.plus(one)
        for _ in range(times - 1):
            row = row.plus(size)
        rows[block] = Row(**(asdict(row) | {"times": row.times + new * times}))
    return rows


def _instances(modules: Mapping[str, Mapped], name: str, outer: str) -> Iterator[tuple[str, bool]]:
    """Every instance's module, and whether it is not a part of its own block."""
    yield name, block_of(name) != outer
    for _, child, _ in modules[name].children:
        if child in modules:
            yield from _instances(modules, child, block_of(name))
