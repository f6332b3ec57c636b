"""What the documents tell people to type exists: targets, verbs, options, files, presets."""

import argparse
import importlib
import re
import shlex
from pathlib import Path

import pytest

from m3vit.host.cli import VERBS

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *(path for path in ROOT.glob("*/README.md") if path.parent.name != ".venv"),
    ]
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
INDENTED = re.compile(r"^ {4}(m3vit .*|\.venv/bin/m3vit .*|make .*)$", re.M)
INLINE = re.compile(r"`((?:m3vit|make) [^`\n]+)`")
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)\)")


def _lines(text: str) -> list[str]:
    fenced = [
        line
        for language, body in FENCE.findall(text)
        if language in ("sh", "")
        for line in body.splitlines()
    ]
    lines = [*fenced, *INDENTED.findall(text), *INLINE.findall(text)]
    return [line.split(" #")[0].replace(".venv/bin/", "").strip() for line in lines]


COMMANDS = sorted(
    {
        (path.relative_to(ROOT).as_posix(), line)
        for path in DOCUMENTS
        for line in _lines(path.read_text())
        if re.match(r"(m3vit|make) [a-z]", line)
    }
)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        if "required" not in message:  # a verb may be named without its arguments
            raise AssertionError(message)
        raise SystemExit(0)


def _check_verb(line: str) -> None:
    _, verb, *rest = shlex.split(line)
    assert verb in VERBS, f"no verb {verb}"
    parser = _Parser(prog=verb)
    parser.add_argument("--debug", action="store_true")
    importlib.import_module(VERBS[verb][0]).configure(parser)
    arguments = [word.removesuffix("...") for word in rest if word != "..."]
    try:
        parser.parse_args(arguments)
    except SystemExit:
        return


def _check_target(line: str) -> None:
    targets = re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.M)
    for word in line.split()[1:]:
        if re.fullmatch(r"[a-z-]+", word):
            assert word in targets, f"no target {word}"
            return  # what follows on the line is its explanation


@pytest.mark.parametrize(("document", "line"), COMMANDS, ids=lambda value: value)
def test_command_can_be_typed(document: str, line: str) -> None:
    if line.startswith("make "):
        _check_target(line)
    elif line.split()[1] != "VERB":
        _check_verb(line)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_to_files(path: Path) -> None:
    missing = [link for link in LINK.findall(path.read_text()) if not (path.parent / link).exists()]
    assert missing == []


def test_readme_names_both_commands_and_every_folder() -> None:
    text = (ROOT / "README.md").read_text()
    assert "make demo" in text and "make test" in text
    for part in ("model", "hw", "rtl", "hls", "sim", "host", "boards", "tests"):
        assert f"`{part}`" in text or f"[`{part}`]" in text


def test_every_verb_is_documented() -> None:
    text = "\n".join(path.read_text() for path in DOCUMENTS)
    assert [verb for verb in VERBS if f"m3vit {verb}" not in text] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_modules_named_in_tables_exist(path: Path) -> None:
    if path.parent == ROOT or path.parent.name == "tests":
        return
    cells = re.findall(r"^\| (`[^|]*`) \|", path.read_text(), re.M)
    names = [name for cell in cells for name in re.findall(r"`([\w./*]+(?:\.py|/))`", cell)]
    assert [name for name in names if not list(path.parent.glob(name))] == []


def test_changelog_states_the_version() -> None:
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.M)
    assert version and f"## {version.group(1)} " in (ROOT / "CHANGELOG.md").read_text()
