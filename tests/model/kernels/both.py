"""The two implementations, for tests that hold for either.

Under Triton's interpreter (see tests/conftest.py) everything runs on the CPU.
"""

import os

import pytest
import torch

from m3vit.model.kernels.dispatch import fused_kernels, has_triton
from m3vit.model.kernels.interface import Kernels
from m3vit.model.kernels.plain.all import KERNELS as PLAIN

INTERPRETED = os.environ["TRITON_INTERPRET"] != "0"
DEVICE = torch.device("cuda" if torch.cuda.is_available() and not INTERPRETED else "cpu")


def fused() -> Kernels:
    if not has_triton():
        pytest.skip("triton is not installed (extra gpu)")
    return fused_kernels()


def implementation(name: str) -> Kernels:
    return PLAIN if name == "plain" else fused()


BOTH = pytest.mark.parametrize("name", ["plain", "fused"])
