"""Tile sizes by measurement: on a CUDA device the candidates are timed once for each kind of call.

Elsewhere, and while a CUDA graph is recorded, the rule of ``blocks_for`` holds.
"""

from collections.abc import Callable, Hashable, Sequence

import torch
from triton.runtime.errors import OutOfResources

from m3vit.model.kernels.fused.tiles import Blocks, blocks_for, power_of_two

Run = Callable[[Blocks], object]

_CALLS = 10
_SHAPES = ((16, 64), (32, 64), (64, 64), (64, 128), (128, 64), (128, 128), (128, 256))
_known: dict[Hashable, Blocks] = {}


def candidates(rows: int, experts: int, outputs: int, element_bytes: int) -> list[Blocks]:
    """The rule's choice, then others no taller than an expert's share nor wider than the outputs.

    Two depths of the pipeline each; the innermost step reads one or two lines of 64 bytes.
    """
    first = blocks_for(rows, experts, outputs, element_bytes)
    height, width = power_of_two(-(-rows // experts)), power_of_two(outputs, 64)
    others = [
        Blocks(m, n, depth // element_bytes, 8 if m * n >= 128 * 128 else 4, stages)
        for m, n in _SHAPES
        if m <= max(16, height) and n <= width
        for depth in (64, 128)
        for stages in (3, 4)
        if depth // element_bytes >= 32
    ]
    return list(dict.fromkeys([first, *others]))


def fastest(choices: Sequence[Blocks], seconds: Callable[[Blocks], float]) -> Blocks:
    """The choice with the least time; one that does not fit the device's memories is left out.

    Raises:
        OutOfResources: none fits.
    """
    times: dict[Blocks, float] = {}
    refused: OutOfResources | None = None
    for blocks in choices:
        try:
            times[blocks] = seconds(blocks)
        except OutOfResources as error:
            refused = error
    if not times and refused is not None:
        raise refused
    return min(times, key=times.__getitem__)


def tuned(key: Hashable, choices: Sequence[Blocks], run: Run, device: torch.device) -> Blocks:
    """Tile sizes for calls of this ``key``: measured at the first one, remembered after it."""
    if device.type != "cuda":
        return choices[0]
    if key not in _known:
        if torch.cuda.is_current_stream_capturing():
            return choices[0]
        _known[key] = fastest(choices, lambda blocks: _seconds(run, blocks))
    return _known[key]


def _seconds(run: Run, blocks: Blocks) -> float:
    run(blocks)
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
    torch.cuda.synchronize()
    marks[0].record()
    for _ in range(_CALLS):
        run(blocks)
    marks[1].record()
    torch.cuda.synchronize()
    return float(marks[0].elapsed_time(marks[1])) / 1e3 / _CALLS
