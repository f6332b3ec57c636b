"""Layer by layer: what differs is named by block, layer, token and channel."""

from dataclasses import replace

import numpy as np
import pytest

from m3vit.host.devices.device import DeviceRun
from m3vit.host.devices.reference import ReferenceDevice
from m3vit.host.layers import difference, layers_of, recorded
from m3vit.host.verify import verify
from m3vit.hw.errors import DeviceError
from m3vit.hw.formats import Int8
from m3vit.hw.golden.embedding import patches
from m3vit.hw.machine import machine_preset
from m3vit.hw.package import Package
from tests.host.conftest import Micro


class Faulty(ReferenceDevice):
    """The reference with one integer of one traced layer changed."""

    def __init__(self, name: str, block: int, token: int, column: int) -> None:
        super().__init__(machine_preset("mini"))
        self._where = name, block, token, column

    def run(self, package: Package, tiles: Int8, task: int, *, trace: bool = False) -> DeviceRun:
        run = super().run(package, tiles, task, trace=trace)
        name, block, token, column = self._where
        if name == "result":
            run.result[token, column] += 1
            return run
        assert run.trace is not None
        region = next(r for r in package.trace if (r.name, r.block) == (name, block))
        width = {"INT8": 1, "INT32": 4, "PLAN": 2}[region.element]
        run.trace[region.offset + token * region.stride + column * width] ^= 1
        return run


@pytest.mark.parametrize(
    ("name", "block", "token", "column", "text"),
    [
        ("embed", 0, 8, 31, "block 0, layer embed, token 8, channel 31: expected "),
        ("ln1", 0, 0, 0, "block 0, layer ln1, token 0, channel 0: expected "),
        ("attention", 1, 3, 17, "block 1, layer attention, token 3, channel 17: expected "),
        ("mid", 1, 4, 5, "block 1, layer mid, token 4, channel 5: expected "),
        ("plan", 1, 2, 2, "block 1, layer plan, token 2, rank 1's expert: expected "),
        ("plan", 1, 2, 1, "block 1, layer plan, token 2, rank 0's weight: expected "),
        ("result", 1, 7, 9, "block 1, layer result, token 7, channel 9: expected "),
    ],
)
def test_one_wrong_integer_is_named(
    micro: Micro, name: str, block: int, token: int, column: int, text: str
) -> None:
    package, lines = micro[1], list[str]()
    device = Faulty(name, block, token, column)
    (found,) = verify(package, device, package.golden()["image"], ["depth"], lines.append)
    assert found.first is not None and found.first.different == 1
    assert str(found.first).startswith(text) and text in lines[-1]
    wanted = [r.name for r in package.trace] + ["result"]
    assert found.layers == len(lines) - 1 < len(wanted)
    assert abs(found.first.expected - found.first.got) == 1


def test_equal_layers_are_all_counted(micro: Micro) -> None:
    package = micro[1]
    device = ReferenceDevice(machine_preset("mini"))
    tasks = package.config.task_names
    found = verify(package, device, package.golden()["image"], tasks, lambda line: None)
    layers = len(package.trace) + 1
    assert [(one.task, one.first, one.layers) for one in found] == [
        (t, None, layers) for t in tasks
    ]
    elements = sum(r.tokens * r.columns * (2 if r.element == "PLAN" else 1) for r in package.trace)
    result = package.config.tokens * package.config.width
    assert {one.integers for one in found} == {elements + result}


def test_the_recorded_sample_holds_the_same_layers(micro: Micro) -> None:
    package, golden = micro[1], micro[1].golden()
    device = ReferenceDevice(machine_preset("mini"))
    lines: list[str] = []
    verify(package, device, golden["image"], package.config.task_names[:1], lines.append)
    run = device.run(package, patches(golden["image"], package.config.patch), 0, trace=True)
    for layer in layers_of(package, run):
        name = f"layers.{layer.block}.{layer.name}"
        recorded = golden.get(name, golden[f"{package.config.task_names[0]}.result"])
        if layer.name == "plan":
            recorded = recorded.view("<u2")
        assert np.array_equal(layer.values, recorded), name


def test_a_run_without_a_trace_is_refused(micro: Micro) -> None:
    run = DeviceRun(result=np.zeros((9, 32), np.int16), phases={})
    with pytest.raises(DeviceError, match="returned no trace"):
        next(layers_of(micro[1], run))


def test_the_first_of_several_differences_is_told(micro: Micro) -> None:
    package = micro[1]
    device = ReferenceDevice(machine_preset("mini"))
    device.load(package)
    tiles = patches(package.golden()["image"], package.config.patch)
    layer = next(layers_of(package, device.run(package, tiles, 0, trace=True)))
    values = layer.values.copy()
    values[2, 5] += 3
    values[4, 1] -= 7
    found = difference(layer, replace(layer, values=values))
    assert found is not None
    assert (found.token, found.column, found.different) == (2, "channel 5", 2)
    assert found.got - found.expected == 3


def test_a_traced_run_is_the_recorded_sample(micro: Micro) -> None:
    package, golden = micro[1], micro[1].golden()
    task = package.config.task_names[0]
    with ReferenceDevice(package.machine) as device:
        device.load(package)
        run = device.run(package, patches(golden["image"], package.config.patch), 0, trace=True)
    layers = list(layers_of(package, run))
    assert {"embed", "plan", "out", "result"} <= {layer.name for layer in layers}
    assert [difference(recorded(golden, layer, task), layer) for layer in layers] == [None] * len(
        layers
    )
