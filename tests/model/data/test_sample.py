import numpy as np
import pytest

from m3vit.hw.config import TaskKind
from m3vit.hw.errors import DatasetError
from m3vit.model.data.sample import _LABELS, Sample


def _targets() -> dict[str, np.ndarray]:
    return {
        "segmentation": np.zeros((4, 6), np.uint8),
        "parts": np.zeros((4, 6), np.uint8),
        "depth": np.ones((4, 6), np.float32),
        "normals": np.zeros((4, 6, 3), np.float32),
        "edges": np.zeros((4, 6), np.uint8),
        "saliency": np.zeros((4, 6), np.uint8),
    }


def test_every_kind_of_task_has_a_target_convention() -> None:
    assert set(_LABELS) == {kind.value for kind in TaskKind}
    sample = Sample(name="a", image=np.zeros((4, 6, 3), np.uint8), targets=_targets())
    assert set(sample.targets) == set(_LABELS)


@pytest.mark.parametrize("kind", list(_LABELS))
def test_wrong_dtype_or_shape_is_named(kind: str) -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    right = _targets()[kind]
    for wrong in (right.astype(np.int64), right[:-1]):
        with pytest.raises(DatasetError, match=f"target {kind} of a"):
            Sample(name="a", image=image, targets={kind: wrong})


def test_unknown_kind_and_bad_image_are_refused() -> None:
    with pytest.raises(DatasetError, match="'flow'"):
        Sample(
            name="a",
            image=np.zeros((4, 6, 3), np.uint8),
            targets={"flow": np.zeros((4, 6), np.uint8)},
        )
    with pytest.raises(DatasetError, match="image of a"):
        Sample(name="a", image=np.zeros((4, 6), np.uint8), targets={})
