"""PYNQ's real Overlay, DefaultIP, MMIO and allocate under the driver, on a machine in memory."""

import os
import threading
import time
import tty
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from m3vit.host.devices.reference import ReferenceDevice
from m3vit.host.devices.table import open_device
from m3vit.host.driver.accelerator import Accelerator
from m3vit.host.driver.device import AcceleratorDevice
from m3vit.host.pynq.opening import metadata, simulated_core, simulated_platform
from m3vit.hw.error_codes import ErrorCode
from m3vit.hw.errors import ConfigurationError, DeviceError
from m3vit.hw.golden.embedding import patches
from m3vit.hw.machine import machine_preset
from m3vit.hw.records import Evidence
from m3vit.hw.registers import BY_NAME, MAGIC
from tests.host.conftest import Micro
from tests.support.fake_machine import FakePlatform
from tests.support.packages import MICRO
from tests.support.random_models import random_image

pynq = pytest.importorskip("pynq")

MINI = machine_preset("mini")


@pytest.fixture(scope="module")
def hwh() -> str:
    return metadata(MINI)


@pytest.fixture
def fake() -> FakePlatform:
    return FakePlatform(MINI)


@pytest.fixture
def platform(fake: FakePlatform, hwh: str) -> Any:
    return simulated_platform(fake, hwh)


def test_runs_equal_the_reference_and_buffers_are_returned(
    micro: Micro, fake: FakePlatform, platform: Any
) -> None:
    package, reference = micro[1], ReferenceDevice(MINI)
    reference.load(package)
    with AcceleratorDevice(Accelerator(platform, MINI)) as device:
        assert device.name == "pynq-sim"
        device.load(package)
        for seed, task in ((0, 0), (1, 3), (0, 0)):
            tiles = patches(random_image(MICRO, seed), MICRO.patch)
            got = device.run(package, tiles, task, trace=True)
            expected = reference.run(package, tiles, task, trace=True)
            assert np.array_equal(got.result, expected.result)
            assert got.trace is not None and np.array_equal(got.trace, expected.trace)
    assert fake.buffers == [] and fake.closed


def test_the_overlay_binds_our_class_and_names_the_registers(platform: Any) -> None:
    from m3vit.host.pynq.ip import VLNV, AcceleratorIP

    core = platform._core
    assert isinstance(core, AcceleratorIP) and core.bindto == [VLNV]
    assert int(core.register_map.MAGIC) == MAGIC
    core.register_map.TASK = 3
    assert core.read(BY_NAME["TASK"].offset) == 3
    assert platform.read(BY_NAME["MAGIC"].offset) == MAGIC


def test_errors_of_the_machine_come_through(
    micro: Micro, fake: FakePlatform, platform: Any
) -> None:
    fake.script = [ErrorCode.STORE_LIMIT]
    tiles = patches(random_image(MICRO, 0), MICRO.patch)
    with Accelerator(platform, MINI) as driver:
        driver.load(micro[1])
        with pytest.raises(DeviceError, match="pynq-sim: command 2 .* exceed a store"):
            driver.collect(driver.submit(micro[1], tiles, 0))


def test_exhaustion_is_one_line_with_sizes(micro: Micro, hwh: str) -> None:
    fake = FakePlatform(MINI, capacity=1 << 17)
    with Accelerator(simulated_platform(fake, hwh), MINI) as driver:
        with pytest.raises(DeviceError, match="no room .* unload another package") as caught:
            driver.load(micro[1])
    assert "\n" not in str(caught.value) and fake.buffers == []


def test_an_overlay_without_our_core_is_refused(fake: FakePlatform, hwh: str) -> None:
    other = hwh.replace("m3vit:m3vit:m3vit:1.0", "somebody:else:thing:1.0")
    with pytest.raises(DeviceError, match="holds no core m3vit:m3vit:m3vit:1.0"):
        simulated_platform(fake, other)


CONTROLLER = 0xA001_0000
"""Address of the interrupt controller in the metadata."""

PENDING = CONTROLLER + 4


def test_the_real_interrupt_ends_the_wait(
    micro: Micro, fake: FakePlatform, hwh: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``pynq.Interrupt`` behind its controller, with a terminal as the UIO driver's file."""
    from m3vit.host.pynq.loop import LoopThread
    from m3vit.host.pynq.platform import PynqPlatform

    kernel, driver = os.openpty()
    tty.setraw(driver)
    monkeypatch.setattr(pynq.interrupt, "get_uio_irq", lambda irq: os.ttyname(driver))
    loop = LoopThread()
    core = loop.call(lambda: simulated_core(fake, hwh))
    assert core.line is not None
    platform = PynqPlatform(core, "board", Evidence.SIMULATED, loop=loop)
    platform.slice_s = 20.0

    def finish() -> None:
        fake.wait(fake.run_s)
        core.device.write_registers(PENDING, (1).to_bytes(4, "little"))
        os.write(kernel, bytes(4))

    begun = fake._start

    def start(trace: bool) -> None:
        begun(trace)
        threading.Timer(0.1, finish).start()

    monkeypatch.setattr(fake, "_start", start)
    started = time.perf_counter()
    tiles = patches(random_image(MICRO, 0), MICRO.patch)
    with Accelerator(platform, MINI, timeout_s=60.0) as accelerator:
        accelerator.load(micro[1])
        for _ in range(2):
            accelerator.collect(accelerator.submit(micro[1], tiles, 0))
            core.device.write_registers(PENDING, bytes(4))
    assert time.perf_counter() - started < 20.0  # no wait lasted a slice: the line ended each


def test_no_board_and_no_bitstream_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ConfigurationError, match="no bitstream at m3vit.bit, .*make bitstream"):
        open_device("pynq", MINI)
    bit = tmp_path / "some.bit"
    bit.write_bytes(b"")
    with pytest.raises(ConfigurationError, match="no metadata some.hwh beside it"):
        open_device(f"pynq:{bit}", MINI)
    bit.with_suffix(".hwh").write_text("<x/>")
    with pytest.raises(DeviceError, match="no board that runs PYNQ; from a PC use remote:ADDRESS"):
        open_device(f"pynq:{bit}", MINI)
    with pytest.raises(ConfigurationError, match="expected remote:ADDRESS"):
        open_device("remote", MINI)
