import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from m3vit.boards.board import board_names, load_board
from m3vit.boards.hwh import hwh_text
from m3vit.boards.system import BASE_ADDRESS, system_design
from m3vit.hw.machine import machine_preset
from m3vit.hw.register_fields import SPACE_BYTES, Access
from m3vit.hw.registers import REGISTERS, identity_values


def _text(name: str) -> str:
    board = load_board(name)
    return hwh_text(system_design(board, board.machine()))


@pytest.fixture(params=board_names())
def parsed(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """What PYNQ's own parser makes of the file."""
    frontends = pytest.importorskip("pynqmetadata.frontends")
    runtime = pytest.importorskip("pynqmetadata.views.runtime")
    path = tmp_path / "m3vit.hwh"
    path.write_text(_text(request.param))
    parser = runtime.RuntimeMetadataParser(frontends.Metadata(input=str(path)))
    parser.refresh_hierarchy_dict()
    return parser


def test_the_text_is_reproducible_and_names_the_board() -> None:
    assert _text("zcu104") == _text("zcu104")
    info = ElementTree.fromstring(_text("zcu102")).find("SYSTEMINFO")
    assert info is not None
    assert info.attrib == {
        "ARCH": "zynquplus",
        "BOARD": "xilinx.com:zcu102:part0:3.4",
        "DEVICE": "xczu9eg",
        "NAME": "m3vit_zcu102",
        "PACKAGE": "ffvb1156",
        "SPEEDGRADE": "-2",
    }


def test_registers_hold_the_machines_identity() -> None:
    root = ElementTree.fromstring(_text("zcu104"))
    values = identity_values(machine_preset("zcu104"))
    for name, value in values.items():
        found = root.find(f".//REGISTER[@NAME='{name}']/PROPERTY[@NAME='RESET_VALUE']")
        assert found is not None and int(found.attrib["VALUE"], 16) == value


def test_pynq_finds_the_core_with_address_and_registers(parsed: Any) -> None:
    entry = parsed.ip_dict["m3vit"]
    assert entry["type"] == "m3vit:m3vit:m3vit:1.0"
    assert (entry["phys_addr"], entry["addr_range"]) == (BASE_ADDRESS, SPACE_BYTES)
    assert set(entry["registers"]) == {register.name for register in REGISTERS}
    for register in REGISTERS:
        got = entry["registers"][register.name]
        assert got["address_offset"] == register.offset
        assert got["size"] == 32
        fields = {
            item.name: (item.lsb, item.bits, (item.access or register.access) is Access.PULSE)
            for item in register.fields
        }
        assert fields == {
            name: (item["bit_offset"], item["bit_width"], item["access"] == "write-only")
            for name, item in got["fields"].items()
        }


def test_pynq_finds_the_interrupt_behind_its_controller(parsed: Any) -> None:
    pin = parsed.ip_dict["m3vit"]["interrupts"]["interrupt"]
    assert pin == {"controller": "interrupts", "index": 0, "fullpath": "m3vit/interrupt"}
    controller = parsed.interrupt_controllers["interrupts"]
    assert controller == {"parent": "", "index": 0, "raw_irq": 121}
    assert parsed.ip_dict["interrupts"]["phys_addr"] == 0xA001_0000


def test_pynq_sets_the_clock_and_the_ports(parsed: Any) -> None:
    clock = parsed.clock_dict[0]
    assert (clock["enable"], clock["divisor0"], clock["divisor1"]) == (1, 5, 1)
    assert clock["frequency"] == pytest.approx(300, rel=0.001)
    assert [parsed.clock_dict[number]["enable"] for number in (1, 2, 3)] == [0, 0, 0]
    parameters = parsed.ip_dict["m3vit"]["parameters"]
    assert int(parameters["CLOCK_HZ"]) == pytest.approx(300e6, rel=0.001)
    ports = parsed.ip_dict["ps"]["parameters"]
    assert [ports[f"C_SAXIGP{number}_DATA_WIDTH"] for number in (0, 2, 3, 5)] == ["128"] * 4
