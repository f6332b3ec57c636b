import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from m3vit.boards.board import board_names
from m3vit.boards.project import Project
from m3vit.boards.system import BASE_ADDRESS
from tests.boards.vendor_pins import axi_of, pins_of
from tests.boards.vivado import Run, needs_tcl, project_of, run_build

pytestmark = needs_tcl
OURS = {"clk": "clock", "rst": "high", "interrupt": "interrupt out"}


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """The block design that the script's calls make."""

    run: Run
    project: Project
    kinds: dict[str, str]
    settings: dict[str, dict[str, str]]

    def axi(self) -> dict[str, str]:
        """Every AXI interface of every instance: master or slave; ours as packaged."""
        found = {}
        for name, kind in self.kinds.items():
            if kind == "m3vit":
                continue
            for interface, mode in axi_of(kind, self.settings[name]).items():
                found[f"{name}/{interface}"] = mode
        for name, _ in self.run.of("ipx::add_bus_interface"):
            if name.endswith("_axi"):
                found[f"m3vit/{name}"] = "slave" if name == "s_axi" else "master"
        return found

    def pins(self) -> dict[str, str]:
        """Every other pin that may be connected, with its kind."""
        found = {f"m3vit/{name}": kind for name, kind in OURS.items()}
        for name, kind in self.kinds.items():
            if kind != "m3vit":
                known = pins_of(kind, self.settings[name])
                found |= {f"{name}/{pin}": what for pin, what in known.items()}
        return found


@pytest.fixture(scope="module", params=board_names())
def drawn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    project = project_of(request.param, tmp_path_factory.mktemp(request.param))
    run = run_build(project)
    assert run.code == 0, run.said
    kinds = {call[-1]: call[3].split(":")[2] for call in run.of("create_bd_cell")}
    settings: dict[str, dict[str, str]] = {name: {} for name in kinds}
    for call in run.of("set_property"):
        if call[0] == "-dict" and call[-1] in settings:
            words = call[1].split()
            pairs = zip(words[::2], words[1::2], strict=True)
            settings[call[-1]] |= {name.removeprefix("CONFIG."): value for name, value in pairs}
    return Drawn(run=run, project=project, kinds=kinds, settings=settings)


def test_every_axi_interface_exists_and_is_connected_once(drawn: Drawn) -> None:
    axi, links = drawn.axi(), drawn.run.of("connect_bd_intf_net")
    assert Counter(end for link in links for end in link) == Counter(dict.fromkeys(axi, 1))
    assert [(axi[master], axi[slave]) for master, slave in links] == [("master", "slave")] * len(
        links
    )


def test_every_pin_exists_and_is_driven_once_by_its_kind(drawn: Drawn) -> None:
    pins, nets = drawn.pins(), drawn.run.of("connect_bd_net")
    assert Counter(pin for net in nets for pin in net) == Counter(dict.fromkeys(pins, 1))
    for source, *sinks in nets:
        assert pins[source].endswith(" out")
        assert {pins[pin] for pin in sinks} == {pins[source].removesuffix(" out")}


def test_our_masters_reach_ports_of_their_width(drawn: Drawn) -> None:
    links = dict(map(tuple, drawn.run.of("connect_bd_intf_net")))
    widths = {
        call[2]: call[1]
        for call in drawn.run.of("set_property")
        if call[0] == "value" and call[2].endswith("_axi/DATA_WIDTH")
    }
    ports = []
    for number in range(4):
        between = links[f"m3vit/m{number}_axi"].split("/")[0]
        port = links[f"{between}/M00_AXI"]
        ports.append(port)
        gp = ["HPC0", "HPC1", "HP0", "HP1", "HP2", "HP3"].index(port.split("_")[2])
        width = drawn.settings["ps"][f"PSU__SAXIGP{gp}__DATA_WIDTH"]
        assert width == widths[f"core/m{number}_axi/DATA_WIDTH"] == "128"
    assert len(set(ports)) == 4 and "ps/S_AXI_HP2_FPD" not in ports


