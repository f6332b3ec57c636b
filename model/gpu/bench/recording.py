"""A call recorded as one CUDA graph for each of the rotating inputs: replays copy nothing."""

from collections.abc import Sequence

import torch
from torch import Tensor

from m3vit.model.gpu.bench.timing import Call
from m3vit.model.gpu.graphs import WARM_UPS


def recorded(call: Call, inputs: Sequence[Tensor]) -> Call:
    """``call``, to be used on these very inputs; as it is away from CUDA devices."""
    if inputs[0].device.type != "cuda":
        return call
    for _ in range(WARM_UPS):
        call(inputs[0])
    torch.cuda.synchronize()
    pool = torch.cuda.graph_pool_handle()
    graphs: dict[int, torch.cuda.CUDAGraph] = {}
    for values in inputs:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool):
            call(values)
        graphs[values.data_ptr()] = graph
    return lambda values: graphs[values.data_ptr()].replay()
