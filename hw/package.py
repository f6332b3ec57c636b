"""The package directory: what passes between compiler, host, RTL and simulators.

``manifest.json`` (configuration, machine, regions, trace map, digests), ``weights.bin``,
``commands.bin`` and ``golden.npz``.  The digest covers everything; a reader refuses an edited or
truncated package before it looks inside.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from m3vit.hw.commands.word import Command, decode_all, encode
from m3vit.hw.compiler.builder import Program
from m3vit.hw.compiler.heads import head_from_memory
from m3vit.hw.compiler.memory import Region
from m3vit.hw.compiler.tracing import TraceRegion
from m3vit.hw.config import ModelConfig, digest_of
from m3vit.hw.errors import DigestMismatchError, PackageError
from m3vit.hw.files import directory_atomic, write_atomic, write_bytes, write_json
from m3vit.hw.machine import CONTRACT_VERSION, MachineConfig
from m3vit.hw.quantised import Head

MANIFEST, WEIGHTS, COMMANDS, GOLDEN = "manifest.json", "weights.bin", "commands.bin", "golden.npz"
FORMAT = "m3vit-package-1"


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

    def golden(self) -> dict[str, np.ndarray[Any, Any]]:
        """The recorded sample: the image and every layer's integers."""
        with np.load(self.path / GOLDEN) as stored:
            return {name: stored[name] for name in stored.files}

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
            "files": {name: _file_entry(work / name) for name in (WEIGHTS, COMMANDS, GOLDEN)},
        }
        digest = digest_of(manifest)
        write_json(work / MANIFEST, {**manifest, "digest": digest})
    return digest


def _file_entry(path: Path) -> dict[str, object]:
    data = path.read_bytes()
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def read_package(path: Path) -> Package:
    """Read and verify the package directory at ``path``.

    Raises:
        PackageError: something is missing, truncated, malformed or of another version.
        DigestMismatchError: something was edited.
    """
    manifest = _read_manifest(path)
    try:
        files = {name: _read_file(path / name, manifest["files"][name]) for name in _files()}
        return _build(path, manifest, files[WEIGHTS], files[COMMANDS])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PackageError(
            f"package {path}: {MANIFEST} is malformed ({error!r}); compile the package again"
        ) from error


def _files() -> tuple[str, ...]:
    return WEIGHTS, COMMANDS, GOLDEN


def _read_manifest(path: Path) -> dict[str, Any]:
    file = path / MANIFEST
    try:
        manifest = json.loads(file.read_text())
    except FileNotFoundError as error:
        raise PackageError(f"{path} is no package: {MANIFEST} is missing") from error
    except (OSError, ValueError) as error:
        raise PackageError(f"package {path}: cannot read {MANIFEST}: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise PackageError(f"package {path}: {MANIFEST} is not of format {FORMAT}")
    stated = manifest.pop("digest", None)
    if stated != digest_of(manifest):
        raise DigestMismatchError(
            f"package {path}: digest {stated} does not match the manifest, which was edited; "
            "compile the package again"
        )
    if manifest["contract"] != CONTRACT_VERSION:
        raise PackageError(
            f"package {path}: contract version {manifest['contract']}, expected "
            f"{CONTRACT_VERSION}; compile the package again"
        )
    return {**manifest, "digest": stated}


def _read_file(file: Path, entry: dict[str, Any]) -> bytes:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise PackageError(f"package {file.parent}: {file.name}: {error.strerror}") from error
    if len(data) != entry["bytes"]:
        raise PackageError(
            f"package {file.parent}: {file.name} has {len(data)} bytes, expected "
            f"{entry['bytes']}; it is truncated, copy or compile it again"
        )
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise DigestMismatchError(
            f"package {file.parent}: {file.name} does not match its digest; compile it again"
        )
    return data


def _build(path: Path, manifest: dict[str, Any], weights: bytes, commands: bytes) -> Package:
    machine = MachineConfig.from_dict(manifest["machine"])
    if machine.digest != manifest["machine_digest"]:
        raise DigestMismatchError(
            f"package {path}: machine {machine.name} has digest {machine.digest[:16]}, the "
            f"package states {manifest['machine_digest'][:16]}; compile it again"
        )
    return Package(
        path=path,
        config=ModelConfig.from_dict(manifest["model"]),
        machine=machine,
        residual_fraction=int(manifest["residual_fraction"]),
        digest=manifest["digest"],
        weights=weights,
        commands=decode_all(commands),
        regions=tuple(Region(**entry) for entry in manifest["regions"]),
        trace=tuple(TraceRegion(**entry) for entry in manifest["trace"]),
        heads=tuple(head_from_memory(weights, entry) for entry in manifest["heads"]),
    )
