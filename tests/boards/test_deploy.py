import hashlib
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from m3vit.boards import deploy
from m3vit.boards.deploy import NEEDED, Step, build_wheel, run_step, steps
from m3vit.hw.errors import ConfigurationError, ToolError

TARGET = "xilinx@192.0.2.1"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "built"
    folder.mkdir()
    for name in NEEDED:
        (folder / name).write_text(name)
    return folder


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins for ssh and scp: the board is a folder here."""
    home, tools = tmp_path / "home", tmp_path / "tools"
    home.mkdir()
    tools.mkdir()
    scripts = {
        "ssh": f'for last; do :; done\ncd {home} && exec sh -c "$last"',
        "scp": f'for last; do :; done\nto="{home}/${{last#*:}}"\n'
        'for f; do case "$f" in -*|*=*|*:*) ;; *) cp "$f" "$to" || exit 1;; esac; done',
    }
    for name, script in scripts.items():
        (tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    return home


def _wheel(out: Path) -> Path:
    path = out / deploy.wheel_name()
    path.write_text("wheel")
    return path


def test_everything_arrives_and_is_compared(
    built: Path, board: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    notebook = tmp_path / "first.ipynb"
    notebook.write_text("{}")
    monkeypatch.setattr(deploy, "build_wheel", _wheel)
    monkeypatch.setattr(deploy, "notebooks", lambda: (notebook,))
    deploy.deploy(TARGET, built)
    got = {path.name for path in (board / "m3vit").iterdir()}
    assert got == {*NEEDED, "install.sh", deploy.wheel_name(), deploy.SUMS}
    assert (board / "jupyter_notebooks" / "m3vit" / "first.ipynb").exists()
    sums = dict(
        line.split()[::-1] for line in (board / "m3vit" / deploy.SUMS).read_text().split("\n")[:-1]
    )
    for name in NEEDED:
        assert sums[name] == hashlib.sha256(name.encode()).hexdigest()


def test_a_damaged_copy_is_noticed(
    built: Path, board: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploy, "build_wheel", _wheel)
    scp = Path(os.environ["PATH"].split(":")[0]) / "scp"
    scp.write_text(scp.read_text() + 'echo x >> "$to/m3vit.bit"\n')
    with pytest.raises(ToolError, match="could not compare the copies: .*m3vit.bit|did NOT match"):
        deploy.deploy(TARGET, built)


def test_missing_files_are_named(tmp_path: Path, built: Path) -> None:
    with pytest.raises(
        ConfigurationError, match="lacks m3vit.bit, m3vit.hwh, manifest.json; `make"
    ):
        deploy.required_files(tmp_path)
    (built / "m3vit.bit").unlink()
    with pytest.raises(ConfigurationError, match="lacks m3vit.bit;"):
        deploy.deploy(TARGET, built)


def test_nothing_waits_for_ever_or_for_a_password(built: Path) -> None:
    for step in steps(TARGET, deploy.required_files(built)):
        assert step.seconds <= 300
        assert "BatchMode=yes" in step.words and "ConnectTimeout=10" in step.words


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("sh", "-c", "echo refused >&2; exit 255"), "could not copy: refused"),
        (("sh", "-c", "exit 3"), "could not copy: exit code 3"),
        (("sleep", "30"), "no answer within 0.5 s; is the board on"),
        (("no-such-program",), "no-such-program is not on PATH"),
    ],
)
def test_a_step_that_fails_says_why(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(ToolError, match=message):
        run_step(Step(words=words, seconds=0.5, why="copy"))


def test_a_wheel_needs_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy, "ROOT", tmp_path)
    with pytest.raises(ConfigurationError, match="no checkout"):
        build_wheel(tmp_path)


def test_the_install_script_installs_and_links(tmp_path: Path) -> None:
    here, root, tools = (tmp_path / name for name in ("xilinx", "root", "tools"))
    for folder in (here, root, tools):
        folder.mkdir()
    shutil.copy(deploy.INSTALL, here)
    (here / deploy.wheel_name()).write_text("wheel")
    (tools / "pip").write_text('#!/bin/sh\necho "$@" > "$HOME/said"\n')
    (tools / "pip").chmod(0o755)
    (tmp_path / "profile").write_text(f"PATH={tools}:$PATH\n")
    env = {**os.environ, "HOME": str(root), "PYNQ_PROFILE": str(tmp_path / "profile")}
    subprocess.run(["bash", str(here / "install.sh")], env=env, check=True, timeout=60)
    wheel = here / deploy.wheel_name()
    assert (root / "said").read_text().split()[-2:] == ["--force-reinstall", str(wheel)]
    assert (root / "m3vit" / wheel.name).read_text() == "wheel"


@pytest.mark.slow
def test_the_wheel_holds_what_the_board_imports(tmp_path: Path) -> None:
    names = set(zipfile.ZipFile(build_wheel(tmp_path)).namelist())
    for needed in ("hw/registers.py", "host/cli.py", "boards/zcu104/board.toml"):
        assert f"m3vit/{needed}" in names
    assert "m3vit/boards/scripts/build.tcl" in names
    assert "m3vit/boards/scripts/install.sh" in names
    assert "m3vit/boards/zcu104/constraints.xdc" in names
