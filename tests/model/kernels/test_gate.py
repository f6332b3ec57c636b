"""The float gate: equality on integers, stated bounds on reals, lower index on ties."""

import pytest
import torch

from tests.model.kernels.both import BOTH, DEVICE, implementation

SHAPES = [(1, 32, 1, 1), (5, 32, 3, 2), (37, 96, 8, 2), (20, 64, 16, 4), (9, 32, 256, 8)]


def operands(tokens: int, width: int, experts: int, seed: int = 0) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(seed)
    shapes = ((tokens, width), (experts, width), (experts,))
    return tuple(torch.randn(*shape).to(DEVICE) for shape in shapes)


@BOTH
@pytest.mark.parametrize("shape", SHAPES)
def test_equals_float64(name: str, shape: tuple[int, int, int, int]) -> None:
    *sizes, top_k = shape
    x, weight, bias = operands(*sizes)
    got = implementation(name).route(x, weight, bias, top_k)
    exact = x.double() @ weight.double().T + bias.double()
    bound = 2**-23 * sizes[1] * (x.double().abs() @ weight.double().abs().T).max().item()
    chosen = exact.gather(1, got.indices.long())
    ranked = exact.sort(descending=True).values[:, :top_k]
    assert (chosen - ranked).abs().max() <= bound, "only near ties may be chosen otherwise"
    expected = exact.softmax(1).gather(1, got.indices.long())
    assert (got.weights.double() - expected).abs().max() <= 2 * bound + 1e-6
    assert got.indices.dtype == torch.int32 and got.weights.dtype == torch.float32


@BOTH
def test_of_equal_logits_the_lower_index_wins(name: str) -> None:
    x = torch.eye(32, device=DEVICE)[:4]
    weight = torch.zeros(6, 32, device=DEVICE)
    weight[:, 1] = torch.tensor([0.0, 2, 1, 2, 2, 0])
    weight[:, 2] = torch.tensor([-5.0, -5, -5, -5, -5, -4])
    got = implementation(name).route(x, weight, torch.zeros(6, device=DEVICE), 4).indices
    assert got.tolist() == [[0, 1, 2, 3], [1, 3, 4, 2], [5, 0, 1, 2], [0, 1, 2, 3]]


@BOTH
@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_reduced_activations_are_widened_before_the_product(name: str, kind: torch.dtype) -> None:
    x, weight, bias = operands(18, 64, 8)
    low = x.to(kind)
    got = implementation(name).route(low, weight, bias, 3)
    same = implementation(name).route(low.float(), weight, bias, 3)
    assert torch.equal(got.indices, same.indices) and torch.equal(got.weights, same.weights)


@BOTH
def test_logits_far_apart_give_weights_without_overflow(name: str) -> None:
    x = torch.full((3, 32), 100.0, device=DEVICE)
    weight = torch.linspace(-1, 1, 5, device=DEVICE)[:, None].expand(5, 32).contiguous()
    got = implementation(name).route(x, weight, torch.zeros(5, device=DEVICE), 2)
    assert got.indices.tolist() == [[4, 3]] * 3
    assert got.weights[:, 0].tolist() == [1.0] * 3 and got.weights[:, 1].max() == 0
