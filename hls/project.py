"""A project directory of one layer: sources, memory, and the scripts for Vitis HLS."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from m3vit.hls.config_text import constants, header
from m3vit.hls.headers import TEMPLATES
from m3vit.hls.layer import HlsLayer, Kind, Parallelism
from m3vit.hls.tcl import CLOCK_NS, PART, script
from m3vit.hw.errors import PackageError
from m3vit.hw.files import directory_atomic, write_bytes, write_json, write_text

MANIFEST, MEMORY = "layer.json", "memory.bin"
FORMAT = "m3vit-hls-1"


@dataclass(frozen=True, kw_only=True)
class Project:
    """A generated project, read back."""

    path: Path
    name: str
    kind: Kind
    constants: dict[str, int]
    part: str
    clock_ns: float

    @property
    def top(self) -> str:
        """The kernel's function."""
        return f"m3vit_{self.kind.value}"


def generate(
    layer: HlsLayer, path: Path, parallelism: Parallelism | None = None, part: str = PART
) -> Path:
    """Write the project of ``layer`` at once or not at all.

    Raises:
        ConfigurationError: the templates cannot build the layer so.
        WriteError: the file system refused.
    """
    chosen = parallelism or Parallelism()
    config = header(layer, chosen)
    manifest = {
        "format": FORMAT,
        "name": layer.name,
        "kind": layer.kind.value,
        "constants": constants(layer, chosen),
        "part": part,
        "clock_ns": CLOCK_NS,
    }
    with directory_atomic(path) as work:
        for name in _sources(layer.kind):
            shutil.copyfile(TEMPLATES / name, work / name)
        write_text(work / "config.h", config)
        write_text(work / "synth.tcl", script(layer.kind, part))
        size = -(-len(layer.memory) // chosen.word_bytes) * chosen.word_bytes
        write_bytes(work / MEMORY, layer.memory.ljust(size, b"\0"))
        write_json(work / MANIFEST, manifest)
    return path


def _sources(kind: Kind) -> list[str]:
    headers = sorted(file.name for file in TEMPLATES.glob("*.h"))
    return [*headers, f"top_{kind.value}.cpp", "testbench.cpp"]


def read_project(path: Path) -> Project:
    """Read what :func:`generate` wrote.

    Raises:
        PackageError: it is no such project.
    """
    file = path / MANIFEST
    try:
        values = json.loads(file.read_text())
        if values["format"] != FORMAT:
            raise ValueError(f"format {values['format']}")
        return Project(
            path=path,
            name=values["name"],
            kind=Kind(values["kind"]),
            constants=values["constants"],
            part=values["part"],
            clock_ns=values["clock_ns"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PackageError(
            f"{path} is no HLS project ({error}); write one with `m3vit hls generate`"
        ) from error
