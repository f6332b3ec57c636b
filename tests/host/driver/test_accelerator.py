"""The driver on a machine made of a dictionary: what it does with what the registers say."""

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from m3vit.host.devices.reference import ReferenceDevice
from m3vit.host.driver.accelerator import Accelerator
from m3vit.host.driver.device import AcceleratorDevice
from m3vit.host.driver.lock import DeviceLock
from m3vit.host.runtime import Runtime
from m3vit.hw.error_codes import SENTENCES, ErrorCode
from m3vit.hw.errors import DeviceError, DeviceTimeoutError, DigestMismatchError
from m3vit.hw.formats import Int8
from m3vit.hw.golden.embedding import patches
from m3vit.hw.machine import machine_preset
from tests.host.conftest import Micro
from tests.support.fake_machine import FakePlatform
from tests.support.packages import MICRO, compiled
from tests.support.random_models import random_image

MINI = machine_preset("mini")


def tiles_of(seed: int) -> Int8:
    return patches(random_image(MICRO, seed), MICRO.patch)


@pytest.fixture
def platform() -> FakePlatform:
    return FakePlatform(MINI)


def test_equals_the_reference_with_trace_plans_and_counters(
    micro: Micro, platform: FakePlatform
) -> None:
    package, reference = micro[1], ReferenceDevice(MINI)
    reference.load(package)
    with AcceleratorDevice(Accelerator(platform, MINI)) as device:
        device.load(package)
        for seed, task in ((0, 0), (1, 4), (0, 0)):
            got = device.run(package, tiles_of(seed), task, trace=True)
            expected = reference.run(package, tiles_of(seed), task, trace=True)
            assert np.array_equal(got.result, expected.result)
            assert got.trace is not None and np.array_equal(got.trace, expected.trace)
            assert all(got.plans[b].same_as(plan) for b, plan in expected.plans.items())
            assert got.plans.keys() == expected.plans.keys()
            assert got.saturations == expected.saturations
    assert got.cycles == 1234 and got.dram_bytes == 110 * 16
    assert set(got.phases) == {"in", "run", "out"}


def test_everything_is_freed_and_closed(micro: Micro, platform: FakePlatform) -> None:
    with Accelerator(platform, MINI) as driver:
        driver.load(micro[1])
        driver.submit(micro[1], tiles_of(0), 0, trace=True)
        assert len(platform.buffers) == 6
    assert platform.buffers == [] and platform.closed
    with pytest.raises(DeviceError, match="closed"):
        driver.load(micro[1])


def test_images_queue_in_order_and_the_queue_is_bounded(
    micro: Micro, platform: FakePlatform
) -> None:
    with Accelerator(platform, MINI) as driver:
        driver.load(micro[1])
        tickets = [driver.submit(micro[1], tiles_of(seed), seed) for seed in range(2)]
        with pytest.raises(DeviceError, match="full with 2 images; collect one"):
            driver.submit(micro[1], tiles_of(2), 2)
        results = [driver.collect(ticket).result for ticket in tickets]
        again = [
            driver.collect(driver.submit(micro[1], tiles_of(seed), seed)).result
            for seed in range(2)
        ]
        with pytest.raises(DeviceError, match="not under way"):
            driver.collect(tickets[0])
    assert all(map(np.array_equal, results, again))


def test_two_packages_are_resident_and_one_can_leave(
    micro: Micro, platform: FakePlatform, tmp_path: Path
) -> None:
    _, other = compiled(tmp_path / "other", seed=9)
    with Accelerator(platform, MINI) as driver:
        driver.load(micro[1])
        one = driver.collect(driver.submit(micro[1], tiles_of(0), 0)).result
        before = len(platform.buffers)
        driver.load(other)
        two = driver.collect(driver.submit(other, tiles_of(0), 0)).result
        assert not np.array_equal(one, two)
        assert np.array_equal(one, driver.collect(driver.submit(micro[1], tiles_of(0), 0)).result)
        ticket = driver.submit(other, tiles_of(0), 0)
        with pytest.raises(DeviceError, match="1 images under way"):
            driver.unload(other)
        driver.collect(ticket)
        driver.unload(other)
        assert len(platform.buffers) == before
        with pytest.raises(DeviceError, match="not resident on fake; load it"):
            driver.submit(other, tiles_of(0), 0)


def test_exhaustion_names_the_sizes_and_frees_what_was_taken(micro: Micro) -> None:
    platform = FakePlatform(MINI, capacity=1 << 17)
    with Accelerator(platform, MINI) as driver:
        with pytest.raises(DeviceError, match=r"no room .* needs \d+ bytes: .* unload another"):
            driver.load(micro[1])
        assert platform.buffers == []


@pytest.mark.parametrize("code", [code for code in ErrorCode if code], ids=lambda code: code.name)
def test_every_error_code_becomes_its_sentence(
    micro: Micro, platform: FakePlatform, code: ErrorCode
) -> None:
    platform.script = [code, code]
    with Accelerator(platform, MINI) as driver:
        driver.load(micro[1])
        with pytest.raises(DeviceError) as caught:
            driver.collect(driver.submit(micro[1], tiles_of(0), 0))
        text = str(caught.value)
        assert SENTENCES[code] in text and "command 2 of " in text and "\n" not in text
        platform.script = []
        driver.collect(driver.submit(micro[1], tiles_of(0), 0))  # the driver goes on


def test_a_bus_error_is_tried_once_more(micro: Micro, platform: FakePlatform) -> None:
    platform.script = [ErrorCode.READ_ERROR]
    with Accelerator(platform, MINI) as driver:
        driver.load(micro[1])
        driver.collect(driver.submit(micro[1], tiles_of(0), 0))
        assert (platform.starts, platform.resets, driver.retries) == (2, 1, 1)


