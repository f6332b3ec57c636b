"""Rails of a made hwmon folder: names, units, and no watt counted twice."""

from pathlib import Path

import pytest

from m3vit.host.power.hwmon import chosen_rails, find_rails, whole_board
from m3vit.hw.errors import DeviceError
from tests.host.power.made import chip, zcu104


def test_a_zcu104_has_one_input_and_four_outputs(tmp_path: Path) -> None:
    rails = find_rails(zcu104(tmp_path / "hwmon"))
    assert [rail.name for rail in rails] == [
        "ina226 3-0040 power1",
        *(f"irps5401 3-00{n} {label}" for n in (43, 44) for label in ("pin", "pout1", "pout2")),
    ]
    assert [rail.watts() for rail in rails[:3]] == pytest.approx([9.993, 4.0, 1.5], rel=1e-12)
    assert [rail.name for rail in whole_board(rails)] == ["ina226 3-0040 power1"]


def test_without_the_input_the_outputs_are_summed(tmp_path: Path) -> None:
    rails = [rail for rail in find_rails(zcu104(tmp_path / "hwmon")) if rail.chip != "ina226"]
    found = whole_board(rails)
    assert [rail.label for rail in found] == ["pout1", "pout2"] * 2
    assert sum(rail.watts() for rail in found) == pytest.approx(3.5, rel=1e-12)


def test_power_from_voltage_and_current(tmp_path: Path) -> None:
    chip(tmp_path, 0, "ina219", "1-0040", {"in1_input": 12000, "curr1_input": 250})
    [rail] = find_rails(tmp_path)
    assert rail.watts() == pytest.approx(3.0, rel=1e-12)


def test_named_rails(tmp_path: Path) -> None:
    rails = find_rails(zcu104(tmp_path / "hwmon"))
    assert [r.name for r in chosen_rails(rails, ["3-0044 pout"])] == [
        "irps5401 3-0044 pout1",
        "irps5401 3-0044 pout2",
    ]
    with pytest.raises(DeviceError, match="no rail is called 'VCCINT'; rails are ina226 3-0040"):
        chosen_rails(rails, ["VCCINT"])


def test_temperatures_are_no_rails(tmp_path: Path) -> None:
    chip(tmp_path, 0, "coretemp", "coretemp.0", {"temp1_input": 41000})
    with pytest.raises(DeviceError, match="shows no power rail"):
        find_rails(tmp_path)
    with pytest.raises(DeviceError, match="shows no power rail"):
        find_rails(tmp_path / "absent")


def test_a_battery_is_not_the_board(tmp_path: Path) -> None:
    chip(tmp_path, 0, "BAT0", "bat", {"power1_input": 7_000_000})
    with pytest.raises(DeviceError, match="name those to sum with --rail"):
        whole_board(find_rails(tmp_path))
