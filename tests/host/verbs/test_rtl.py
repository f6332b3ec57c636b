"""The verbs on the RTL: records, routing, profile, layer by layer, Ctrl-C."""

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from m3vit.host.cli import main
from m3vit.host.devices.table import open_device
from m3vit.host.driver.device import AcceleratorDevice
from m3vit.host.verify import verify
from m3vit.hw.compiler.compile import compile_model
from m3vit.hw.machine import MachineConfig
from m3vit.hw.package import Package, read_package
from m3vit.hw.records import Evidence, ResultRecord
from m3vit.hw.routing_trace import load_trace
from m3vit.sim.rtl.platform import RtlPlatform
from tests.support.packages import MICRO
from tests.support.random_models import random_model
from tests.support.small_machine import SMALL, open_small

HERE = "tests.host.verbs.test_rtl"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    path = tmp_path_factory.mktemp("rtl") / "package"
    compile_model(random_model(MICRO, 0), SMALL, path)
    return read_package(path)


@pytest.fixture(autouse=True)
def _small_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    opener = "tests.support.small_machine:open_small"
    monkeypatch.setattr("m3vit.host.driver.simulated.PLATFORM", opener)


def records(
    device: str, package: Package, photo: Path, capsys: pytest.CaptureFixture[str], *more: str
) -> list[ResultRecord]:
    words = [str(photo), "--package", str(package.path), "--device", device, "--json", *more]
    assert main(["run", *words]) == 0
    return [ResultRecord.from_json(line) for line in capsys.readouterr().out.splitlines()]


def test_records_equal_the_references_and_hold_what_was_counted(
    package: Package, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    routes = {name: tmp_path / f"{name}.npz" for name in ("reference", "rtl")}
    expected = records("reference", package, photo, capsys, "--trace", str(routes["reference"]))
    traced = records("rtl", package, photo, capsys, "--trace", str(routes["rtl"]))
    plain = records("rtl:latency=100", package, photo, capsys)
    for wanted, one, other in zip(expected, traced, plain, strict=True):
        assert one.digest == other.digest == wanted.digest != ""
        for name in ("cycles", "latency_ms", "dram_bytes", "saturations"):
            assert other.figures[name].evidence is Evidence.RTL
        assert other.value("latency_ms") == pytest.approx(other.value("cycles") / 300e3)
        assert 0.9 < other.value("dram_bytes") / wanted.value("dram_bytes") < 1.2
        assert one.value("cycles") > other.value("cycles") > 1000
        assert "copies of every layer" in one.figures["cycles"].source
        assert one.value("experts_used") == wanted.value("experts_used")
        assert {"resize", "pack", "in", "run", "out", "head"} <= set(other.value("phases_ms"))
    mine, theirs = load_trace(routes["rtl"]), load_trace(routes["reference"])
    assert len(mine) == len(theirs) > 0
    assert all(a.plan.same_as(b.plan) for a, b in zip(mine, theirs, strict=True))


def test_the_same_through_pynqs_classes(
    package: Package, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pynq")
    expected = records("reference", package, photo, capsys, "--task", "depth")
    got = records("pynq-sim", package, photo, capsys, "--task", "depth")
    assert got[0].digest == expected[0].digest and got[0].device == "pynq-sim"
    assert got[0].figures["cycles"].evidence is Evidence.RTL


def test_profile_writes_a_folder_a_run(
    package: Package, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--package", str(package.path), "--task", "depth", "--task", "edges"]
    estimate = ["hls", "estimate", "--package", str(package.path), "--json"]
    out = tmp_path / "profile"
    assert main(["run", str(photo), *words, "--device", "rtl", "--profile", str(out)]) == 0
    text = capsys.readouterr().out
    for task in ("depth", "edges"):
        folder = out / f"photo.{task}"
        assert f"wrote {folder / 'profile.png'}" in text
        found = json.loads((folder / "profile.json").read_text())
        assert sum(step["counts"]["CYCLES"] for step in found["steps"]) > 1000
        assert main([*estimate, "--rtl", str(folder / "profile.json")]) == 0
        layers = json.loads(capsys.readouterr().out)
        assert all(layer["rtl_cycles"] > 0.8 * layer["rtl_model_cycles"] for layer in layers)
    assert "attention" in text and "experts" in text
    assert main(["run", str(photo), *words, "--profile", str(out)]) == 2
    assert "needs --device rtl" in capsys.readouterr().err


def test_verify_names_the_layer_behind_a_changed_weight(
    package: Package, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(package.path), "--task", "all"]) == 0
    assert "layers" in capsys.readouterr().out
    region = next(r for r in package.regions if r.name.startswith("blocks.1.norm2"))
    device = open_device("rtl", SMALL)
    assert isinstance(device, AcceleratorDevice)
    with device:
        device.load(package)
        static = device.accelerator._residents[package.digest].static
        static.data[region.offset] ^= 0x55
        static.to_device()
        image = package.golden()["image"]
        (found,) = verify(package, device, image, ["depth"], lambda line: None)
    first = found.first
    assert first is not None
    assert (first.block, first.layer, first.column) == (1, "ln2", "channel 0")


class Pressed(RtlPlatform):
    """Ctrl-C is pressed in the middle of the first run."""

    last: "Pressed"

    def wait(self, seconds: float) -> bool:
        os.kill(os.getpid(), signal.SIGINT)
        return super().wait(seconds)

    def close(self) -> None:
        self.left = self.dram.taken
        self.idle = self.read(0x104) & 3
        super().close()


def open_pressed(machine: MachineConfig, options: Mapping[str, float]) -> RtlPlatform:
    platform = open_small(machine, options)
    platform.__class__ = Pressed
    Pressed.last = platform  # type: ignore[assignment]
    platform.slice_s = 500 / 300e6
    return platform


def test_ctrl_c_ends_in_order(
    package: Package,
    photo: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("m3vit.host.driver.simulated.PLATFORM", f"{HERE}:open_pressed")
    words = ["--package", str(package.path), "--device", "rtl", "--task", "depth"]
    assert main(["run", str(photo), *words]) == 130
    assert capsys.readouterr().err == "m3vit run: interrupted\n"
    assert Pressed.last.left == 0 and Pressed.last.idle == 1


def test_arrays_are_the_references(package: Package, photo: Path, tmp_path: Path) -> None:
    found = {}
    for device in ("reference", "rtl"):
        out = tmp_path / device
        words = ["--package", str(package.path), "--device", device, "--out", str(out), "--arrays"]
        assert main(["run", str(photo), "--task", "normals", *words]) == 0
        found[device] = np.load(out / "photo.predictions.npz")["normals"]
    assert np.array_equal(found["rtl"], found["reference"])
