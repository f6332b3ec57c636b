"""The cost model against cycles counted in RTL simulation: records that `make bench-rtl` wrote.

``bench_routing.json`` holds the queue lengths of the bench's random weights and image by model,
so that nothing has to be computed here.
"""

import json
from pathlib import Path

import pytest

from m3vit.host.devices.reference import ReferenceDevice
from m3vit.hw.compiler.compile import compile_model
from m3vit.hw.cost import CycleReport, estimate_cycles
from m3vit.hw.cost.timeline import CAUSES
from m3vit.hw.golden.embedding import patches
from m3vit.hw.machine import machine_preset
from m3vit.hw.package import read_package
from m3vit.hw.presets import model_preset
from m3vit.hw.records import ResultRecord
from tests.sim.rtl.bench_rtl import MACHINE, ROWS, SEED
from tests.support.random_models import random_image, random_model

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
FILES = (ROOT / "host" / "compare" / "records" / "rtl.jsonl", ROOT / "results" / "rtl.jsonl")
ROUTING = json.loads((HERE / "bench_routing.json").read_text())


def _counted(model: str) -> ResultRecord:
    """The record of the RTL; the committed one, or what this machine counted last."""
    for path in FILES:
        for line in path.read_text().splitlines() if path.exists() else []:
            record = ResultRecord.from_json(line)
            place = (record.model, record.device, record.image)
            if place == (model, "rtl", f"random, seed {SEED}"):
                return record
    pytest.skip(f"nothing counted of {model}: make bench-rtl")


def _modelled(model: str) -> CycleReport:
    return estimate_cycles(model_preset(model), machine_preset(MACHINE), ROUTING[model])


@pytest.mark.parametrize("model", ["tiny-cityscapes", "tiny-cityscapes-k2"])
def test_the_routing_is_the_benchs(model: str, tmp_path: Path) -> None:
    config, machine = model_preset(model), machine_preset(MACHINE)
    compile_model(random_model(config, SEED), machine, tmp_path / "package")
    package = read_package(tmp_path / "package")
    with ReferenceDevice(machine) as device:
        device.load(package)
        run = device.run(package, patches(random_image(config, SEED), config.patch), 0)
    assert [run.plans[block].counts.tolist() for block in sorted(run.plans)] == ROUTING[model]


@pytest.mark.parametrize("model", [row.name for row in ROWS])
def test_the_model_is_within_three_percent_of_the_rtl(model: str) -> None:
    counted, report = _counted(model), _modelled(model)
    assert report.total == pytest.approx(counted.value("cycles"), rel=0.03)
    assert report.dram_total == counted.value("dram_bytes")


@pytest.mark.parametrize("model", [row.name for row in ROWS])
def test_each_cause_is_within_a_hundredth_of_the_cycles(model: str) -> None:
    counted, report = _counted(model), _modelled(model)
    shares = dict(counted.value("utilisation"))
    assert report.busy == round(shares.pop("array") * counted.value("cycles"))
    assert {name.removeprefix("array_").removeprefix("wait_") for name in shares} == set(CAUSES)
    for name, share in shares.items():
        cause = name.removeprefix("array_").removeprefix("wait_")
        assert report.lost[cause] / report.total == pytest.approx(share, abs=0.01)
