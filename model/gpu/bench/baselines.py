"""What our layer is compared with, on the same weights and inputs in the same run.

Each takes h and the residual [N, d] and gives [N, d]; a pass that can be recorded as a
CUDA graph is, so that the host's time is nobody's handicap.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from m3vit.model.gpu.bench.layer import Layer
from m3vit.model.kernels.interface import FloatLinear, Kernels, Routing
from m3vit.model.kernels.plain.gate import route

Function = Callable[[Tensor, Tensor], Tensor]
"""residual + mixture(h) of h and residual [N, d]."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way to run the layer."""

    name: str
    run: Function
    recordable: bool
    """Whether a CUDA graph can hold it: nothing waits for numbers on the host."""
    same_result: bool = True
    """False for the dense twin, whose work is equal but whose function is another."""


def _routing(x: Tensor, layer: Layer) -> Routing:
    return route(x, layer.gate, torch.zeros_like(layer.gate[:, 0]), layer.top_k)


def eager_loop(layer: Layer) -> Variant:
    """FastMoE's way: counts to the host, rows scattered, one pair of products an expert."""

    def run(x: Tensor, residual: Tensor) -> Tensor:
        routing = _routing(x, layer)
        flat = routing.indices.flatten().long()
        order = flat.argsort(stable=True)
        counts = flat.bincount(minlength=layer.experts).tolist()
        rows, parts = torch.split(x[order // layer.top_k], counts), []
        for expert, part in enumerate(rows):
            if len(part):
                bias = layer.first_bias[expert].to(x.dtype), layer.second_bias[expert].to(x.dtype)
                hidden = F.gelu(F.linear(part, layer.first[expert], bias[0]))
                parts.append(F.linear(hidden, layer.second[expert], bias[1]))
        return _back(torch.cat(parts), order, routing, residual)

    return Variant(name="eager loop over experts", run=run, recordable=False)


def _back(outputs: Tensor, order: Tensor, routing: Routing, residual: Tensor) -> Tensor:
    ranked = torch.empty_like(outputs).index_copy_(0, order, outputs)
    shape = routing.indices.shape
    mixed = (routing.weights.unsqueeze(-1) * ranked.view(*shape, -1)).sum(1)
    return residual + mixed.to(residual.dtype)


def dense_dispatch(layer: Layer, compiled: bool = True) -> Variant:
    """Every expert on every token, weighted by a gate that is zero for most; compiled."""
    first_bias = layer.first_bias.to(layer.first.dtype).unsqueeze(1)
    second_bias = layer.second_bias.to(layer.first.dtype).unsqueeze(1)

    def run(x: Tensor, residual: Tensor) -> Tensor:
        routing = _routing(x, layer)
        gates = torch.zeros(len(x), layer.experts, device=x.device)
        gates = gates.scatter(1, routing.indices.long(), routing.weights).to(x.dtype)
        hidden = F.gelu(torch.einsum("nd,ehd->enh", x, layer.first) + first_bias)
        outputs = torch.einsum("enh,edh->end", hidden, layer.second) + second_bias
        return residual + torch.einsum("ne,end->nd", gates, outputs)

    function: Function = torch.compile(run) if compiled else run
    return Variant(name="compiled dense dispatch", run=function, recordable=True)


def grouped_matmul(layer: Layer) -> Variant:
    """torch's grouped product between a sort and a gather."""
    first, second = layer.first.transpose(1, 2), layer.second.transpose(1, 2)

    def run(x: Tensor, residual: Tensor) -> Tensor:
        routing = _routing(x, layer)
        flat = routing.indices.flatten().long()
        chosen, order = flat.sort(stable=True)
        numbers = torch.arange(layer.experts, device=x.device)
        ends = torch.searchsorted(chosen, numbers, right=True).int()
        rows = x[order // layer.top_k]
        bias = layer.first_bias[chosen].to(x.dtype), layer.second_bias[chosen].to(x.dtype)
        hidden = F.gelu(F.grouped_mm(rows, first, offs=ends) + bias[0])
        return _back(F.grouped_mm(hidden, second, offs=ends) + bias[1], order, routing, residual)

    return Variant(name="torch grouped matmul", run=run, recordable=True)


def dense_twin(layer: Layer) -> Variant:
    """One feed-forward layer of K · h hidden units: equal FLOPs without routing."""
    chosen = slice(0, layer.top_k)
    first = layer.first[chosen].flatten(0, 1).contiguous()
    first_bias = layer.first_bias[chosen].flatten().to(first.dtype)
    second = layer.second[chosen].transpose(0, 1).flatten(1).contiguous()
    second_bias = layer.second_bias[chosen].sum(0).to(first.dtype)

    def run(x: Tensor, residual: Tensor) -> Tensor:
        return residual + F.linear(F.gelu(F.linear(x, first, first_bias)), second, second_bias)

    return Variant(name="dense twin", run=run, recordable=True, same_result=False)


def ours(layer: Layer, kernels: Kernels) -> Variant:
    """Our kernels: gate, sort, two grouped products, combination."""
    zero = torch.zeros_like(layer.gate[:, 0])
    first = FloatLinear(layer.first, layer.first_bias)
    second = FloatLinear(layer.second, layer.second_bias)

    def run(x: Tensor, residual: Tensor) -> Tensor:
        routing = kernels.route(x, layer.gate, zero, layer.top_k)
        plan = kernels.sort_pairs(routing.indices, layer.experts)
        hidden = kernels.expand(x, first, plan, layer.top_k)
        return kernels.combine(kernels.contract(hidden, second, plan, routing.weights), residual)

    return Variant(name=f"ours ({kernels.name})", run=run, recordable=kernels.recordable)
