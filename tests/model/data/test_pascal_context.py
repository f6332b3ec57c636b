import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.io import savemat

from m3vit.hw.errors import DatasetError
from m3vit.model.data.pascal_context import PascalContextDataset, label_boundaries
from m3vit.model.data.pascal_labels import NORMALS_LABELS, PART_CLASSES, PART_OF

TASKS = ("segmentation", "parts", "normals", "edges", "saliency")
SIZE = (12, 16)
WALL, SKY = 440, 360  # normals hold on the one, not on the other


def _struct(**fields: Any) -> np.ndarray:
    record = np.empty((1, 1), [(name, object) for name in fields])
    for name, value in fields.items():
        record[name][0, 0] = value
    return record


def _structs(items: list[dict[str, Any]]) -> np.ndarray:
    if not items:
        return np.zeros((0, 0))
    records = np.empty((1, len(items)), [(name, object) for name in items[0]])
    for i, item in enumerate(items):
        for name, value in item.items():
            records[name][0, i] = value
    return records


def _object(index: int, parts: dict[str, np.ndarray]) -> dict[str, Any]:
    listed = [{"part_name": name, "mask": mask} for name, mask in parts.items()]
    return {
        "class": "x",
        "class_ind": index,
        "mask": np.ones(SIZE, np.uint8),
        "parts": _structs(listed),
    }


def _mask(rows: slice) -> np.ndarray:
    mask = np.zeros(SIZE, np.uint8)
    mask[rows] = 1
    return mask


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in (
        "JPEGImages", "ImageSets/Context", "ImageSets/Parts", "pascal-context/trainval",
        "semseg/VOC12", "semseg/pascal-context", "human_parts", "normals_distill", "sal_distill",
    ):  # fmt: skip
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "ImageSets/Context/val.txt").write_text("one\ntwo\n\n")
    (tmp_path / "ImageSets/Parts/val.txt").write_text(json.dumps({"one": [15, 2], "two": [-1]}))
    labels = np.full(SIZE, SKY, np.uint16)
    labels[:, 8:] = WALL
    segmentation = Image.fromarray(np.eye(*SIZE, dtype=np.uint8) * 20, "P")
    segmentation.putpalette([i for i in range(256) for _ in range(3)])
    stored = np.zeros((*SIZE, 3), np.uint8)
    stored[...] = (255, 128, 128)
    saliency = np.zeros(SIZE, np.uint8)
    saliency[:6] = 200
    persons = [
        _object(15, {"hair": _mask(slice(0, 2)), "lfoot": _mask(slice(10, 12))}),
        _object(3, {"head": _mask(slice(3, 5))}),
        _object(15, {}),
    ]
    for name, objects in (("one", persons), ("two", [_object(3, {})])):
        Image.fromarray(np.full((*SIZE, 3), 90, np.uint8)).save(tmp_path / f"JPEGImages/{name}.jpg")
        savemat(tmp_path / f"pascal-context/trainval/{name}.mat", {"LabelMap": labels})
        folder = "VOC12" if name == "one" else "pascal-context"
        segmentation.save(tmp_path / f"semseg/{folder}/{name}.png")
        anno = _struct(imname=name, objects=_structs(objects))
        savemat(tmp_path / f"human_parts/{name}.mat", {"anno": anno})
        Image.fromarray(stored).save(tmp_path / f"normals_distill/{name}.png")
        Image.fromarray(saliency).save(tmp_path / f"sal_distill/{name}.png")
    return tmp_path


def test_all_tasks_follow_the_conventions(root: Path) -> None:
    data = PascalContextDataset(root, "val", TASKS)
    assert len(data) == 2
    sample = data[0]
    assert sample.name == "one" and set(sample.targets) == set(TASKS)
    assert (sample.targets["segmentation"] == np.eye(*SIZE) * 20).all()
    saliency = sample.targets["saliency"]
    assert (saliency[:6] == 1).all() and (saliency[6:] == 0).all()
    normals = sample.targets["normals"]
    assert (normals[:, :8] == 0).all()
    assert np.allclose(normals[:, 8:], (1, 0, 0), atol=0.006)
    edges = sample.targets["edges"]
    assert (edges.sum(1) == 1).mean() > 0.7 and (edges[:, :7] == 0).all()
    assert (data[1].targets["segmentation"] == np.eye(*SIZE) * 20).all()


