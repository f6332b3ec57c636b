"""The folders at the top are the namespace m3vit: nothing forgotten, nothing imported twice."""

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
PARTS = sorted(SETUPTOOLS["package-dir"].values())


def test_every_package_on_disk_is_listed() -> None:
    on_disk = {
        "m3vit." + ".".join(init.parent.relative_to(ROOT).parts)
        for part in PARTS
        for init in (ROOT / part).rglob("__init__.py")
    }
    listed = set(SETUPTOOLS["packages"])
    assert on_disk - listed == set()
    # Folders of data are listed too, so that they enter the wheel.
    data = [ROOT.joinpath(*name.split(".")[1:]) for name in listed - on_disk]
    assert [folder for folder in data if not list(folder.glob("*"))] == []


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {module.parent for part in PARTS for module in (ROOT / part).rglob("*.py")}
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize("part", PARTS)
def test_part_comes_from_this_checkout(part: str) -> None:
    spec = find_spec(f"m3vit.{part}")
    assert spec is not None and spec.origin is not None
    assert Path(spec.origin).resolve().parent == ROOT / part


@pytest.mark.parametrize("part", PARTS)
def test_part_is_never_imported_under_its_bare_name(part: str) -> None:
    assert part not in sys.modules


@pytest.mark.parametrize("part", PARTS)
def test_part_says_what_it_is(part: str) -> None:
    text = (ROOT / part / "README.md").read_text()
    assert text.startswith(f"# {part}") and len(text.splitlines()) <= 60
    assert (ROOT / part / "py.typed").exists()


SHADOWS = {"trace.py", "types.py", "queue.py", "select.py"}


def test_no_module_shadows_the_standard_library() -> None:
    found = [path for part in PARTS for path in (ROOT / part).rglob("*.py") if path.name in SHADOWS]
    assert found == []
