from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from m3vit.hw.errors import DatasetError
from m3vit.model.data.nyud import NyudDataset

TASKS = ("segmentation", "depth", "normals", "edges")
SIZE = (6, 8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("images", "gt_sets", "segmentation", "depth", "normals", "edge"):
        (tmp_path / folder).mkdir()
    (tmp_path / "gt_sets/train.txt").write_text("0001\n0002\n")
    labels = np.arange(48, dtype=np.uint8).reshape(SIZE)  # 0 unlabelled, 41.. no class
    depth = np.full((*SIZE, 1), 2.5, np.float32)
    depth[0, 0], depth[0, 1] = np.nan, -1
    normals = np.zeros((*SIZE, 3), np.float32)
    normals[1:] = (0, 0, 2)
    edge = np.zeros(SIZE, np.uint8)
    edge[3] = 1
    for name, suffix in (("0001", "jpg"), ("0002", "png")):
        Image.fromarray(np.full((*SIZE, 3), 9, np.uint8)).save(tmp_path / f"images/{name}.{suffix}")
        Image.fromarray(labels).save(tmp_path / f"segmentation/{name}.png")
        np.save(tmp_path / f"depth/{name}.npy", depth)
        np.save(tmp_path / f"normals/{name}.npy", normals)
        np.save(tmp_path / f"edge/{name}.npy", edge)
    return tmp_path


def test_all_tasks_follow_the_conventions(root: Path) -> None:
    data = NyudDataset(root, "train", TASKS)
    assert len(data) == 2
    for index in range(2):
        targets = data[index].targets
        labels = targets["segmentation"].reshape(-1)
        assert labels[0] == 255 and (labels[1:41] == np.arange(40)).all()
        assert (labels[41:] == 255).all()
        depth = targets["depth"]
        assert depth[0, 0] == 0 and depth[0, 1] == 0 and (depth[1:] == 2.5).all()
        assert (targets["normals"][0] == 0).all()
        assert (targets["normals"][1:] == (0, 0, 1)).all()
        assert targets["edges"].sum() == 8 and (targets["edges"][3] == 1).all()


def test_targets_of_another_size_are_brought_to_the_image(root: Path) -> None:
    np.save(root / "depth/0001.npy", np.full((3, 4), 1.5))
    assert (NyudDataset(root, "train", ("depth",))[0].targets["depth"] == 1.5).all()


@pytest.mark.parametrize("gone", ["images/0001.jpg", "depth/0002.npy", "gt_sets/train.txt"])
def test_a_missing_file_is_named(root: Path, gone: str) -> None:
    (root / gone).unlink()
    with pytest.raises(DatasetError, match=f"{gone} is missing"):
        NyudDataset(root, "train", TASKS)


def test_broken_files_are_named(root: Path) -> None:
    (root / "edge/0001.npy").write_bytes(b"nothing")
    with pytest.raises(DatasetError, match="0001.npy cannot be read"):
        NyudDataset(root, "train", ("edges",))[0]
    (root / "gt_sets/train.txt").write_text("\n")
    with pytest.raises(DatasetError, match="train.txt is empty"):
        NyudDataset(root, "train", ("edges",))
    with pytest.raises(DatasetError, match="'saliency' is not annotated"):
        (root / "gt_sets/train.txt").write_text("0001\n")
        NyudDataset(root, "train", ("saliency",))