def test_the_clock_asked_for_is_the_machines(drawn: Drawn) -> None:
    asked = float(drawn.settings["ps"]["PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ"])
    assert asked == drawn.project.design.machine.clock_mhz
    text = (drawn.project.folder / "settings.tcl").read_text()
    assert f"variable clock_mhz {asked:g}\n" in text


def _assigned(drawn: Drawn) -> dict[tuple[str, str], tuple[int, int] | None]:
    """(space, segment) to (base, size), None where the processing system says it."""
    found: dict[tuple[str, str], tuple[int, int] | None] = {}
    for call in drawn.run.of("assign_bd_address"):
        options = dict(zip(call[:-2:2], call[1:-2:2], strict=True))
        place = (
            (int(options["-offset"], 16), int(options["-range"], 16))
            if "-offset" in options
            else None
        )
        assert (options["-target_address_space"], call[-2]) not in found
        assert call[-1] == "-force"
        found[options["-target_address_space"], call[-2]] = place
    return found


def test_addresses_are_those_of_the_metadata(drawn: Drawn) -> None:
    root = ElementTree.parse(drawn.project.folder / "m3vit.hwh").getroot()
    told = {}
    for module in root.iter("MODULE"):
        for item in module.iter("MEMRANGE"):
            base, high = int(item.attrib["BASEVALUE"], 16), int(item.attrib["HIGHVALUE"], 16)
            key = (module.attrib["INSTANCE"], item.attrib["INSTANCE"], item.attrib["ADDRESSBLOCK"])
            told[key] = (base, high - base + 1)
    made = {
        (space.split("/")[0], segment.split("/")[0], segment.rsplit("/", 1)[1]): place
        for (space, segment), place in _assigned(drawn).items()
    }
    assert made.keys() == told.keys()
    assert all(place in (None, told[key]) for key, place in made.items())
    assert told["ps", "m3vit", "registers"] == (BASE_ADDRESS, 4096)


def test_our_masters_see_dram_only(drawn: Drawn) -> None:
    kept = {(space, segment.rsplit("/", 1)[1]) for space, segment in _assigned(drawn)}
    shut = {(call[1], call[2].rsplit("/", 1)[1]) for call in drawn.run.of("exclude_bd_addr_seg")}
    assert not kept & shut
    for number in range(4):
        assert (f"m3vit/m{number}_axi", "HP0_LPS_OCM") in shut
    low = [place for (_, segment), place in _assigned(drawn).items() if segment.endswith("_LOW")]
    assert low == [(0, 1 << 31)] * 4
    high = [segment for _, segment in _assigned(drawn) if segment.endswith("_HIGH")]
    assert len(high) == (4 if drawn.project.design.board.platform.ddr_gbytes > 2 else 0)


def test_the_board_brings_the_processing_systems_preset(drawn: Drawn) -> None:
    platform = drawn.project.design.board.platform
    assert ["board_part", platform.board_part, "current_project"] in drawn.run.of("set_property")
    rule = ["-rule", "xilinx.com:bd_rule:zynq_ultra_ps_e"]
    config = ["-config", 'apply_board_preset "1"', "ps"]
    assert drawn.run.of("apply_bd_automation") == [[*rule, *config]]
    names = [call[0] for call in drawn.run.calls]
    assert names.index("apply_bd_automation") < names.index("connect_bd_net")
    assert names.index("assign_bd_address") < names.index("validate_bd_design")


def test_another_clock_than_the_metadatas_ends_the_build(tmp_path: Path) -> None:
    changed = {"CONFIG.PSU__CRL_APB__PL0_REF_CTRL__DIVISOR0": "4"}
    run = run_build(project_of("zcu104", tmp_path), **changed)
    assert run.code == 1
    assert "DIVISOR0 is 4, the metadata says 5" in run.said
    assert not run.of("launch_runs")