def test_parts_of_persons_only(root: Path) -> None:
    data = PascalContextDataset(root, "val", ("parts", "saliency"))
    parts = data[0].targets["parts"]
    expected = np.zeros(SIZE, np.uint8)
    expected[:2], expected[10:] = PART_CLASSES.index("head"), PART_CLASSES.index("lower leg")
    assert (parts == expected).all()
    assert not data[1].targets["parts"].any()


def test_parts_alone_list_only_images_with_persons(root: Path) -> None:
    assert PascalContextDataset(root, "val", ("parts",)).names == ["one"]
    (root / "ImageSets/Parts/val.txt").unlink()
    with pytest.raises(DatasetError, match="Parts/val.txt is missing"):
        PascalContextDataset(root, "val", ("parts",))


@pytest.mark.parametrize(
    ("gone", "named"),
    [
        ("JPEGImages/two.jpg", "JPEGImages/two.jpg is missing"),
        ("ImageSets/Context/val.txt", "Context/val.txt is missing"),
        ("semseg/VOC12/one.png", "semseg/VOC12/one.png is missing"),
        ("human_parts", "human_parts/one.mat is missing .2 of 2"),
        ("normals_distill/one.png", "normals_distill/one.png is missing"),
        ("sal_distill/two.png", "sal_distill/two.png is missing .1 of 2"),
        ("pascal-context/trainval/one.mat", "trainval/one.mat is missing"),
    ],
)
def test_a_missing_file_is_named(root: Path, gone: str, named: str) -> None:
    path = root / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(DatasetError, match=named):
        PascalContextDataset(root, "val", TASKS)


def test_files_of_tasks_not_asked_for_may_be_absent(root: Path) -> None:
    shutil.rmtree(root / "human_parts")
    assert len(PascalContextDataset(root, "val", ("segmentation", "edges"))) == 2


def test_broken_files_and_unknown_tasks_are_named(root: Path) -> None:
    (root / "human_parts/one.mat").write_bytes(b"no matlab")
    with pytest.raises(DatasetError, match="one.mat cannot be read"):
        PascalContextDataset(root, "val", ("parts", "edges"))[0]
    savemat(root / "human_parts/one.mat", {"anno": np.zeros(3)})
    with pytest.raises(DatasetError, match="not PASCAL-Part's annotation"):
        PascalContextDataset(root, "val", ("parts", "edges"))[0]
    savemat(root / "pascal-context/trainval/one.mat", {"other": np.zeros(3)})
    with pytest.raises(DatasetError, match="lacks the variable LabelMap"):
        PascalContextDataset(root, "val", ("edges",))[0]
    with pytest.raises(DatasetError, match="'depth' is not annotated"):
        PascalContextDataset(root, "val", ("depth",))
    with pytest.raises(DatasetError, match="nowhere is missing"):
        PascalContextDataset(root / "nowhere", "val", ("edges",))


def test_tables_hold_what_the_benchmark_states() -> None:
    assert len(PART_OF) == 24 and set(PART_OF.values()) == set(range(1, 7))
    assert len(NORMALS_LABELS) == 170 and WALL in NORMALS_LABELS and SKY not in NORMALS_LABELS


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_boundaries_lie_beside_another_label(seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 3, (4, 5)).repeat(5, 0).repeat(5, 1)
    edges = label_boundaries(labels)
    padded = np.pad(labels, 1, mode="edge")
    differs = np.zeros(labels.shape, bool)
    for dy, dx in ((0, 1), (2, 1), (1, 0), (1, 2)):
        differs |= padded[dy : dy + 20, dx : dx + 25] != labels
    assert not (edges.astype(bool) & ~differs).any()
    assert edges.any() == differs.any()
