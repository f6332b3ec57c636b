"""hls4ml backend ZCU104: Vitis HLS for the XCZU7EV, weights of our layers over AXI."""

import re
from pathlib import Path
from typing import Any

from hls4ml.backends import VitisBackend, VivadoBackend
from hls4ml.model.flow import get_flow, register_flow
from hls4ml.writer.vitis_writer import VitisWriter

from m3vit.hls.tcl import CLOCK_NS, PART
from m3vit.hw.files import write_text

NAME = "ZCU104"
_PORT = re.compile(r"^( *)#pragma HLS INTERFACE bram port=(\S+) *$", re.MULTILINE)


class Zcu104Writer(VitisWriter):
    """Vitis projects whose external weights are AXI masters instead of block RAM ports."""

    def write_project_cpp(self, model: Any) -> None:
        """The top function, its memory ports over AXI in bursts of 64 words."""
        super().write_project_cpp(model)
        folder = Path(model.config.get_output_dir()) / "firmware"
        file = folder / f"{model.config.get_project_name()}.cpp"
        lengths = {w.name: w.data_length for w in model.get_weight_variables()}
        text = file.read_text()
        write_text(file, _PORT.sub(lambda found: _axi(found, lengths), text))


# A bundle a port: layers of a DATAFLOW region must not share one.
def _axi(found: "re.Match[str]", lengths: dict[str, int]) -> str:
    indent, ports = found.groups()
    return "\n".join(
        f"{indent}#pragma HLS INTERFACE m_axi port={port} bundle={port} offset=slave "
        f"depth={lengths[port]} max_widen_bitwidth=128 max_read_burst_length=64 "
        "num_read_outstanding=8 latency=64"
        for port in ports.split(",")
    )


class Zcu104Backend(VitisBackend):
    """Vitis with the ZCU104's part and clock, and the passes of this package in its flows."""

    def __init__(self) -> None:
        super(VivadoBackend, self).__init__(name=NAME)
        self._register_layer_attributes()
        self._register_flows()

    def _register_flows(self) -> None:
        inputs, memories = f"{NAME}:integer_inputs".lower(), f"{NAME}:external_memory".lower()
        requires = [
            flow for flow in get_flow("vitis:ip").requires if flow != "vitis:apply_templates"
        ]
        integers = register_flow("integers", [inputs], requires=["optimize"], backend=self.name)
        external = register_flow(
            "external", [memories], requires=["vivado:specific_types"], backend=self.name
        )
        templates = register_flow(
            "apply_templates",
            self._get_layer_templates,
            requires=["vivado:init_layers"],
            backend=self.name,
        )
        requires.insert(requires.index("vivado:specific_types"), integers)
        requires.insert(requires.index("vivado:specific_types") + 1, external)
        requires.append(templates)
        writer = ["make_stamp", f"{NAME}:write_hls".lower()]
        self._default_flow = register_flow("ip", None, requires=requires, backend=self.name)
        self._writer_flow = register_flow(
            "write", writer, requires=[self._default_flow], backend=self.name
        )

    def create_initial_config(
        self,
        part: str | None = PART,
        clock_period: float | None = CLOCK_NS,
        io_type: str = "io_stream",
        **others: Any,
    ) -> dict[str, Any]:
        """As Vitis', for the XCZU7EV at the RTL's clock, streaming."""
        config: dict[str, Any] = super().create_initial_config(
            part=part or PART, clock_period=clock_period or CLOCK_NS, io_type=io_type, **others
        )
        return config
