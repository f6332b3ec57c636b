"""Many runs on the RTL with random packages, tasks, images and faults: nothing is lost."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from m3vit.host.devices.reference import ReferenceDevice
from m3vit.host.driver.accelerator import Accelerator
from m3vit.hw.compiler.compile import compile_model
from m3vit.hw.errors import DeviceError, DeviceTimeoutError
from m3vit.hw.formats import Int8, Int16
from m3vit.hw.golden.embedding import patches
from m3vit.hw.package import Package, read_package
from m3vit.hw.registers import BY_NAME
from m3vit.sim.rtl.platform import RtlPlatform
from tests.support.packages import MICRO, MICRO_DENSE
from tests.support.random_models import random_image, random_model
from tests.support.small_machine import SMALL, small_platform

SIZES = {
    "micro": MICRO,
    "dense": MICRO_DENSE,
    "one patch": replace(MICRO, image_height=16, image_width=16),
    "more tokens": replace(MICRO, image_height=64, image_width=64, blocks=1),
    "two heads of 32": replace(MICRO, width=64, blocks=2, top_k=1),
}
TIMEOUT_S = 150_000 / 300e6
"""Several times the longest of these runs."""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Package]:
    folder: Path = tmp_path_factory.mktemp("soak")
    made = []
    for number, (name, config) in enumerate(SIZES.items()):
        compile_model(random_model(config, number), SMALL, folder / name)
        made.append(read_package(folder / name))
    return made


@dataclass
class Soak:
    """The state that runs leave to each other, and what happened."""

    packages: list[Package]
    rng: random.Random
    seen: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.reference = ReferenceDevice(SMALL)
        for package in self.packages:
            self.reference.load(package)
        self.open()

    def open(self) -> None:
        self.platform: RtlPlatform = small_platform(seed=self.rng.randrange(1, 1 << 16))
        self.driver = Accelerator(self.platform, SMALL, timeout_s=TIMEOUT_S)
        for package in self.packages:
            self.driver.load(package)

    def close(self) -> None:
        self.driver.close()
        assert self.platform.dram.taken == 0

    def run(self) -> None:
        """One or two images; a fault may strike one of them, which is then run again."""
        package = self.rng.choice(self.packages)
        fault = self.rng.choice(list(self._faults()))
        self.seen[fault] += 1
        self._faults()[fault]()
        work = [self._image(package) for _ in range(self.rng.choice((1, 1, 2)))]
        tickets = [self.driver.submit(package, tiles, task) for tiles, task in work]
        for (tiles, task), ticket in zip(work, tickets, strict=True):
            try:
                result = self.driver.collect(ticket).result
            except DeviceError as error:
                self._recover(error)
                result = self._again(package, tiles, task)
            expected = self.reference.run(package, tiles, task).result
            assert np.array_equal(result, expected), (fault, package.config.name)
            self.seen["images"] += 1
        self._calm()

    def _again(self, package: Package, tiles: Int8, task: int) -> Int16:
        """Without faults it succeeds at once."""
        self._calm()
        self.seen["run again"] += 1
        return self.driver.collect(self.driver.submit(package, tiles, task)).result

    def _calm(self) -> None:
        self.platform.__dict__.pop("wait", None)
        self.platform.heal()
        self.platform.process.tell("set stall 0")

    def _image(self, package: Package) -> tuple[Int8, int]:
        config = package.config
        tiles = patches(random_image(config, self.rng.randrange(100)), config.patch)
        return tiles, self.rng.randrange(len(config.tasks))

    def _faults(self) -> dict[str, Callable[[], object]]:
        count = self.rng.randrange(1, 3000)
        tell = self.platform.process.tell
        return {
            "none": lambda: None,
            "stalls": lambda: tell(f"set stall {self.rng.choice((0.1, 0.5, 0.9))}"),
            "read error": lambda: self.platform.inject("read", count),
            "write error": lambda: self.platform.inject("write", count % 20 + 1),
            "hang": lambda: self.platform.inject("hang", count),
            "power-cycle": lambda: self._in_a_while(self.platform.power_cycle),
            "gone": lambda: self._in_a_while(self.platform.process.kill),
            "second start": lambda: self._in_a_while(self._start),
        }

    def _start(self) -> None:
        control = BY_NAME["CONTROL"]
        self.platform.write(control.offset, control.field("START").put(1))

    def _in_a_while(self, act: Callable[[], object]) -> None:
        """Before one of the next waits."""
        wait, left = self.platform.wait, [self.rng.randrange(1, 6)]

        def patched(seconds: float) -> bool:
            left[0] -= 1
            if left[0] == 0:
                act()
            return wait(seconds)

        self.platform.wait = patched  # type: ignore[method-assign]
        self.platform.slice_s = 2_000 / 300e6

    def _recover(self, error: DeviceError) -> None:
        """As a user would: what the message says."""
        text = str(error)
        assert "\n" not in text
        if "has gone" in text or "is lost" in text:
            self.seen["opened again"] += 1
            self.close()
            self.open()
        elif isinstance(error, DeviceTimeoutError):
            self.seen["timed out"] += 1
            self.platform.heal()


def soak(packages: list[Package], runs: int, seed: int) -> Counter[str]:
    one = Soak(packages=packages, rng=random.Random(seed))
    for _ in range(runs):
        one.run()
    one.close()
    return one.seen


def test_ten_runs(packages: list[Package]) -> None:
    seen = soak(packages, 10, 1)
    assert seen["images"] >= 10


@pytest.mark.slow
def test_two_hundred_runs(packages: list[Package]) -> None:
    seen = soak(packages, 200, 2)
    print(dict(seen))
    assert seen["images"] >= 200 and seen["opened again"] > 10 and seen["timed out"] > 5
    assert seen["read error"] > 10 and seen["write error"] > 10
