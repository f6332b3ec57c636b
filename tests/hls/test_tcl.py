import shutil
import subprocess
from pathlib import Path

import pytest

from m3vit.hls.layer import Kind
from m3vit.hls.tcl import script

STUBS = """
foreach name {open_project set_top add_files open_solution set_part create_clock
              config_interface config_dataflow csynth_design} {
    proc $name {args} "puts \\[concat $name \\$args\\]"
}
"""


@pytest.mark.skipif(shutil.which("tclsh") is None, reason="tclsh is not on the path")
@pytest.mark.parametrize("kind", list(Kind))
def test_the_script_calls_what_it_should(kind: Kind, tmp_path: Path) -> None:
    file = tmp_path / "synth.tcl"
    file.write_text(STUBS + script(kind))
    said = subprocess.run(["tclsh", str(file)], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == [
        "open_project -reset synth",
        f"set_top m3vit_{kind.value}",
        f"add_files top_{kind.value}.cpp -cflags -std=c++14",
        "add_files -tb testbench.cpp -cflags -std=c++14",
        "open_solution -reset solution -flow_target vivado",
        "set_part xczu7ev-ffvc1156-2-e",
        "create_clock -period 3.33 -name default",
        "config_interface -m_axi_addr64",
        "config_dataflow -strict_mode warning",
        "csynth_design",
    ]
