"""The files of a package, read without trusting them: sizes first, digests before contents."""

import hashlib
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from m3vit.hw import strict_json
from m3vit.hw.config import digest_of
from m3vit.hw.errors import DigestMismatchError, PackageError
from m3vit.hw.machine import CONTRACT_VERSION
from m3vit.hw.ranges import shown

MANIFEST, WEIGHTS, COMMANDS, GOLDEN = "manifest.json", "weights.bin", "commands.bin", "golden.npz"
BLOBS = (WEIGHTS, COMMANDS, GOLDEN)
FORMAT = "m3vit-package-1"
MANIFEST_BYTES = 1 << 26
"""More than any manifest holds."""


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of the package at ``path``, its digest checked.

    Raises:
        PackageError: it is missing, unreadable, of another format or contract.
        DigestMismatchError: it was edited.
    """
    manifest = _parsed(path)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise PackageError(f"package {path}: {MANIFEST} is not of format {FORMAT}")
    stated = manifest.pop("digest", None)
    if stated != digest_of(manifest):
        raise DigestMismatchError(
            f"package {path}: digest {shown(stated)} does not match the manifest, which was "
            "edited; compile the package again"
        )
    version = manifest.get("contract")
    if type(version) is not int or version != CONTRACT_VERSION:
        raise PackageError(
            f"package {path}: contract version {shown(version)}, expected {CONTRACT_VERSION}; "
            "compile the package again"
        )
    return {**manifest, "digest": stated}


def _parsed(path: Path) -> Any:
    file = path / MANIFEST
    try:
        if file.stat().st_size > MANIFEST_BYTES:
            raise ValueError(f"{file.stat().st_size} bytes are more than any manifest has")
        return strict_json.loads(file.read_text("utf-8"))
    except FileNotFoundError as error:
        raise PackageError(f"{path} is no package: {MANIFEST} is missing") from error
    except (OSError, ValueError) as error:
        raise PackageError(f"package {path}: cannot read {MANIFEST}: {error}") from error


def read_blob(file: Path, entry: dict[str, Any]) -> bytes:
    """The bytes of ``file``, of the size and digest that the manifest's ``entry`` states.

    Raises:
        PackageError: it is missing or of another size.
        DigestMismatchError: it was edited.
    """
    try:
        size = file.stat().st_size
        # A wrong size is found before anything is read: memory follows the manifest, not the file.
        data = file.read_bytes() if size == entry["bytes"] else b""
    except OSError as error:
        raise PackageError(f"package {file.parent}: {file.name}: {error.strerror}") from error
    if size != entry["bytes"]:
        raise PackageError(
            f"package {file.parent}: {file.name} has {size} bytes, expected "
            f"{shown(entry['bytes'])}; it is truncated, copy or compile it again"
        )
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise DigestMismatchError(
            f"package {file.parent}: {file.name} does not match its digest; compile it again"
        )
    return data


def read_arrays(file: Path, most: int) -> dict[str, np.ndarray[Any, Any]]:
    """Every array of the .npz ``file``, which unpack to ``most`` bytes at most.

    Raises:
        PackageError: it is no .npz, damaged, or larger.
    """
    try:
        _check_sizes(file, most)
        with np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except PackageError:
        raise
    except (
        OSError,
        ValueError,
        EOFError,
        KeyError,
        NotImplementedError,
        RuntimeError,
        SyntaxError,  # of a damaged array header, which numpy parses as Python
        tokenize.TokenError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise PackageError(
            f"package {file.parent}: cannot read {file.name} ({shown(str(error))}); compile it "
            "again"
        ) from error


def _check_sizes(file: Path, most: int) -> None:
    """What the archive says that it unpacks to, and what its arrays say that they hold."""
    needed = 0
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            needed += max(info.file_size, _array_bytes(archive, info))
    if needed > most:
        raise PackageError(
            f"package {file.parent}: {file.name} unpacks to {needed} bytes, expected at most "
            f"{most} for this network; compile it again"
        )


def _array_bytes(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> int:
    """Bytes that the header of one array asks for: numpy allocates them before it reads."""
    with archive.open(info) as stream:
        version = np.lib.format.read_magic(stream)  # type: ignore[no-untyped-call]
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read is None:
            raise ValueError(f"array format {version}, expected 1.0 or 2.0")
        shape, _, kind = read(stream)  # type: ignore[no-untyped-call]
    if kind.hasobject or any(type(side) is not int or side < 0 for side in shape):
        raise ValueError(f"array of {kind} {list(shape)[:8]}")
    count = int(kind.itemsize)
    for side in shape:
        count *= side
    return count
