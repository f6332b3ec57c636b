"""The integer gate equals the golden one, integer for integer."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from m3vit.hw.golden.gate import gate_scores, logits, top_experts
from m3vit.hw.quantised import Gate
from m3vit.model.gpu.pack import pack_gate
from tests.model.kernels.both import BOTH, DEVICE, implementation


def gate(experts: int, width: int, seed: int, spread: float = 4000) -> Gate:
    rng = np.random.default_rng(seed)
    weight = np.clip(np.round(rng.normal(0, spread, (experts, width))), -16320, 16319)
    return Gate(
        weight=weight.astype(np.int16),
        bias=rng.integers(-(2**22), 2**22, experts).astype(np.int32),
        factor=40000,
        shift=33,
        scale=1.0,
    )


def tokens(count: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-128, 128, (count, width)).astype(np.int8)


def assert_equal(name: str, h: np.ndarray, layer: Gate, top_k: int) -> None:
    packed = pack_gate(layer, DEVICE)
    got = implementation(name).route8(torch.as_tensor(h, device=DEVICE), packed, top_k)
    z = logits(h, layer)
    chosen = top_experts(z, top_k)
    assert np.array_equal(got.indices.cpu().numpy(), chosen)
    expected = np.take_along_axis(gate_scores(z, layer), chosen, axis=1)
    assert np.array_equal(got.weights.cpu().numpy(), expected.astype(np.int32))


@BOTH
@pytest.mark.parametrize("shape", [(1, 32, 1, 1), (33, 96, 8, 2), (20, 64, 16, 4), (7, 32, 256, 8)])
@pytest.mark.parametrize("shift", [1, 26, 33, 40])
def test_equals_golden(name: str, shape: tuple[int, int, int, int], shift: int) -> None:
    count, width, experts, top_k = shape
    layer = replace(gate(experts, width, seed=experts), shift=shift)
    assert_equal(name, tokens(count, width, seed=shift), layer, top_k)


@BOTH
def test_ties_and_equal_tokens(name: str) -> None:
    layer = gate(7, 32, seed=1)
    layer.weight[3] = layer.weight[1] = layer.weight[6]
    layer.bias[3] = layer.bias[1] = layer.bias[6]
    h = tokens(40, 32, seed=2)
    assert_equal(name, h, layer, 4)
    assert_equal(name, np.zeros_like(h), replace(layer, bias=np.zeros(7, np.int32)), 7)


@BOTH
def test_widest_logits(name: str) -> None:
    layer = gate(5, 768, seed=4)
    layer.weight[:2], layer.weight[2:] = 16319, -16320
    layer = replace(layer, bias=np.zeros(5, np.int32), factor=65535, shift=20)
    h = np.full((3, 768), -128, np.int8)
    h[1], h[2, 5:] = 127, 3
    assert_equal(name, h, layer, 5)
