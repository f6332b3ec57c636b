"""The float gate in plain torch."""

from torch import Tensor

from m3vit.model.kernels.interface import Routing


def route(x: Tensor, weight: Tensor, bias: Tensor, top_k: int) -> Routing:
    """softmax(x @ weightᵀ + bias), its K largest without renormalisation; float32 inside.

    The choice is made on the logits: of equal ones the lower index comes first.

    Args:
        x: [N, d], any floating type.
        weight: float32 [E, d].
        bias: float32 [E] (the task's part of a conditioned gate, else zeros).
        top_k: K, 1 to min(8, E).
    """
    logits = x.float() @ weight.T + bias
    indices = logits.sort(dim=-1, descending=True, stable=True).indices[:, :top_k]
    return Routing(indices.int(), logits.softmax(-1).gather(-1, indices))
