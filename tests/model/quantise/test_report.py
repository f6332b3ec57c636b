"""The report's record is complete, finite JSON, and its tables show every part."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from m3vit.hw.config import TaskConfig, TaskKind
from m3vit.model.quantise.calibrate import calibrate
from m3vit.model.quantise.export import export
from m3vit.model.quantise.images import scene_images
from m3vit.model.quantise.report import compare_on_scenes
from m3vit.model.quantise.tables import report_lines
from tests.model.quantise.networks import micro_config, rough_network

TASKS = (
    TaskConfig(name="shapes", kind=TaskKind.SEGMENTATION, channels=8),
    TaskConfig(name="slopes", kind=TaskKind.NORMALS, channels=3),
    TaskConfig(name="limbs", kind=TaskKind.PARTS, channels=4),
)


@pytest.fixture(scope="module", params=[True, False])
def record(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    network = rough_network(micro_config(tasks=TASKS, moe=request.param))
    model = export(network, calibrate(network, scene_images(network.config, 24)))
    said: list[str] = []
    yield compare_on_scenes(network, model, 3, said.append)
    assert said == ["compared 3/3 scenes"]


def test_record_is_json_and_complete(record: dict[str, Any]) -> None:
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert list(record["tasks"]) == ["shapes", "slopes"]  # scenes have no body parts
    for one in record["tasks"].values():
        change = one["relative_change"]
        assert one["integer"] == pytest.approx(one["float"] * (1 + change))
    assert len(record["residual_db"]["fixed"]) == 9
    assert record["residual_db"]["fixed"]["out 3"] > 20


def test_routing_is_reported_for_blocks_with_experts(record: dict[str, Any]) -> None:
    if not record["routing"]:
        return
    assert list(record["routing"]) == ["block 1", "block 3", "all"]
    total = record["routing"]["all"]
    assert total["tokens"] == 3 * 3 * 17 * 2
    assert 0.9 < total["same_set"] <= total["same_pairs"] <= 1
    free, fixed = record["residual_db"]["free"], record["residual_db"]["fixed"]
    assert free["mid 1"] == fixed["mid 1"]


def test_tables_show_every_task_and_stage(record: dict[str, Any]) -> None:
    text = "\n".join(report_lines(record))
    for word in (
        "shapes",
        "slopes",
        "mIoU",
        "out 3",
        "residual additions",
        "3 unseen scenes",
        "no ground truth for limbs",
    ):
        assert word in text
    assert ("block 3" in text) == bool(record["routing"])


def test_report_without_scenes_is_empty_but_readable() -> None:
    network = rough_network(micro_config(blocks=2))
    model = export(network, calibrate(network, scene_images(network.config, 2)))
    record = compare_on_scenes(network, model, 0, print)
    assert json.dumps(record, allow_nan=False)
    assert "on 0 unseen scenes" in next(report_lines(record))
