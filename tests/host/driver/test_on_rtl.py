"""The driver on the RTL: the smallest machine, everything that can go wrong, and what is left."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from m3vit.host.devices.reference import ReferenceDevice
from m3vit.host.driver.accelerator import Accelerator, Run
from m3vit.host.driver.device import AcceleratorDevice
from m3vit.host.layers import difference, layers_of
from m3vit.hw.commands.fields import Op
from m3vit.hw.commands.word import Command, encode
from m3vit.hw.compiler.compile import compile_model
from m3vit.hw.error_codes import SENTENCES, ErrorCode
from m3vit.hw.errors import DeviceError, DeviceTimeoutError, DigestMismatchError
from m3vit.hw.formats import Int8, Int16
from m3vit.hw.golden.embedding import patches
from m3vit.hw.machine import CONTRACT_VERSION, machine_preset
from m3vit.hw.package import Package, read_package
from m3vit.hw.registers import BY_NAME
from m3vit.sim.rtl.platform import RtlPlatform
from tests.support.packages import MICRO
from tests.support.random_models import random_image, random_model
from tests.support.small_machine import SMALL, small_platform


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    path = tmp_path_factory.mktemp("rtl") / "package"
    compile_model(random_model(MICRO, 0), SMALL, path)
    return read_package(path)


@pytest.fixture(scope="module")
def reference(package: Package) -> ReferenceDevice:
    device = ReferenceDevice(SMALL)
    device.load(package)
    return device


@pytest.fixture
def platform() -> RtlPlatform:
    return small_platform()


@pytest.fixture
def driver(platform: RtlPlatform, package: Package) -> Iterator[Accelerator]:
    with Accelerator(platform, SMALL) as opened:
        opened.load(package)
        yield opened


def tiles_of(seed: int) -> Int8:
    return patches(random_image(MICRO, seed), MICRO.patch)


def once(driver: Accelerator, package: Package, seed: int = 0, task: int = 0) -> Run:
    return driver.collect(driver.submit(package, tiles_of(seed), task))


def require_good(
    driver: Accelerator, package: Package, reference: ReferenceDevice, seed: int = 0
) -> None:
    """A run after whatever happened is right."""
    expected: Int16 = reference.run(package, tiles_of(seed), 1).result
    assert np.array_equal(once(driver, package, seed, 1).result, expected)


def test_every_layer_of_several_images_and_tasks_equals_the_reference(
    platform: RtlPlatform, package: Package, reference: ReferenceDevice
) -> None:
    cycles = {}
    with AcceleratorDevice(Accelerator(platform, SMALL)) as device:
        device.load(package)
        for seed, task in ((0, 0), (1, 4), (2, 2), (0, 0)):
            got = device.run(package, tiles_of(seed), task, trace=True)
            expected = reference.run(package, tiles_of(seed), task, trace=True)
            pairs = zip(layers_of(package, expected), layers_of(package, got), strict=True)
            assert [found for pair in pairs if (found := difference(*pair))] == []
            assert got.plans.keys() == expected.plans.keys()
            assert all(got.plans[b].same_as(plan) for b, plan in expected.plans.items())
            assert got.saturations == expected.saturations
            cycles.setdefault((seed, task), []).append(got.cycles)
        assert platform.dram.taken > 0
    assert platform.dram.taken == 0
    assert all(count > 1000 for counts in cycles.values() for count in counts)


def test_switching_the_task_costs_no_cycle(driver: Accelerator, package: Package) -> None:
    """Every run starts from the same state, whatever the task before it was."""
    alone = {task: once(driver, package, 0, task).state.counters["CYCLES"] for task in (0, 1)}
    mixed = [once(driver, package, 0, task).state.counters["CYCLES"] for task in (0, 1, 0, 1)]
    spread = max(abs(count - alone[task]) for count, task in zip(mixed, (0, 1, 0, 1), strict=True))
    assert spread <= REFRESH_CYCLES


REFRESH_CYCLES = 210
"""The memory's refresh goes on between runs: two of its pauses may fall differently."""


def test_images_queue_and_come_back_in_order(
    driver: Accelerator, package: Package, reference: ReferenceDevice
) -> None:
    tickets = [driver.submit(package, tiles_of(seed), 0) for seed in (3, 4)]
    for seed, ticket in zip((3, 4), tickets, strict=True):
        expected = reference.run(package, tiles_of(seed), 0).result
        assert np.array_equal(driver.collect(ticket).result, expected)


