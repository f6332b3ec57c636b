"""CUDA graphs: a pass recorded once for each shape and task, replayed without the host's help."""

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

Result = TypeVar("Result")
WARM_UPS = 3


class _Recorded(NamedTuple, Generic[Result]):
    graph: torch.cuda.CUDAGraph
    inputs: Tensor
    result: Result


class Graphs(Generic[Result]):
    """``function(inputs, task)``, recorded at the first call of every shape and task.

    Replays share one memory pool.  A result is overwritten by the next call with the same shape
    and task: read it before.  Away from CUDA devices, and for functions that are not
    ``recordable``, calls go straight through.
    """

    def __init__(
        self, function: Callable[[Tensor, int], Result], *, recordable: bool = True
    ) -> None:
        self._function, self._recordable = function, recordable
        self._recorded: dict[tuple[tuple[int, ...], int], _Recorded[Result]] = {}
        self._pool: Any = None

    def __call__(self, inputs: Tensor, task: int) -> Result:
        """The function's result for ``inputs`` of any batch size."""
        if inputs.device.type != "cuda" or not self._recordable:
            return self._function(inputs, task)
        key = (tuple(inputs.shape), task)
        if key not in self._recorded:
            self._recorded[key] = self._record(inputs.clone(), task)
        recorded = self._recorded[key]
        recorded.inputs.copy_(inputs)
        recorded.graph.replay()
        return recorded.result

    def _record(self, inputs: Tensor, task: int) -> _Recorded[Result]:
        """Kernels are compiled and libraries initialised by passes before the recording."""
        side = torch.cuda.Stream(inputs.device)  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream(inputs.device))
        with torch.cuda.stream(side):
            for _ in range(WARM_UPS):
                self._function(inputs, task)
        torch.cuda.current_stream(inputs.device).wait_stream(side)
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            result = self._function(inputs, task)
        return _Recorded(graph, inputs, result)
