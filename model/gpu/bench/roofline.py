"""The device's limits, measured: how fast it copies and how fast it multiplies."""

from dataclasses import dataclass

import torch

from m3vit.model.gpu.bench.timing import measure


@dataclass(frozen=True, kw_only=True)
class Roofline:
    """Rates that the best library calls reach on this device."""

    bytes_per_s: float
    """Read plus written by a large copy."""
    flops_per_s: float
    """Two a multiply-accumulate, by a large matrix product."""

    def bound_ms(self, flops: float, moved_bytes: float) -> float:
        """No execution can be faster: the slower of arithmetic and memory."""
        return 1e3 * max(flops / self.flops_per_s, moved_bytes / self.bytes_per_s)

    def fraction(self, flops: float, moved_bytes: float, milliseconds: float) -> float:
        """Share of the roofline that a run of ``milliseconds`` reaches."""
        return self.bound_ms(flops, moved_bytes) / milliseconds


def measure_roofline(
    device: torch.device,
    kind: torch.dtype,
    *,
    copy_bytes: int = 1 << 30,
    side: int = 8192,
    repeats: int = 20,
) -> Roofline:
    """Copy ``copy_bytes`` and multiply two ``side`` x ``side`` matrices of ``kind``."""
    source = torch.zeros(copy_bytes, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copied = measure(target.copy_, [source], repeats)
    del source, target
    left = torch.randn(side, side, device=device, dtype=kind)
    product = torch.empty_like(left)
    multiplied = measure(lambda x: torch.mm(x, x, out=product), [left], repeats)
    return Roofline(
        bytes_per_s=2 * copy_bytes / (copied.median_ms / 1e3),
        flops_per_s=2 * side**3 / (multiplied.median_ms / 1e3),
    )
