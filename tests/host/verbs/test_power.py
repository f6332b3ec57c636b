"""``m3vit power``: records from a made hwmon folder whose input follows the load."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from m3vit.host.cli import main
from m3vit.host.devices import table
from m3vit.host.devices.device import DeviceRun
from m3vit.host.devices.reference import ReferenceDevice
from m3vit.hw.formats import Int8
from m3vit.hw.package import Package
from m3vit.hw.records import Evidence, ResultRecord
from tests.host.conftest import Micro
from tests.host.power.made import zcu104

IDLE, WORK = 8_000_000, 10_500_000


class LoadedDevice(ReferenceDevice):
    """Draws more power while it runs."""

    name = "loaded"
    power: Path

    def run(self, package: Package, tiles: Int8, task: int, *, trace: bool = False) -> DeviceRun:
        self.power.write_text(f"{WORK}\n")
        return super().run(package, tiles, task, trace=trace)


@pytest.fixture
def hwmon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    root = zcu104(tmp_path / "hwmon")
    LoadedDevice.power = root / "hwmon0" / "power1_input"
    opener = f"{__name__}:LoadedDevice"
    monkeypatch.setattr(table, "DEVICES", {**table.DEVICES, "loaded": opener})
    LoadedDevice.power.write_text(f"{IDLE}\n")
    real = time.sleep

    def rest(seconds: float) -> None:
        LoadedDevice.power.write_text(f"{IDLE}\n")
        real(seconds)

    monkeypatch.setattr("m3vit.host.power.measure.time.sleep", rest)
    return root


def _arguments(micro: Micro, *more: object) -> list[str]:
    return ["power", "--package", str(micro[1].path), *map(str, more)]


def test_records_are_measured_with_rest_subtracted(
    hwmon: Path, micro: Micro, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    samples = tmp_path / "samples.jsonl"
    more = ("--device", "loaded", "--hwmon", hwmon, "--seconds", 1, "--task", "depth", "--json")
    assert main(_arguments(micro, *more, "--samples", samples)) == 0
    record = ResultRecord.from_json(capsys.readouterr().out)
    energy, latency = record.figures["energy_mj"], record.value("latency_ms")
    assert energy.evidence is record.figures["latency_ms"].evidence is Evidence.MEASURED
    assert energy.value == pytest.approx(1e-6 * (WORK - IDLE) * latency, rel=0.02)
    assert "ina226 3-0040 power1: 10.5" in energy.source and "8.000 W at rest" in energy.source
    readings = [json.loads(line) for line in samples.read_text().splitlines()]
    assert {entry["part"] for entry in readings} == {"before", "run", "after"}
    assert set(readings[0]["watts"]) == {"ina226 3-0040 power1"}


def test_text_names_every_rail(
    hwmon: Path, micro: Micro, capsys: pytest.CaptureFixture[str]
) -> None:
    rails = ("--rail", "ina226", "--rail", "3-0043 pout1")
    more = ("--device", "loaded", "--hwmon", hwmon, "--seconds", 1, "--task", "edges", *rails)
    assert main(_arguments(micro, *more)) == 0
    text = capsys.readouterr().out
    assert "edges" in text and "irps5401 3-0043 pout1" in text and "mJ/image" in text


@pytest.mark.parametrize("device", ["reference", "remote:192.168.2.99", "cuda"])
def test_a_device_without_rails_is_one_line(
    device: str, micro: Micro, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(_arguments(micro, "--device", device)) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert f"device {device} has no power rails" in line and "--device pynq" in line


def test_a_machine_without_rails_is_one_line(
    micro: Micro, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(_arguments(micro, "--hwmon", tmp_path)) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert f"{tmp_path} shows no power rail" in line


def test_no_time_is_refused(hwmon: Path, micro: Micro, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(_arguments(micro, "--hwmon", hwmon, "--seconds", 0)) == 2
    assert "--seconds is 0, expected 1 to 3600" in capsys.readouterr().err
