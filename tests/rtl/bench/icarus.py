"""Builds a bench with Icarus Verilog, which knows unknown values.

Memories without contents begin unknown, registers with anything: a bench that passes shows that
what a reset does not set has run empty, or is not looked at, when the reset ends.
"""

import re
import shutil
from pathlib import Path

import pytest
from cocotb_tools.runner import get_runner

from m3vit.hw.files import write_text

_REGISTER = re.compile(
    r"^(?P<register>  reg (?:\[(?P<top>\d+):0\] )?\S+ ) *= \d+'[hd][0-9a-f]+;$", re.MULTILINE
)
"""A register with the value that an FPGA gives it once, when it is configured."""


def unsettled(text: str) -> str:
    """Verilog ``text`` whose registers begin with anything, as in any run but the first."""
    text = text.replace("always @*", "always_comb")  # Icarus does not run the former at time 0
    return _REGISTER.sub(_anything, text)


def _anything(match: re.Match[str]) -> str:
    words = int(match["top"] or 0) // 32 + 1
    return f"{match['register']}= {{{', '.join(['$urandom'] * words)}}};"


def build(text: str, home: Path, timescale: tuple[str, str]) -> None:
    """Compile Verilog ``text`` with its top ``dut`` in folder ``home``; one line ends the session
    if Icarus is absent.
    """
    if shutil.which("iverilog") is None:
        pytest.exit("SIM=icarus: iverilog is not on the path; install Icarus Verilog", 2)
    write_text(home / "dut.v", text)
    get_runner("icarus").build(
        sources=[home / "dut.v"], hdl_toplevel="dut", build_dir=home, timescale=timescale
    )
