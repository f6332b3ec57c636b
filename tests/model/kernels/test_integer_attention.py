"""Integer attention equals the golden one: every head, padded keys, saturated scores."""

import numpy as np
import pytest
import torch

from m3vit.hw.golden.attention import attend
from m3vit.model.kernels.interface import HeadScales
from tests.model.kernels.both import BOTH, DEVICE, implementation


def assert_equal(name: str, operands: list[np.ndarray], shifts: list[int]) -> None:
    heads = operands[0].shape[2]
    rng = np.random.default_rng(1)
    gain, output = rng.integers(1 << 15, 1 << 16, heads), rng.integers(0, 7, heads)
    scales = HeadScales(
        *(torch.tensor(each, dtype=torch.int32, device=DEVICE) for each in (shifts, gain, output))
    )
    tensors = [torch.as_tensor(each, device=DEVICE) for each in operands]
    got = implementation(name).attention8(*tensors, scales).cpu().numpy()
    for image in range(len(got)):
        for head in range(heads):
            q, k, v = (each[image, :, head] for each in operands)
            expected = attend(q, k, v, shifts[head], int(gain[head]), int(output[head]))
            assert np.array_equal(got[image, :, head], expected)


@BOTH
@pytest.mark.parametrize("shape", [(1, 1, 1, 16), (2, 9, 2, 16), (1, 67, 3, 32), (1, 33, 1, 48)])
def test_equals_golden(name: str, shape: tuple[int, int, int, int]) -> None:
    rng = np.random.default_rng(shape[1])
    q, k, v = (rng.integers(-127, 128, shape).astype(np.int8) for _ in range(3))
    assert_equal(name, [q, k, v], [9, 7, 11][: shape[2]])


@BOTH
def test_equal_and_saturated_scores(name: str) -> None:
    rng = np.random.default_rng(0)
    shape = (1, 40, 2, 16)
    q, k = np.full(shape, -128, np.int8), np.full(shape, 127, np.int8)
    k[:, 7], k[:, 39], q[:, 3] = -127, 0, 0
    v = rng.integers(-127, 128, shape).astype(np.int8)
    assert_equal(name, [q, k, v], [0, 15])
