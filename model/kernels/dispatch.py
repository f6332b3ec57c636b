"""The one place where kernels are chosen: Triton on a CUDA device, plain torch elsewhere."""

import importlib.util
import os

import torch

from m3vit.model.kernels.interface import Kernels


def has_triton() -> bool:
    """Whether the optional extra ``gpu`` is installed."""
    return importlib.util.find_spec("triton") is not None


def kernels_for(device: torch.device) -> Kernels:
    """Kernels for tensors on ``device``."""
    if device.type == "cuda" and has_triton():
        return fused_kernels()
    from m3vit.model.kernels.plain.all import KERNELS

    return KERNELS


def fused_kernels() -> Kernels:
    """The Triton kernels; on a CPU they need ``TRITON_INTERPRET=1`` before the first import.

    Raises:
        ModuleNotFoundError: triton is not installed.
    """
    # Stated, because Triton's default is about to change: fused multiply-adds are wanted.
    os.environ.setdefault("TRITON_DEFAULT_FP_FUSION", "1")
    from m3vit.model.kernels.fused.all import KERNELS

    return KERNELS
