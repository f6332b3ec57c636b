"""Kernels of the GPU paths: ``fused`` in Triton, ``plain`` in torch, chosen in ``dispatch``."""
