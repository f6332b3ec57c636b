"""Devices that go wrong in one place."""

from dataclasses import replace

from m3vit.host.devices.device import DeviceRun
from m3vit.host.devices.reference import ReferenceDevice
from m3vit.hw.errors import DeviceError
from m3vit.hw.formats import Int8
from m3vit.hw.package import Package


class FaultyDevice(ReferenceDevice):
    """Adds 1 to one integer of the result, or fails, in the runs whose numbers are given."""

    name = "faulty"
    wrong: frozenset[int] = frozenset()
    failing: frozenset[int] = frozenset()
    runs = 0

    def run(self, package: Package, tiles: Int8, task: int, *, trace: bool = False) -> DeviceRun:
        number, self.runs = self.runs, self.runs + 1
        if number in self.failing:
            raise DeviceError("status is STREAM_ERROR, expected DONE; reset the device")
        run = super().run(package, tiles, task, trace=trace)
        if number not in self.wrong:
            return run
        result = run.result.copy()
        result[3, 5] += 1
        return replace(run, result=result)
