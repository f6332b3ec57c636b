"""The generated part of a document; and that the project's own is up to date."""

from pathlib import Path

import pytest

from m3vit.host import cli
from m3vit.host.compare.reading import CompareError
from m3vit.host.compare.readme import BEGIN, END, check, update

ROOT = Path(__file__).resolve().parents[3]


def test_only_the_part_between_the_markers_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    with pytest.raises(CompareError, match="stale from line 3 on; run `make it` and commit"):
        check(path, "new\n", "make it")
    update(path, "new\n")
    assert path.read_text() == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    check(path, "new\n", "make it")


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}\n{BEGIN}", f"{BEGIN}{BEGIN}{END}"])
def test_missing_markers_are_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text(text)
    with pytest.raises(CompareError, match="needs the lines .* once each"):
        update(path, "new\n")
    assert path.read_text() == text


def test_the_projects_readme_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", "--readme", str(ROOT / "README.md"), "--check"]) == 0
    assert "is up to date" in capsys.readouterr().out


def test_a_stale_readme_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "README.md"
    path.write_text((ROOT / "README.md").read_text().replace("modelled", "measured"))
    assert cli.main(["compare", "--readme", str(path), "--check"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "is stale from line" in line
