"""``m3vit run``: records, pictures, routing, always the same for the same image."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from m3vit.host.cli import main
from m3vit.host.images import read_image, resize_image
from m3vit.host.runtime import PHASES
from m3vit.hw.cost import estimate_cycles
from m3vit.hw.evaluate import evaluate, evaluate_head
from m3vit.hw.records import ALWAYS, Evidence, ResultRecord
from m3vit.hw.routing_trace import load_trace
from m3vit.model.metrics.score import score_files
from tests.host.conftest import Micro
from tests.support.packages import MICRO, compiled


def _records(
    capsys: pytest.CaptureFixture[str], micro: Micro, *arguments: object
) -> list[ResultRecord]:
    assert main(["run", *map(str, arguments), "--package", str(micro[1].path), "--json"]) == 0
    printed = capsys.readouterr()
    return [ResultRecord.from_json(line) for line in printed.out.splitlines()]


def test_one_record_a_task_and_nothing_else(
    capsys: pytest.CaptureFixture[str], micro: Micro, photo: Path
) -> None:
    records = _records(capsys, micro, photo)
    assert [record.task for record in records] == list(MICRO.task_names)
    for record in records:
        assert set(ALWAYS) <= set(record.figures)
        assert (record.model, record.device, record.image) == ("micro", "reference", str(photo))
        assert record.package_digest == micro[1].digest
        assert set(record.value("phases_ms")) == {"read", *PHASES}


def test_figures_say_where_they_come_from(
    capsys: pytest.CaptureFixture[str], micro: Micro, photo: Path
) -> None:
    record = _records(capsys, micro, photo, "--task", "depth")[0]
    evidence = {name: entry.evidence for name, entry in record.figures.items()}
    assert evidence["cycles"] is evidence["latency_ms"] is Evidence.MODELLED
    assert evidence["phases_ms"] is Evidence.MEASURED
    assert "not the accelerator's" in record.figures["phases_ms"].source
    assert evidence["experts_used"] is Evidence.SIMULATED


def test_cycles_are_those_of_the_images_own_routing(
    capsys: pytest.CaptureFixture[str], micro: Micro, photo: Path
) -> None:
    model, package = micro
    record = _records(capsys, micro, photo, "--task", "normals")[0]
    image = resize_image(read_image(photo), MICRO.image_height, MICRO.image_width)
    plans = evaluate(model, image, MICRO.task_index("normals")).plans
    counts = [plans[block].counts.tolist() for block in MICRO.moe_blocks]
    report = estimate_cycles(MICRO, package.machine, counts)
    assert record.value("cycles") == report.total
    assert record.value("dram_bytes") == report.dram_total
    assert record.value("experts_used") == [plan.live_experts for plan in plans.values()]


def test_three_images_and_the_first_again(
    capsys: pytest.CaptureFixture[str], micro: Micro, photo: Path, tmp_path: Path
) -> None:
    others = [tmp_path / f"{number}.png" for number in range(2)]
    for number, path in enumerate(others):
        noise = np.random.default_rng(number).integers(0, 256, (40, 70, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
    records = _records(capsys, micro, photo, *others, photo)
    tasks = len(MICRO.tasks)
    digests = [record.digest for record in records]
    assert digests[:tasks] == digests[-tasks:]
    assert len(set(digests)) == 3 * tasks


def test_pictures_and_arrays(
    capsys: pytest.CaptureFixture[str], micro: Micro, photo: Path, tmp_path: Path
) -> None:
    _records(capsys, micro, photo, "--out", tmp_path, "--arrays")
    tasks = {f"photo.{task}.png" for task in MICRO.task_names}
    assert {path.name for path in tmp_path.iterdir()} == {
        "photo.overview.png",
        "photo.predictions.npz",
        *tasks,
    }
    with Image.open(tmp_path / "photo.depth.png") as picture:
        assert picture.width == 90 and picture.height > 50
    with np.load(tmp_path / "photo.predictions.npz") as arrays:
        assert arrays["segmentation"].shape == (50, 90)
        assert arrays["normals"].shape == (50, 90, 3)
        assert [task["name"] for task in json.loads(str(arrays["tasks"]))] == list(MICRO.task_names)


def test_segmentation_is_that_of_the_definition(
    capsys: pytest.CaptureFixture[str], micro: Micro, tmp_path: Path
) -> None:
    """At the model's own size nothing but the doubling lies between logits and classes."""
    model, _ = micro
    image = np.random.default_rng(3).integers(0, 256, (32, 64, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "a.png")
    _records(capsys, micro, tmp_path / "a.png", "--out", tmp_path, "--arrays")
    logits = evaluate_head(model, evaluate(model, image, 0).result, 0)
    scaled = logits * model.heads[0].logit_scale[:, None, None]
    padded = np.pad(scaled, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = 0.75 * padded[:, 1:-1] + 0.25 * padded[:, 2:]  # odd output rows
    exact = 0.75 * rows[:, :, 1:-1] + 0.25 * rows[:, :, 2:]  # odd output columns
    with np.load(tmp_path / "a.predictions.npz") as arrays:
        labels = arrays["segmentation"][1::2, 1::2]
    best = np.take_along_axis(exact, labels[None].astype(int), axis=0)[0]
    assert (exact.max(axis=0) - best <= 1e-4 * np.abs(exact).max()).all()


def test_same_names_do_not_overwrite_each_other(
    capsys: pytest.CaptureFixture[str], micro: Micro, photo: Path, tmp_path: Path
) -> None:
    twin = tmp_path / "elsewhere" / "photo.jpg"
    twin.parent.mkdir()
    Image.new("RGB", (20, 20)).save(twin)
    out = tmp_path / "out"
    _records(capsys, micro, photo, twin, "--task", "edges", "--out", out)
    assert {"photo.overview.png", "photo-2.overview.png"} <= {p.name for p in out.iterdir()}


def test_ground_truth_beside_the_prediction(
    capsys: pytest.CaptureFixture[str], micro: Micro, tmp_path: Path
) -> None:
    assert main(["scene", "--seed", "5", "--out", str(tmp_path)]) == 0
    capsys.readouterr()
    image, truth = tmp_path / "scene-5.png", tmp_path / "scene-5.npz"
    _records(capsys, micro, image, "--out", tmp_path / "plain")
    _records(capsys, micro, image, "--out", tmp_path / "both", "--truth", truth, "--arrays")
    heights = []
    for folder in ("plain", "both"):
        with Image.open(tmp_path / folder / "scene-5.overview.png") as picture:
            heights.append(picture.height)
    assert heights[1] > 1.5 * heights[0]
    scores = score_files(tmp_path / "both" / "scene-5.predictions.npz", truth)
    assert list(scores) == list(MICRO.task_names)


def test_routing_trace_round_trip(
    capsys: pytest.CaptureFixture[str], micro: Micro, photo: Path, tmp_path: Path
) -> None:
    _records(capsys, micro, photo, "--task", "edges", "--trace", tmp_path / "t.npz")
    [entry] = load_trace(tmp_path / "t.npz")
    image = resize_image(read_image(photo), MICRO.image_height, MICRO.image_width)
    plan = evaluate(micro[0], image, MICRO.task_index("edges")).plans[1]
    assert (entry.task, entry.image, entry.block) == ("edges", str(photo), 1)
    assert entry.plan.same_as(plan)


def test_a_task_named_twice_runs_once(
    capsys: pytest.CaptureFixture[str], micro: Micro, photo: Path
) -> None:
    records = _records(
        capsys, micro, photo, "--task", "edges", "--task", "depth", "--task", "edges"
    )
    assert [record.task for record in records] == ["edges", "depth"]


def test_text_names_the_modelled_and_the_measured(
    capsys: pytest.CaptureFixture[str], micro: Micro, photo: Path, tmp_path: Path
) -> None:
    arguments = ["--package", str(micro[1].path), "--out", str(tmp_path)]
    assert main(["run", str(photo), *arguments]) == 0
    text = capsys.readouterr().out
    assert "modelled" in text and "this host, device reference, measured" in text
    assert f"wrote {tmp_path / 'photo.overview.png'}" in text


@pytest.mark.parametrize("tasks", [[], ["--task", "all"]])
def test_dense_model_runs_too(
    tasks: list[str], capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path
) -> None:
    dense = compiled(tmp_path / "dense", MICRO.dense_twin())
    records = _records(capsys, dense, photo, *tasks)
    assert len(records) == len(MICRO.tasks)
    assert all(record.value("experts_used") == [] for record in records)
