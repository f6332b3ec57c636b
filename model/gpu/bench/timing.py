"""Timing of calls: CUDA events on a GPU, the wall clock elsewhere, over rotating inputs."""

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from m3vit.model.gpu.bench.statistics import Timing, summarise

CACHE_BYTES = 128 << 20
"""Rotating inputs are at least as large together, so that no call finds its own in the L2 cache."""

Call = Callable[[Tensor], object]


def rotation(make: Callable[[int], Tensor], most: int = 16) -> list[Tensor]:
    """``make(seed)`` until the inputs exceed the cache; at least two, at most ``most``."""
    inputs = [make(0), make(1)]
    while len(inputs) < most and sum(map(_bytes, inputs)) < CACHE_BYTES:
        inputs.append(make(len(inputs)))
    return inputs


def _bytes(values: Tensor) -> int:
    return values.numel() * values.element_size()


def measure(call: Call, inputs: Sequence[Tensor], repeats: int, warm_ups: int = 5) -> Timing:
    """Time ``repeats`` calls on inputs in turn, after ``warm_ups`` calls that do not count."""
    for number in range(warm_ups):
        call(inputs[number % len(inputs)])
    turns = [inputs[number % len(inputs)] for number in range(repeats)]
    on_gpu = inputs[0].device.type == "cuda"
    return summarise(_events(call, turns) if on_gpu else _wall(call, turns))


def _wall(call: Call, turns: Sequence[Tensor]) -> list[float]:
    samples = []
    for values in turns:
        started = time.perf_counter()
        call(values)
        samples.append(1e3 * (time.perf_counter() - started))
    return samples


def _events(call: Call, turns: Sequence[Tensor]) -> list[float]:
    """Calls are queued without waiting, so that the host's time counts only where it limits."""
    marks = [_event() for _ in range(len(turns) + 1)]
    torch.cuda.synchronize()
    marks[0].record()
    for values, mark in zip(turns, marks[1:], strict=True):
        call(values)
        mark.record()
    torch.cuda.synchronize()
    return [first.elapsed_time(second) for first, second in zip(marks, marks[1:], strict=False)]


def _event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]


def count_launches(call: Call, values: Tensor) -> int:
    """Kernels that one call runs on the GPU, as torch's profiler sees them (0 without a GPU)."""
    from torch.profiler import ProfilerActivity, profile

    if values.device.type != "cuda":
        return 0
    call(values)
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        call(values)
        torch.cuda.synchronize()
    return sum(_is_kernel(event.name) for event in seen.events() if _on_gpu(event.device_type))


def _on_gpu(kind: object) -> bool:
    return getattr(kind, "name", "") == "CUDA"


def _is_kernel(name: str) -> bool:
    return not name.startswith(("Memcpy", "Memset"))
