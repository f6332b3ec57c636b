from pathlib import Path

import pytest

from m3vit.boards.core import module_ports
from m3vit.hw.machine import machine_preset
from m3vit.hw.register_fields import SPACE_BYTES
from m3vit.hw.registers import REGISTERS, identity_values
from tests.boards.vivado import Run, needs_tcl, project_of, run_build

pytestmark = needs_tcl
MACHINE = machine_preset("zcu104")


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_build(project_of("zcu104", tmp_path_factory.mktemp("core")))


def _properties(run: Run, target: str) -> dict[str, str]:
    """Everything that was set on ``target``."""
    return {call[0]: call[1] for call in run.of("set_property") if call[-1] == target}


def _maps(run: Run) -> dict[str, tuple[str, str]]:
    """Our ports to (interface, logical name)."""
    found: dict[str, tuple[str, str]] = {}
    for logical, interface in run.of("ipx::add_port_map"):
        port = _properties(run, f"{interface}/{logical}")["physical_name"]
        assert port not in found
        found[port] = (interface.split("/")[1], logical)
    return found


def test_each_port_of_the_verilog_is_mapped_once(packaged: Run) -> None:
    assert set(_maps(packaged)) == {port.name for port in module_ports(MACHINE)}


def test_ports_are_mapped_to_their_own_names(packaged: Run) -> None:
    for port, (interface, logical) in _maps(packaged).items():
        if interface.endswith("_axi"):
            assert port == f"{interface}_{logical.lower()}"
        else:
            assert port == interface


def test_interfaces_are_of_their_kind(packaged: Run) -> None:
    kinds = {}
    for name, core in packaged.of("ipx::add_bus_interface"):
        said = _properties(packaged, f"{core}/{name}")
        assert said["abstraction_type_vlnv"] == said["bus_type_vlnv"].replace(":1.0", "_rtl:1.0")
        kinds[name] = (said["bus_type_vlnv"], said["interface_mode"])
    axi = "xilinx.com:interface:aximm:1.0"
    masters = {f"m{number}_axi": (axi, "master") for number in range(4)}
    assert kinds == masters | {
        "s_axi": (axi, "slave"),
        "clk": ("xilinx.com:signal:clock:1.0", "slave"),
        "rst": ("xilinx.com:signal:reset:1.0", "slave"),
        "interrupt": ("xilinx.com:signal:interrupt:1.0", "master"),
    }


def test_parameters_follow_the_ports(packaged: Run) -> None:
    bits = {port.name: port.bits for port in module_ports(MACHINE)}

    def parameter(interface: str, name: str) -> str:
        return _properties(packaged, f"core/{interface}/{name}")["value"]

    for interface in ("s_axi", "m0_axi", "m1_axi", "m2_axi", "m3_axi"):
        assert int(parameter(interface, "DATA_WIDTH")) == bits[f"{interface}_rdata"]
        assert int(parameter(interface, "ADDR_WIDTH")) == bits[f"{interface}_araddr"]
        writes = f"{interface}_awaddr" in bits
        assert parameter(interface, "READ_WRITE_MODE") == ("READ_WRITE" if writes else "READ_ONLY")
    clocked = parameter("clk", "ASSOCIATED_BUSIF").split(":")
    assert clocked == ["s_axi", "m0_axi", "m1_axi", "m2_axi", "m3_axi"]
    assert parameter("clk", "ASSOCIATED_RESET") == "rst"
    assert parameter("rst", "POLARITY") == "ACTIVE_HIGH"
    assert parameter("interrupt", "SENSITIVITY") == "LEVEL_HIGH"


def test_the_register_map_is_the_contracts(packaged: Run) -> None:
    block = "core/s_axi/registers"
    assert _properties(packaged, "core/s_axi")["slave_memory_map_ref"] == "s_axi"
    assert _properties(packaged, block) == {
        "base_address": "0",
        "range": str(SPACE_BYTES),
        "width": "32",
        "usage": "register",
    }
    resets = identity_values(MACHINE)
    added = [name for name, _ in packaged.of("ipx::add_register")]
    assert added == [register.name for register in REGISTERS]
    for register in REGISTERS:
        said = _properties(packaged, f"{block}/{register.name}")
        assert int(said["address_offset"], 16) == register.offset
        assert int(said["reset_value"], 16) == resets.get(register.name, register.reset)
        assert said["description"] == register.doc
        for item in register.fields:
            field = _properties(packaged, f"{block}/{register.name}/{item.name}")
            assert (int(field["bit_offset"]), int(field["bit_width"])) == (item.lsb, item.bits)


def test_inferred_interfaces_go_before_ours_come(packaged: Run) -> None:
    names = [call[0] for call in packaged.calls]
    order = [
        "ipx::package_project",
        "ipx::remove_all_bus_interface",
        "ipx::remove_all_memory_map",
        "ipx::remove_all_address_space",
        "ipx::add_bus_interface",
        "ipx::add_register",
        "ipx::check_integrity",
        "ipx::save_core",
        "create_bd_design",
    ]
    assert [names.index(name) for name in order] == sorted(names.index(name) for name in order)
    vlnv = _properties(packaged, "core")
    assert (vlnv["name"], vlnv["version"]) == ("m3vit", "1.0")


def test_an_unsound_core_ends_the_build(tmp_path: Path) -> None:
    run = run_build(project_of("zcu104", tmp_path), integrity="0")
    assert run.code == 1 and "the packaged core is not sound" in run.said
    assert not run.of("create_bd_design")
