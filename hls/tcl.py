"""Scripts for Vitis HLS 2024 and 2025 (`vitis-run --mode hls --tcl`, or `vitis_hls -f`)."""

from m3vit.hls.layer import Kind

PART = "xczu7ev-ffvc1156-2-e"
"""The ZCU104's."""
CLOCK_NS = 3.33
"""300 MHz, the clock of the RTL."""


def script(kind: Kind, part: str = PART, clock_ns: float = CLOCK_NS) -> str:
    """synth.tcl: synthesise the kernel; reports go to synth/solution/syn/report."""
    return "\n".join(
        [
            f"# Synthesis of m3vit_{kind.value}: vitis-run --mode hls --tcl synth.tcl",
            "open_project -reset synth",
            f"set_top m3vit_{kind.value}",
            f'add_files top_{kind.value}.cpp -cflags "-std=c++14"',
            'add_files -tb testbench.cpp -cflags "-std=c++14"',
            "open_solution -reset solution -flow_target vivado",
            f"set_part {part}",
            f"create_clock -period {clock_ns} -name default",
            "config_interface -m_axi_addr64",
            "config_dataflow -strict_mode warning",
            "csynth_design",
            "exit",
            "",
        ]
    )
