"""The two implementations, for tests that hold for either."""

import pytest
import torch

from m3vit.model.kernels.dispatch import fused_kernels, has_triton
from m3vit.model.kernels.interface import Kernels
from m3vit.model.kernels.plain.all import KERNELS as PLAIN

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def fused() -> Kernels:
    if not has_triton():
        pytest.skip("triton is not installed (extra gpu)")
    return fused_kernels()


def implementation(name: str) -> Kernels:
    return PLAIN if name == "plain" else fused()


BOTH = pytest.mark.parametrize("name", ["plain", "fused"])
