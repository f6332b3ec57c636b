"""A built bitstream, its metadata, the package and the notebooks over ssh to a board."""

import hashlib
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from m3vit.boards.project import MANIFEST
from m3vit.hw.errors import ConfigurationError, ToolError
from m3vit.hw.files import write_text
from m3vit.rtl.top import NAME

ROOT = Path(__file__).resolve().parents[1]
FOLDER = NAME
"""On the board, in the user's home."""
NOTEBOOKS = f"jupyter_notebooks/{NAME}"
"""Where PYNQ's Jupyter shows them."""
SUMS = "SHA256SUMS"
INSTALL = Path(__file__).parent / "scripts" / "install.sh"
INSTALL_COMMAND = f"sudo bash {FOLDER}/{INSTALL.name}"
"""Run on the board: PYNQ's environment belongs to root."""
NEEDED = (f"{NAME}.bit", f"{NAME}.hwh", MANIFEST)
OPTIONS = ("-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=5")
"""Keys instead of passwords, so that nothing waits for a terminal."""
_CONNECT_S, _COPY_S, _WHEEL_S = 30.0, 300.0, 300.0


@dataclass(frozen=True, kw_only=True)
class Step:
    """A program with its arguments; it may take ``seconds``."""

    words: tuple[str, ...]
    seconds: float
    why: str

    @property
    def text(self) -> str:
        """As one would type it."""
        return shlex.join(self.words)


def required_files(build: Path) -> tuple[Path, ...]:
    """Bitstream, metadata and manifest of the build in ``build``.

    Raises:
        ConfigurationError: one is missing.
    """
    files = tuple(build / name for name in NEEDED)
    missing = [path.name for path in files if not path.is_file()]
    if missing:
        raise ConfigurationError(
            f"{build} lacks {', '.join(missing)}; `make bitstream BOARD=...` writes them, the "
            ".bit where Vivado is"
        )
    return files


def notebooks() -> tuple[Path, ...]:
    """The notebooks of this checkout."""
    return tuple(sorted((ROOT / "host" / "notebooks").glob("*.ipynb")))


def wheel_name() -> str:
    """File name of this version's wheel."""
    return f"{NAME}-{version(NAME)}-py3-none-any.whl"


def steps(target: str, files: Sequence[Path]) -> tuple[Step, ...]:
    """What copies ``files`` and the notebooks to ``target`` (user@address) and checks them."""
    pictures = notebooks()

    def remote(command: str, why: str) -> Step:
        return Step(words=("ssh", *OPTIONS, target, command), seconds=_CONNECT_S, why=why)

    def copy(paths: Sequence[Path], folder: str, why: str) -> Step:
        words = ("scp", "-q", *OPTIONS, *map(str, paths), f"{target}:{folder}/")
        return Step(words=words, seconds=_COPY_S, why=why)

    found = [
        remote(f"mkdir -p {FOLDER} {NOTEBOOKS}", "make the folders"),
        copy(files, FOLDER, "copy bitstream, metadata and package"),
    ]
    if pictures:
        found.append(copy(pictures, NOTEBOOKS, "copy the notebooks"))
    return (*found, remote(f"cd {FOLDER} && sha256sum --quiet -c {SUMS}", "compare the copies"))


def run_step(step: Step) -> None:
    """Run one step.

    Raises:
        ToolError: the program is absent, fails or does not end in time.
    """
    print(step.why, file=sys.stderr, flush=True)
    try:
        done = subprocess.run(
            step.words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=step.seconds,
            check=False,
        )
    except FileNotFoundError:
        raise ToolError(f"{step.words[0]} is not on PATH, install an OpenSSH client") from None
    except subprocess.TimeoutExpired:
        raise ToolError(
            f"could not {step.why}: no answer within {step.seconds:g} s; is the board on?"
        ) from None
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        said = lines[-1].strip() if lines else f"exit code {done.returncode}"
        raise ToolError(f"could not {step.why}: {said}")


def build_wheel(out: Path) -> Path:
    """The wheel of this checkout in ``out``, built from a copy so that nothing is left here."""
    if not (ROOT / "pyproject.toml").is_file():
        raise ConfigurationError(f"{ROOT} is no checkout of m3vit; deploy from one")
    ignore = shutil.ignore_patterns("__pycache__", ".*", "build", "results", "tests", "*.egg-info")
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "source"
        shutil.copytree(ROOT, copy, ignore=ignore)
        words = (sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation")
        step = Step(
            words=(*words, "--disable-pip-version-check", "-w", str(out), str(copy)),
            seconds=_WHEEL_S,
            why="build the wheel",
        )
        run_step(step)
    return out / wheel_name()


def deploy(target: str, build: Path) -> None:
    """Build the wheel, copy everything and compare checksums on the board.

    Raises:
        ConfigurationError: a file is missing.
        ToolError: a step failed or timed out.
    """
    files = required_files(build)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = (*files, INSTALL, build_wheel(folder))
        sums = "".join(f"{_digest(path)}  {path.name}\n" for path in whole)
        for step in steps(target, (*whole, write_text(folder / SUMS, sums))):
            run_step(step)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