def test_an_unknown_code_is_named(micro: Micro, platform: FakePlatform) -> None:
    platform.on_wait = lambda: platform.set("ERROR", 99)
    with Accelerator(platform, MINI) as driver:
        driver.load(micro[1])
        with pytest.raises(DeviceError, match="unknown error code 99"):
            driver.collect(driver.submit(micro[1], tiles_of(0), 0))


def test_timeout_holds_status_error_command_and_counters(
    micro: Micro, platform: FakePlatform
) -> None:
    platform.script = ["hang"]
    platform.set("COMMAND_INDEX", 3)
    platform.set("COUNT_CYCLES_LO", 77)
    with Accelerator(platform, MINI, timeout_s=0.02) as driver:
        driver.load(micro[1])
        with pytest.raises(DeviceTimeoutError) as caught:
            driver.collect(driver.submit(micro[1], tiles_of(0), 0))
        for part in ("status BUSY", "error 0 (no error)", "command 3 of ", "CYCLES 77", "0.02 s"):
            assert part in str(caught.value)
        assert platform.resets == 1
        driver.collect(driver.submit(micro[1], tiles_of(0), 0))


def test_a_reset_that_does_not_help_says_what_does(micro: Micro, platform: FakePlatform) -> None:
    platform.script, platform.stuck = ["hang"], True
    with Accelerator(platform, MINI, timeout_s=0.01) as driver:
        driver.load(micro[1])
        with pytest.raises(DeviceTimeoutError, match="load the bitstream again, or power-cycle"):
            driver.collect(driver.submit(micro[1], tiles_of(0), 0))


def test_lost_state_is_noticed_and_nothing_runs_on_it(micro: Micro, platform: FakePlatform) -> None:
    platform.script = ["power"]
    with Accelerator(platform, MINI) as driver:
        driver.load(micro[1])
        for _ in range(2):
            with pytest.raises(DeviceError, match="power-cycled behind the driver's back"):
                driver.collect(driver.submit(micro[1], tiles_of(0), 0))
        assert platform.starts == 1


def test_a_device_that_goes_ends_the_run(micro: Micro, platform: FakePlatform) -> None:
    def leave() -> None:
        platform.gone = True

    with Accelerator(platform, MINI) as driver:
        driver.load(micro[1])
        platform.on_wait = leave
        with pytest.raises(DeviceError, match="the device has gone"):
            driver.collect(driver.submit(micro[1], tiles_of(0), 0))
    assert platform.buffers == []


def test_wrong_bitstreams_are_refused_before_anything_moves() -> None:
    platform = FakePlatform(MINI)
    platform.set("MAGIC", 0xFFFFFFFF)
    with pytest.raises(DeviceError, match="reads 0xffffffff, expected 0x4d335674"):
        Accelerator(platform, MINI)
    platform.set("MAGIC", 0x4D335674)
    platform.set("CONTRACT", 99)
    with pytest.raises(DigestMismatchError, match="follows contract 99"):
        Accelerator(platform, MINI)
    other = replace(MINI, name="other", max_tokens=128)
    with pytest.raises(DigestMismatchError, match="LIMITS 0xc00100 instead of 0xc00080"):
        Accelerator(FakePlatform(MINI), other)
    assert platform.closed and platform.starts == 0


def test_wrong_package_is_refused(micro: Micro, tmp_path: Path) -> None:
    other = replace(MINI, name="other", max_tokens=128)
    with Accelerator(FakePlatform(other), other) as driver:
        with pytest.raises(DigestMismatchError, match="compile it with --machine other"):
            driver.load(micro[1])


def test_an_interruption_ends_the_run_and_the_driver_goes_on(
    micro: Micro, platform: FakePlatform
) -> None:
    running = threading.Event()
    platform.script, platform.on_wait = ["hang"], running.set
    with Accelerator(platform, MINI, timeout_s=1e9) as driver:
        driver.load(micro[1])
        tickets = [driver.submit(micro[1], tiles_of(0), task) for task in range(2)]
        assert running.wait(10)
        driver.interrupt()
        assert platform.resets == 1 and platform.starts == 1
        with pytest.raises(DeviceError, match="not under way"):
            driver.collect(tickets[1])
        driver.collect(driver.submit(micro[1], tiles_of(0), 0))


def test_two_processes_cannot_drive_one_board(platform: FakePlatform) -> None:
    platform.lock = "board under test"
    other = FakePlatform(MINI, lock=platform.lock)
    with Accelerator(platform, MINI):
        code = (
            "from m3vit.host.driver.lock import DeviceLock\n"
            f"try: DeviceLock({platform.lock!r})\n"
            "except Exception as error: print(error)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert "driven by another process" in done.stdout
        with pytest.raises(DeviceError, match="driven by another process"):
            Accelerator(other, MINI)
        assert other.closed
    DeviceLock(platform.lock).release()


def test_heads_overlap_and_predictions_equal_the_reference(
    micro: Micro, platform: FakePlatform
) -> None:
    package, image = micro[1], random_image(MICRO, 3)
    with AcceleratorDevice(Accelerator(platform, MINI)) as device:
        queued, plain = Runtime(package, device), Runtime(package, ReferenceDevice(MINI))
        prepared = queued.prepare(image)
        work = [(prepared, name) for name in MICRO.task_names]
        got, expected = list(queued.stream(work)), list(plain.stream(work))
        assert [one.task.name for one in got] == list(MICRO.task_names)
        for mine, theirs in zip(got, expected, strict=True):
            assert np.array_equal(mine.logits, theirs.logits)
        half = queued.stream(work)
        next(half)
        half.close()  # what was under way is collected: the queue is free
        assert len(list(queued.stream(work))) == len(work)