def test_wrong_machine_and_wrong_package_are_refused(
    platform: RtlPlatform, package: Package, tmp_path: Path
) -> None:
    with pytest.raises(DigestMismatchError, match="ARRAY 0x100801 instead of 0x100803"):
        Accelerator(platform, machine_preset("mini"))
    other = replace(SMALL, name="other")
    compile_model(random_model(MICRO, 0), other, tmp_path / "other")
    with Accelerator(small_platform(), SMALL) as driver:
        with pytest.raises(DigestMismatchError, match="compile it with --machine small"):
            driver.load(read_package(tmp_path / "other"))


def test_no_room_is_one_line_and_nothing_stays_taken(package: Package) -> None:
    platform = small_platform(dram_mib=0.25)
    with Accelerator(platform, SMALL) as driver:
        with pytest.raises(DeviceError, match=r"no room .* of 262144 bytes are taken .* needs \d+"):
            for number in range(8):
                driver.load(replace(package, digest=f"{number}"))
        count = len(driver._residents)
        assert platform.dram.taken == sum(
            len(buffer.data)
            for resident in driver._residents.values()
            for buffer in (
                resident.static,
                *(b for s in resident.slots for b in (s.image, s.result)),
            )
        )
        assert count >= 1
    assert platform.dram.taken == 0


@pytest.mark.parametrize("kind", ["read", "write"])
def test_a_memory_error_is_survived_by_a_second_try(
    platform: RtlPlatform,
    driver: Accelerator,
    package: Package,
    reference: ReferenceDevice,
    kind: str,
) -> None:
    platform.inject(kind, 1 if kind == "write" else 1500)
    require_good(driver, package, reference)
    assert driver.retries == 1


def during_the_run(platform: RtlPlatform, act: Callable[[], object]) -> None:
    """``act`` before the second slice of the next wait, then never again."""
    wait, slices = platform.wait, [0]

    def patched(seconds: float) -> bool:
        slices[0] += 1
        if slices[0] == 2:
            act()
        return wait(seconds)

    platform.wait = patched  # type: ignore[method-assign]
    platform.slice_s /= 20


@pytest.mark.parametrize("kind", ["read", "write"])
def test_a_lasting_memory_error_is_told(
    platform: RtlPlatform, driver: Accelerator, package: Package, kind: str
) -> None:
    base = BY_NAME["BASE_RESULT_HI" if kind == "write" else "BASE_IMAGE_HI"].offset
    write = platform.write
    platform.write = lambda offset, value: write(offset, 1 if offset == base else value)  # type: ignore[method-assign]
    with pytest.raises(DeviceError, match=f"the memory answered a {kind} with an error"):
        once(driver, package)
    assert driver.retries == 1


def test_a_memory_that_hangs_is_a_timeout_with_all_there_is_to_know(
    platform: RtlPlatform, package: Package, reference: ReferenceDevice
) -> None:
    with Accelerator(platform, SMALL, timeout_s=60_000 / 300e6) as driver:
        driver.load(package)
        platform.inject("hang", 700)
        with pytest.raises(DeviceTimeoutError) as caught:
            once(driver, package)
        assert "still busy after a soft reset" in str(caught.value)
        platform.heal()
        require_good(driver, package, reference)


def test_a_power_cycle_in_the_middle_is_noticed(
    platform: RtlPlatform, driver: Accelerator, package: Package
) -> None:
    during_the_run(platform, platform.power_cycle)
    with pytest.raises(DeviceError, match="power-cycled behind the driver's back"):
        once(driver, package)
    with pytest.raises(DeviceError, match="power-cycled behind the driver's back"):
        once(driver, package)


def test_a_device_that_goes_in_the_middle_is_told(
    platform: RtlPlatform, driver: Accelerator, package: Package
) -> None:
    during_the_run(platform, platform.process.kill)
    with pytest.raises(DeviceError, match="the device has gone"):
        once(driver, package)


def test_ctrl_c_leaves_the_machine_idle_and_the_buffers_free(
    platform: RtlPlatform, package: Package, reference: ReferenceDevice
) -> None:
    platform.slice_s /= 20
    started, pressed = threading.Event(), threading.Event()

    def hold() -> None:
        started.set()
        pressed.wait(30)  # however late the other thread is, the run is still under way

    during_the_run(platform, hold)

    def press() -> None:
        started.wait(30)
        os.kill(os.getpid(), signal.SIGINT)
        pressed.set()

    with Accelerator(platform, SMALL) as driver:
        driver.load(package)
        thread = threading.Thread(target=press)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            once(driver, package)
        thread.join()
        status = platform.read(BY_NAME["STATUS"].offset)
        assert BY_NAME["STATUS"].field("IDLE").get(status) == 1
        assert BY_NAME["STATUS"].field("BUSY").get(status) == 0
        require_good(driver, package, reference)
    assert platform.dram.taken == 0


