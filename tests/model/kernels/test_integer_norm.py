"""Integer LayerNorm equals the golden one on ordinary and extreme rows."""

import numpy as np
import pytest
import torch

from m3vit.hw.golden.layernorm import layer_norm, residual_view
from m3vit.hw.quantised import LayerNorm
from m3vit.model.gpu.pack import pack_norm
from tests.model.kernels.both import BOTH, DEVICE, implementation


@BOTH
@pytest.mark.parametrize("width", [32, 96, 768])
def test_equals_golden(name: str, width: int) -> None:
    rng = np.random.default_rng(width)
    x18 = rng.normal(0, 3000, (12, width)).astype(np.int32)
    x18[0], x18[1], x18[2] = 0, 131071, -131072
    x18[3, ::2], x18[3, 1::2] = 131071, -131072
    x18[4] = 5
    x18[4, 0] = 6
    norm = LayerNorm(
        gamma=rng.integers(-32767, 32768, width).astype(np.int16),
        beta=rng.integers(-(2**24), 2**24, width).astype(np.int32),
        shift=18,
        epsilon=1,
    )
    packed = pack_norm(norm, DEVICE)
    got = implementation(name).norm8(torch.as_tensor(x18, device=DEVICE), packed)
    assert np.array_equal(got.cpu().numpy(), layer_norm(residual_view(x18), norm))
