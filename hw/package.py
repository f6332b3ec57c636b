"""The package directory: what passes between compiler, host, RTL and simulators.

``manifest.json`` (configuration, machine, regions, trace map, digests), ``weights.bin``,
``commands.bin`` and ``golden.npz``.  The digest covers everything; a reader refuses an edited or
truncated package before it looks inside.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from m3vit.hw.commands.fields import Base
from m3vit.hw.commands.word import Command, decode_all, encode
from m3vit.hw.compiler.builder import Program
from m3vit.hw.compiler.heads import head_from_memory
from m3vit.hw.compiler.memory import Region
from m3vit.hw.compiler.tracing import TraceRegion
from m3vit.hw.config import ModelConfig, digest_of
from m3vit.hw.errors import DigestMismatchError, PackageError
from m3vit.hw.files import directory_atomic, write_atomic, write_bytes, write_json
from m3vit.hw.machine import CONTRACT_VERSION, MachineConfig
from m3vit.hw.package_check import (
    check_commands,
    check_head,
    check_regions,
    check_trace,
    golden_bytes,
    windows_of,
)
from m3vit.hw.package_files import (
    BLOBS,
    COMMANDS,
    FORMAT,
    GOLDEN,
    MANIFEST,
    WEIGHTS,
    read_arrays,
    read_blob,
    read_manifest,
)
from m3vit.hw.quantised import Head
from m3vit.hw.ranges import shown

MOST_FRACTION = 15
"""Fraction bits of an int16 residual."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package in memory, verified."""

    path: Path
    config: ModelConfig
    machine: MachineConfig
    residual_fraction: int
    digest: str
    weights: bytes
    commands: tuple[Command, ...]
    regions: tuple[Region, ...]
    trace: tuple[TraceRegion, ...]
    heads: tuple[Head, ...]

    @property
    def trace_bytes(self) -> int:
        """Bytes of the trace buffer."""
        return max((region.offset + region.size for region in self.trace), default=0)

    @property
    def windows(self) -> dict[Base, int]:
        """Bytes behind each base register that the commands may touch."""
        return windows_of(self.config, len(self.weights), self.trace_bytes)

    def golden(self) -> dict[str, np.ndarray[Any, Any]]:
        """The recorded sample: the image and every layer's integers.

        Raises:
            PackageError: the file is gone, damaged, or larger than the network's could be.
        """
        return read_arrays(self.path / GOLDEN, golden_bytes(self.config, self.trace_bytes))

    def require_machine(self, machine: MachineConfig) -> None:
        """Refuse a device that was built for another machine.

        Raises:
            DigestMismatchError: naming both.
        """
        if machine.digest != self.machine.digest:
            raise DigestMismatchError(
                f"package {self.path} was compiled for machine {self.machine.name} "
                f"({self.machine.digest[:16]}), the device is {machine.name} "
                f"({machine.digest[:16]}); compile it with --machine {machine.name}"
            )


def write_package(path: Path, program: Program, golden: dict[str, np.ndarray[Any, Any]]) -> str:
    """Write the package directory at once or not at all, and return its digest.

    Raises:
        WriteError: the file system refused; an older package at ``path`` is untouched.
    """
    model = program.model
    with directory_atomic(path) as work:
        write_bytes(work / WEIGHTS, program.memory.data)
        write_bytes(work / COMMANDS, b"".join(map(encode, program.commands)))
        write_atomic(work / GOLDEN, lambda stream: np.savez_compressed(stream, **golden))
        manifest: dict[str, object] = {
            "format": FORMAT,
            "contract": CONTRACT_VERSION,
            "model": model.config.to_dict(),
            "machine": program.machine.to_dict(),
            "machine_digest": program.machine.digest,
            "residual_fraction": model.residual_fraction,
            "regions": [region.to_dict() for region in program.memory.regions],
            "trace": [region.to_dict() for region in program.trace.regions],
            "heads": program.heads,
            "files": {name: _file_entry(work / name) for name in BLOBS},
        }
        digest = digest_of(manifest)
        write_json(work / MANIFEST, {**manifest, "digest": digest})
    return digest


def _file_entry(path: Path) -> dict[str, object]:
    data = path.read_bytes()
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def read_package(path: Path) -> Package:
    """Read and verify the package directory at ``path``: digests, and whether its parts agree.

    Raises:
        PackageError: something is missing, truncated, malformed or of another version.
        DigestMismatchError: something was edited.
        CommandError: a command is malformed or leaves its buffers or stores.
        ConfigurationError: the network or the machine is none.
    """
    manifest = read_manifest(path)
    try:
        entries = manifest["files"]
        files = {name: read_blob(path / name, entries[name]) for name in BLOBS}
        package = _build(path, manifest, files[WEIGHTS], files[COMMANDS])
        _check(package, [entry["task"] for entry in manifest["heads"]])
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise PackageError(
            f"package {path}: {MANIFEST} is malformed ({shown(repr(error))}); compile the package "
            "again"
        ) from error
    return package


def _check(package: Package, names: list[object]) -> None:
    config = package.config
    check_regions(package.regions, len(package.weights))
    check_trace(package.trace, config)
    check_commands(package.commands, config, package.machine, package.windows)
    for task, head, name in zip(config.tasks, package.heads, names, strict=True):
        check_head(task, head, name, config)


def _build(path: Path, manifest: dict[str, Any], weights: bytes, commands: bytes) -> Package:
    machine = MachineConfig.from_dict(manifest["machine"])
    if machine.digest != manifest["machine_digest"]:
        raise DigestMismatchError(
            f"package {path}: machine {machine.name} has digest {machine.digest[:16]}, the "
            f"package states {shown(manifest['machine_digest'])}; compile it again"
        )
    return Package(
        path=path,
        config=ModelConfig.from_dict(manifest["model"]),
        machine=machine,
        residual_fraction=_fraction(manifest["residual_fraction"]),
        digest=manifest["digest"],
        weights=weights,
        commands=decode_all(commands),
        regions=tuple(Region(**entry) for entry in manifest["regions"]),
        trace=tuple(TraceRegion(**entry) for entry in manifest["trace"]),
        heads=tuple(head_from_memory(weights, entry) for entry in manifest["heads"]),
    )


def _fraction(value: object) -> int:
    if type(value) is not int or not 0 <= value <= MOST_FRACTION:
        raise PackageError(
            f"residual_fraction is {shown(value)}, expected 0 to {MOST_FRACTION}; compile the "
            "package again"
        )
    return value
