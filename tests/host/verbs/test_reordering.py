"""``m3vit reordering`` on the smallest machine in RTL."""

from pathlib import Path

import numpy as np
import pytest

from m3vit.host.cli import main
from m3vit.host.images import resize_image
from m3vit.host.reordering import both_ways
from m3vit.hw.compiler.compile import compile_model
from m3vit.hw.cost.reordering import fetches
from m3vit.hw.golden.embedding import patches
from m3vit.hw.package import Package, read_package
from m3vit.hw.records import Evidence, ResultRecord
from tests.support.packages import MICRO, MICRO_DENSE, plans_of
from tests.support.random_models import random_model
from tests.support.small_machine import SMALL


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    path = tmp_path_factory.mktemp("reordering") / "package"
    compile_model(random_model(MICRO, 0), SMALL, path)
    return read_package(path)


@pytest.fixture(autouse=True)
def _small_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    opener = "tests.support.small_machine:open_small"
    monkeypatch.setattr("m3vit.host.driver.simulated.PLATFORM", opener)


def test_records_of_both_ways(package: Package, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reordering", str(package.path), "--task", "edges", "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    reordered, by_token, model, model_by_token = map(ResultRecord.from_json, lines)
    image = resize_image(package.golden()["image"], MICRO.image_height, MICRO.image_width)
    task = MICRO.task_index("edges")
    plans = plans_of(package, patches(image, MICRO.patch), task)
    routed = np.stack([plans[block].per_token()[0] for block in MICRO.moe_blocks])
    assert by_token.value("experts_fetched") == fetches(MICRO, SMALL, routed)
    assert model_by_token.value("experts_fetched") == by_token.value("experts_fetched")
    assert reordered.value("experts_fetched") >= sum(plan.live_experts for plan in plans.values())
    assert by_token.value("cycles") > reordered.value("cycles") > 1000
    for one in (reordered, by_token):
        assert one.figures["cycles"].evidence is Evidence.RTL
        assert one.value("memory_bytes") == SMALL.ring_bytes
    for one in (model, model_by_token):
        assert one.figures["cycles"].evidence is Evidence.MODELLED
    assert reordered.package_digest == model.package_digest == package.digest
    assert by_token.package_digest == model_by_token.package_digest != package.digest


def test_the_table_shows_both(
    package: Package, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reordering", str(package.path), "--image", str(photo)]) == 0
    text = capsys.readouterr().out
    header, rule, kinds = text.splitlines()[:3]
    assert header.split("  ")[0] == "micro, segmentation, small" and set(rule) == {"-", " "}
    assert header.count("expert by expert") == header.count("token by token") == 2
    assert kinds.split() == ["rtl", "rtl", "modelled", "modelled"]
    for row in ("experts fetched", "MB of DRAM", "k cycles", "KiB on chip for experts"):
        assert row in text


def test_refuses_what_cannot_be_compared(
    package: Package, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dense, slow = tmp_path / "dense", tmp_path / "slow"
    compile_model(random_model(MICRO_DENSE, 0), SMALL, dense)
    compile_model(random_model(MICRO, 0), SMALL, slow, reorder=False)
    for path in (dense, slow):
        assert main(["reordering", str(path)]) == 2
        assert "no experts that are reordered" in capsys.readouterr().err
    assert main(["reordering", str(package.path), "--device", "reference"]) == 2
    assert "counts no cycles" in capsys.readouterr().err


def test_compiled_without_reordering_is_the_other_way(package: Package, tmp_path: Path) -> None:
    compile_model(random_model(MICRO, 0), SMALL, tmp_path / "slow", reorder=False)
    assert read_package(tmp_path / "slow").commands == both_ways(package)[1].commands
