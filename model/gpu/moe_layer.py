"""The float mixture of experts on kernels: gate, sort, two grouped products, combination."""

import torch
from torch import Tensor

from m3vit.model.kernels.interface import FloatLinear, Kernels
from m3vit.model.network.gate import Gate
from m3vit.model.network.moe import Moe


class MoeLayer:
    """Weights of one ``Moe``, ready for the kernels; inference only.

    A conditioned gate's task part is constant for a task, so it becomes a bias of the logits.

    Args:
        moe: the trained layer.
        features: float32 [tasks, gate_task_width] of a conditioned gate, else None.
        kernels: the implementation.
        kind: type of activations and expert weights; gates stay float32.
        device: where the weights go.
    """

    def __init__(
        self,
        moe: Moe,
        features: Tensor | None,
        kernels: Kernels,
        kind: torch.dtype,
        device: torch.device,
    ) -> None:
        self.top_k, self.experts, self._kernels = moe.top_k, moe.number, kernels
        self.gates = [_gate_operands(gate, features, device) for gate in _gates_of(moe)]
        first, second = moe.experts.htoh4, moe.experts.h4toh
        self.first = FloatLinear(
            first.weight.detach().to(device, kind).contiguous(), _float32(first.bias, device)
        )
        self.second = FloatLinear(
            second.weight.detach().to(device, kind).contiguous(), _float32(second.bias, device)
        )

    def __call__(self, h: Tensor, residual: Tensor, task: int) -> Tensor:
        """residual + mixture(h); both [N, d]."""
        kernels = self._kernels
        weight, biases = self.gates[min(task, len(self.gates) - 1)]
        bias = biases[min(task, len(biases) - 1)]
        routing = kernels.route(h, weight, bias, self.top_k)
        plan = kernels.sort_pairs(routing.indices, self.experts)
        hidden = kernels.expand(h, self.first, plan, self.top_k)
        parts = kernels.contract(hidden, self.second, plan, routing.weights)
        return kernels.combine(parts, residual)


def _float32(values: Tensor, device: torch.device) -> Tensor:
    return values.detach().to(device, torch.float32).contiguous()


def _gates_of(moe: Moe) -> list[Gate]:
    gates = moe.gate if isinstance(moe.gate, torch.nn.ModuleList) else [moe.gate]
    return [gate for gate in gates if isinstance(gate, Gate)]


def _gate_operands(
    gate: Gate, features: Tensor | None, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Weight float32 [E, d] and biases [tasks or 1, E]."""
    weight = gate.w_gate.detach().double()
    if features is None:
        return _float32(weight.T, device), torch.zeros(1, weight.shape[1], device=device)
    width = len(weight) - features.shape[1]
    return _float32(weight[:width].T, device), _float32(features.double() @ weight[width:], device)
