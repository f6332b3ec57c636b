"""``m3vit compare`` from the command line."""

import json
from pathlib import Path

import pytest

from m3vit.host import cli
from tests.host.compare.entries import record


def write(path: Path, *models: tuple[str, int]) -> str:
    path.write_text("".join(record(model, tokens).to_json() + "\n" for model, tokens in models))
    return str(path)


def test_json_holds_the_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "a.jsonl", ("tiny", 129), ("tiny", 197))
    assert cli.main(["compare", path, "--no-published", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["tokens"] for row in found["rows"]] == [129, 197]
    assert found["apart"] == ["tiny and tiny are apart: tokens 129 and 197."]
    (figures,) = (entry["figures"] for entry in found["rows"][0]["entries"])
    assert figures["latency_ms"] == {"value": 0.25, "evidence": "measured", "source": "events"}


def test_files_are_written_where_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = write(tmp_path / "a.jsonl", ("tiny", 129)), tmp_path / "out"
    assert cli.main(["compare", path, "--out", str(out)]) == 0
    names = {each.name for each in out.iterdir()}
    assert {"compare.md", "compare.json", "latency.png", "latency.svg"} <= names
    printed = capsys.readouterr().out
    assert all(f"wrote {out / name}" in printed for name in names)
    assert (out / "compare.md").read_text() in printed


@pytest.mark.parametrize(
    ("models", "reason"),
    [
        ([("tiny", 129), ("tiny", 197)], "cannot share a row: tokens 129 and 197"),
        ([("tiny", 129), ("other", 129)], "cannot share a row: model tiny and other"),
    ],
)
def test_unequal_records_in_one_row_are_one_line(
    models: list[tuple[str, int]],
    reason: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = write(tmp_path / "a.jsonl", *models)
    assert cli.main(["compare", path, "--no-published", "--one-row"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert reason in line


def test_check_needs_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", "--check"]) == 2
    assert "--check needs --readme FILE" in capsys.readouterr().err
