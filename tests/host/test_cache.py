"""Keys change with everything that they are made from, and with nothing else."""

from pathlib import Path

import pytest

from m3vit.host.cache import folder_of, key_of, sources_of
from m3vit.hw.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[2]


def test_key_depends_on_contents_names_and_words(tmp_path: Path) -> None:
    for name, data in (("a", b"1"), ("b", b"2"), ("c", b"1")):
        (tmp_path / name).write_bytes(data)
    a, b, c = (tmp_path / name for name in "abc")
    keys = [
        key_of([a, b]),
        key_of([b, a]),
        key_of([a]),
        key_of([c]),
        key_of([a], ["x"]),
        key_of([a], ["x", "y"]),
        key_of([a], ["xy"]),
    ]
    assert len(set(keys)) == len(keys)
    assert all(len(key) == 16 for key in keys)


def test_key_does_not_depend_on_the_folder(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a").write_bytes(b"same")
    assert key_of([tmp_path / "one" / "a"]) == key_of([tmp_path / "two" / "a"])


def test_sources_are_those_of_this_checkout() -> None:
    sources = sources_of("m3vit.hw")
    assert ROOT / "hw" / "machine.py" in [path.resolve() for path in sources]
    assert sources == sorted(sources)


def test_missing_package_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"m3vit\.absent is not installed"):
        folder_of("m3vit.absent")
