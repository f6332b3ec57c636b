"""Names for results that are kept: a digest of everything that they were made from."""

import hashlib
import importlib.util
from collections.abc import Iterable
from pathlib import Path

from m3vit.hw.errors import ConfigurationError

DIGITS = 16


def folder_of(package: str) -> Path:
    """Where the Python package called ``package`` lies, found without importing it.

    Raises:
        ConfigurationError: it is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError(f"{package} is not installed; run `make install`")
    return Path(next(iter(spec.submodule_search_locations)))


def sources_of(package: str) -> list[Path]:
    """Every Python file of ``package``, in order."""
    return sorted(folder_of(package).rglob("*.py"))


def key_of(files: Iterable[Path], words: Iterable[str] = ()) -> str:
    """Sixteen hexadecimal digits over the contents of ``files`` and ``words``."""
    total = hashlib.sha256()
    for word in words:
        total.update(f"{word}\n".encode())
    for file in files:
        data = file.read_bytes()
        total.update(f"{file.name} {len(data)}\n".encode())
        total.update(data)
    return total.hexdigest()[:DIGITS]
