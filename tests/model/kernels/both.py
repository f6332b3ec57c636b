"""The two implementations, for tests that hold for either.

Where there is no GPU, Triton's kernels run under its interpreter, which is chosen at their import:
tests import this module first.
"""

import os

import pytest
import torch

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")

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
