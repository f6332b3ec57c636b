import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from m3vit.hw.errors import DatasetError
from m3vit.model.data.cityscapes import CITYSCAPES_CLASSES, CityscapesDataset

NAME = "ulm/ulm_000000_000019"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("leftImg8bit", "gtFine", "disparity", "camera"):
        (tmp_path / folder / "train/ulm").mkdir(parents=True)
    labels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    labels[7, 7] = 255  # license plate is -1, stored as 255
    disparity = np.full((8, 8), 1 + 256 * 50, np.uint16)
    disparity[0, 0], disparity[0, 1] = 0, 1
    picture = np.zeros((8, 8, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / f"leftImg8bit/train/{NAME}_leftImg8bit.png")
    Image.fromarray(labels).save(tmp_path / f"gtFine/train/{NAME}_gtFine_labelIds.png")
    Image.fromarray(disparity).save(tmp_path / f"disparity/train/{NAME}_disparity.png")
    return tmp_path


def test_labels_become_the_19_classes(root: Path) -> None:
    data = CityscapesDataset(root, "train", ("segmentation",))
    assert data.names == [NAME]
    labels = data[0].targets["segmentation"].reshape(-1)
    kept = np.flatnonzero(labels != 255)
    assert kept.tolist() == [7, 8, 11, 12, 13, 17, *range(19, 29), 31, 32, 33]
    assert labels[kept].tolist() == list(range(len(CITYSCAPES_CLASSES)))


def test_disparity_becomes_metres(root: Path) -> None:
    depth = CityscapesDataset(root, "train", ("depth",))[0].targets["depth"]
    assert depth[0, 0] == 0 and depth[0, 1] == 0
    assert depth[1, 1] == pytest.approx(0.209313 * 2262.52 / 50, rel=1e-6)
    camera = {"extrinsic": {"baseline": 0.2}, "intrinsic": {"fx": 2000.0}}
    path = root / f"camera/train/{NAME}_camera.json"
    path.write_text(json.dumps(camera))
    depth = CityscapesDataset(root, "train", ("depth",))[0].targets["depth"]
    assert depth[1, 1] == pytest.approx(0.2 * 2000 / 50, rel=1e-6)
    for broken, named in (("{}", "lacks 'extrinsic'"), ("{", "cannot be read")):
        path.write_text(broken)
        with pytest.raises(DatasetError, match=named):
            CityscapesDataset(root, "train", ("depth",))[0]


def test_missing_files_and_folders_are_named(root: Path) -> None:
    (root / f"disparity/train/{NAME}_disparity.png").unlink()
    assert len(CityscapesDataset(root, "train", ("segmentation",))) == 1
    with pytest.raises(DatasetError, match="_disparity.png is missing"):
        CityscapesDataset(root, "train", ("segmentation", "depth"))
    with pytest.raises(DatasetError, match="leftImg8bit/val is missing"):
        CityscapesDataset(root, "val", ("segmentation",))
    (root / "leftImg8bit/val").mkdir()
    with pytest.raises(DatasetError, match="holds no image"):
        CityscapesDataset(root, "val", ("segmentation",))
