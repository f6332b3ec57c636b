"""Packages in the machine's memory: one buffer for weights and commands, a few for images."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from m3vit.host.driver.platform import Buffer
from m3vit.hw.commands.order import is_token_order
from m3vit.hw.commands.word import encode
from m3vit.hw.cost import CycleReport, estimate_cycles
from m3vit.hw.cost.reordering import estimate_token_order
from m3vit.hw.errors import DeviceError
from m3vit.hw.formats import Int8, Int16, UInt8
from m3vit.hw.layout.sizes import aligned
from m3vit.hw.package import Package
from m3vit.hw.registers import WINDOW_UNIT

Allocate = Callable[[int], Buffer]


@dataclass(kw_only=True, eq=False)
class Slot:
    """Room for one image on its way through: in, result out, trace out if asked for."""

    image: Buffer
    result: Buffer
    trace: Buffer | None = None

    def free(self) -> None:
        """Give the buffers back."""
        for buffer in (self.image, self.result, self.trace):
            if buffer is not None:
                buffer.free()


@dataclass(kw_only=True, eq=False)
class Resident:
    """A package that has been copied to the machine."""

    package: Package
    static: Buffer
    list_offset: int
    """Bytes from the static buffer's start to the first command."""
    slots: tuple[Slot, ...]
    idle: list[Slot]
    """Slots that no image uses."""
    expected_s: float
    """Of the machine's time for one image, by the cost model."""

    @classmethod
    def load(cls, package: Package, allocate: Allocate, slots: int) -> "Resident":
        """Copy ``package`` and reserve ``slots`` places for images.

        Raises:
            DeviceError: there is no room; what had been taken is given back.
        """
        sizes = _Sizes.of(package)
        taken: list[Buffer] = []

        def take(size: int) -> Buffer:
            taken.append(allocate(size))
            return taken[-1]

        try:
            static = take(sizes.static)
            room = [Slot(image=take(sizes.image), result=take(sizes.result)) for _ in range(slots)]
        except DeviceError as error:
            for buffer in taken:
                buffer.free()
            raise DeviceError(f"{error}; {sizes.text(package, slots)}") from error
        resident = cls(
            package=package,
            static=static,
            list_offset=sizes.weights,
            slots=tuple(room),
            idle=room,
            expected_s=1e-3 * _expected(package).latency_ms,
        )
        resident._copy()
        return resident

    def _copy(self) -> None:
        package, view = self.package, self.static.data
        view[: len(package.weights)] = np.frombuffer(package.weights, np.uint8)
        commands = b"".join(map(encode, package.commands))
        view[self.list_offset :][: len(commands)] = np.frombuffer(commands, np.uint8)
        self.static.to_device()

    def take_slot(self, tiles: Int8, trace: bool, allocate: Allocate) -> Slot:
        """A free slot that holds the image, with room for a trace if it is asked for.

        Raises:
            DeviceError: all are in use, or there is no room for the trace.
        """
        if not self.idle:
            raise DeviceError(
                f"the queue of package {self.package.path} is full with {len(self.slots)} images; "
                "collect one before the next is submitted"
            )
        slot = self.idle[-1]
        if trace and slot.trace is None:
            slot.trace = allocate(aligned(self.package.trace_bytes, WINDOW_UNIT))
        self.idle.pop()
        slot.image.data[: tiles.size] = np.ascontiguousarray(tiles).view(np.uint8).reshape(-1)
        slot.image.to_device()
        return slot

    def give_back(self, slot: Slot) -> None:
        """The slot may take another image."""
        self.idle.append(slot)

    def result(self, slot: Slot) -> Int16:
        """[T, d]: what the machine wrote."""
        config = self.package.config
        slot.result.from_device()
        data = slot.result.data[: 2 * config.tokens * config.width]
        return data.view("<i2").reshape(config.tokens, config.width).astype(np.int16)

    def trace(self, slot: Slot) -> UInt8 | None:
        """The trace buffer's content, None if the slot has none."""
        if slot.trace is None:
            return None
        slot.trace.from_device()
        copy: UInt8 = slot.trace.data[: self.package.trace_bytes].copy()
        return copy

    def free(self) -> None:
        """Give every buffer back."""
        self.static.free()
        for slot in self.slots:
            slot.free()


def _expected(package: Package) -> CycleReport:
    """What one image takes; token by token that depends on the routing, here a random one."""
    if is_token_order(package.commands):
        return estimate_token_order(package.config, package.machine)
    return estimate_cycles(package.config, package.machine)


@dataclass(frozen=True, kw_only=True)
class _Sizes:
    """Bytes of each buffer."""

    weights: int
    static: int
    image: int
    result: int

    @classmethod
    def of(cls, package: Package) -> "_Sizes":
        config = package.config
        weights = aligned(len(package.weights), WINDOW_UNIT)
        commands = sum(len(encode(command)) for command in package.commands)
        return cls(
            weights=weights,
            static=aligned(weights + commands, WINDOW_UNIT),
            image=aligned((config.tokens - 1) * config.patch_elements, WINDOW_UNIT),
            result=aligned(2 * config.tokens * config.width, WINDOW_UNIT),
        )

    def text(self, package: Package, slots: int) -> str:
        """What a package needs, for the message when there is no room."""
        total = self.static + slots * (self.image + self.result)
        return (
            f"package {package.path} needs {total} bytes: {self.static} for weights and commands, "
            f"{slots} x {self.image} for images, {slots} x {self.result} for results; unload "
            "another package"
        )