def test_a_start_while_busy_is_its_own_error(
    platform: RtlPlatform, driver: Accelerator, package: Package, reference: ReferenceDevice
) -> None:
    control = BY_NAME["CONTROL"]
    during_the_run(platform, lambda: platform.write(control.offset, control.field("START").put(1)))
    with pytest.raises(DeviceError, match="start was written while the machine was busy"):
        once(driver, package)
    require_good(driver, package, reference)


Lists = Callable[[list[Command]], list[bytes]]


def changed(op: Op, **values: int) -> Lists:
    """The first command of ``op`` with other operands or header fields (``tokens``, ``pairs``)."""
    header = {name: values.pop(name) for name in ("tokens", "pairs") if name in values}

    def change(commands: list[Command]) -> list[bytes]:
        at = next(index for index, command in enumerate(commands) if command.op is op)
        old = commands[at]
        commands[at] = replace(old, operands={**old.operands, **values}, **header)
        return [encode(command) for command in commands]

    return change


def with_bits(index: int, keep: int, bits: int) -> Lists:
    """A command whose lowest 64 bits are masked by ``keep``, then set."""

    def change(commands: list[Command]) -> list[bytes]:
        words = [encode(command) for command in commands]
        head = int.from_bytes(words[index][:8], "little") & keep | bits
        words[index] = head.to_bytes(8, "little") + words[index][8:]
        return words

    return change


def copied(source: int, target: int) -> Lists:
    """A list in which one command stands in another's place."""

    def change(commands: list[Command]) -> list[bytes]:
        commands[target] = commands[source]
        return [encode(command) for command in commands]

    return change


LISTS: dict[ErrorCode, Lists] = {
    ErrorCode.UNKNOWN_OPERATION: with_bits(4, ~0x3F, 20),
    ErrorCode.MALFORMED_COMMAND: with_bits(4, ~0, 1 << 60),
    ErrorCode.CONFIG_NOT_FIRST: copied(1, 0),
    ErrorCode.CONTRACT_MISMATCH: changed(Op.CONFIG, contract=CONTRACT_VERSION + 1),
    ErrorCode.MACHINE_MISMATCH: changed(Op.CONFIG, digest=1),
    ErrorCode.TOKEN_LIMIT: changed(Op.CONFIG, tokens=SMALL.max_tokens + 1),
    ErrorCode.WIDTH_LIMIT: changed(Op.NORM, width=48),
    ErrorCode.HEAD_LIMIT: changed(Op.ATTN, heads=2),
    ErrorCode.EXPERT_LIMIT: changed(Op.GATE, experts=SMALL.max_experts + 1),
    ErrorCode.TOP_K_LIMIT: changed(Op.GATE, top_k=SMALL.max_top_k + 1),
    ErrorCode.STORE_LIMIT: changed(Op.EXPERTS, pairs=SMALL.accumulator_pairs + 1),
    ErrorCode.RING_LIMIT: changed(Op.GEMM, panels_group=200),
    ErrorCode.ADDRESS_WINDOW: changed(Op.DMA, address=1 << 30),
    ErrorCode.LIST_OVERRUN: copied(2, -1),
}
"""A list that makes the machine stop with each code; memory and starts make the others."""


@pytest.mark.parametrize("code", LISTS, ids=lambda code: code.name)
def test_every_refusal_is_a_sentence_and_the_machine_goes_on(
    driver: Accelerator, package: Package, reference: ReferenceDevice, code: ErrorCode
) -> None:
    resident = driver._residents[package.digest]
    good = resident.static.data.copy()
    words = b"".join(LISTS[code](list(package.commands)))
    resident.static.data[resident.list_offset :][: len(words)] = np.frombuffer(words, np.uint8)
    resident.static.to_device()
    with pytest.raises(DeviceError) as caught:
        once(driver, package)
    text = str(caught.value)
    assert SENTENCES[code] in text and f"(error {int(code)})" in text and "\n" not in text
    resident.static.data[:] = good
    resident.static.to_device()
    require_good(driver, package, reference)


def test_every_code_is_provoked() -> None:
    others = {ErrorCode.NONE, ErrorCode.READ_ERROR, ErrorCode.WRITE_ERROR}
    assert set(ErrorCode) == set(LISTS) | others | {ErrorCode.START_WHILE_BUSY}
