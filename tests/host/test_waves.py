"""Windows of cycles and devices without signals."""

from pathlib import Path

import pytest

from m3vit.host.devices.reference import ReferenceDevice
from m3vit.host.waves import LAST, start_waves, window_of, with_waves
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.machine import machine_preset


def test_names_take_the_option() -> None:
    assert with_waves("rtl") == "rtl:waves=1"
    assert with_waves("rtl:latency=9") == "rtl:latency=9,waves=1"


def test_other_devices_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="--waves needs --device rtl"):
        with_waves("reference")


def test_windows() -> None:
    assert window_of(None) == (0, LAST)
    assert window_of("5:") == (5, LAST)
    assert window_of(":7") == (0, 7)
    assert window_of("5:7") == (5, 7)


@pytest.mark.parametrize("text", ["7:5", "x", "5:5", "-1:4"])
def test_other_windows_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="expected FROM:TO"):
        window_of(text)


def test_the_reference_has_no_waves(tmp_path: Path) -> None:
    with (
        ReferenceDevice(machine_preset("mini")) as device,
        pytest.raises(ConfigurationError, match="--waves needs --device rtl"),
    ):
        start_waves(device, tmp_path / "x.vcd", (0, 1))
