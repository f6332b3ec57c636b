"""The integer expert path and dense layers equal the golden ones, integer for integer."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from m3vit.hw.golden.expert import add_dense, add_experts, all_hidden
from m3vit.hw.golden.linear import linear8
from m3vit.hw.quantised import Mlp
from m3vit.hw.routing import RoutingPlan
from m3vit.model.gpu.pack import pack_gelu, pack_linears
from tests.model.kernels.both import BOTH, DEVICE, implementation
from tests.model.kernels.routings import ROUTINGS, routing
from tests.support.packages import MICRO
from tests.support.random_models import random_model

WIDTH = 32


def block_mlp(experts: int, top_k: int, ratio: int = 1, seed: int = 0) -> Mlp:
    config = replace(MICRO, experts=experts, top_k=top_k, expert_ratio=ratio)
    return random_model(config, seed).blocks[1].mlp


def operands(count: int, seed: int, spread: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    h = rng.integers(-128, 128, (count, WIDTH)).astype(np.int8)
    return h, rng.integers(-spread, spread, (count, WIDTH)).astype(np.int32)


def on_device(values: np.ndarray) -> torch.Tensor:
    return torch.as_tensor(values, device=DEVICE)


def assert_mixture_equal(
    name: str, mlp: Mlp, indices: torch.Tensor, weights: np.ndarray, h: np.ndarray, x18: np.ndarray
) -> int:
    kernels, experts = implementation(name), len(mlp.experts)
    golden = RoutingPlan.from_choices(indices.numpy(), weights, experts=experts)
    first = pack_linears([e.fc1 for e in mlp.experts], DEVICE)
    second = pack_linears([e.fc2 for e in mlp.experts], DEVICE)
    plan = kernels.sort_pairs(indices.to(DEVICE), experts)
    gelu = pack_gelu(mlp.experts, mlp, DEVICE)
    hidden = kernels.expand8(on_device(h), first, gelu, plan, indices.shape[1])
    assert np.array_equal(hidden.cpu().numpy(), all_hidden(h, mlp, golden))
    parts = kernels.contract8(
        hidden, second, plan, on_device(weights.astype(np.int32)), mlp.guard_bits
    )
    got, lost = kernels.combine8(parts, indices.to(DEVICE), on_device(x18))
    expected, saturations = add_experts(x18, h, mlp, golden)
    assert np.array_equal(got.cpu().numpy(), expected)
    assert int(lost) == saturations
    return saturations


@BOTH
@pytest.mark.parametrize("case", ROUTINGS)
def test_experts_equal_golden(name: str, case: str) -> None:
    indices, experts = routing(case)
    mlp = block_mlp(experts, indices.shape[1], ratio=2 if experts < 10 else 1)
    h, x18 = operands(len(indices), seed=5)
    weights = np.random.default_rng(6).integers(0, 65536, indices.shape)
    assert_mixture_equal(name, mlp, indices, weights, h, x18)


@BOTH
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_any_routing_of_any_size_equals_golden(name: str, data: st.DataObject) -> None:
    experts = data.draw(st.integers(1, 12))
    top_k = data.draw(st.integers(1, min(8, experts)))
    row = st.permutations(range(experts)).map(lambda order: order[:top_k])
    chosen = data.draw(st.lists(row, min_size=1, max_size=20))
    weights = np.random.default_rng(len(chosen)).integers(0, 65536, (len(chosen), top_k))
    h, x18 = operands(len(chosen), seed=experts, spread=131000)
    indices = torch.tensor(chosen, dtype=torch.int32)
    assert_mixture_equal(name, block_mlp(experts, top_k), indices, weights, h, x18)


@BOTH
@pytest.mark.parametrize("sign", [-1, 1])
def test_saturation_happens_in_the_order_of_experts(name: str, sign: int) -> None:
    indices = torch.tensor([[3, 0], [0, 3], [1, 2], [2, 1]], dtype=torch.int32)
    mlp = block_mlp(4, 2)
    h, x18 = operands(4, seed=7)
    x18[:] = sign * 131000
    weights = np.full((4, 2), 65535)
    assert assert_mixture_equal(name, mlp, indices, weights, h, x18) > 0


@BOTH
def test_dense_layers_equal_golden(name: str) -> None:
    mlp = random_model(replace(MICRO, mlp_ratio=3), 3).blocks[0].mlp
    kernels = implementation(name)
    h, x18 = operands(21, seed=8, spread=131000)
    total, lost = on_device(x18), 0
    for chunk in mlp.experts:
        gelu = pack_gelu([chunk], mlp, DEVICE)
        hidden = kernels.linear8(on_device(h), pack_linears([chunk.fc1], DEVICE), gelu)
        total, count = kernels.project8(hidden, pack_linears([chunk.fc2], DEVICE), total)
        lost += int(count)
    expected, saturations = add_dense(x18, h, mlp)
    assert np.array_equal(total.cpu().numpy(), expected)
    assert lost == saturations > 0


@BOTH
@pytest.mark.parametrize("lowest", [-128, -127])
@pytest.mark.parametrize("shift", [1, 14, 40])
def test_codes_equal_golden_at_the_limits(name: str, lowest: int, shift: int) -> None:
    layer = replace(random_model(MICRO, 4).blocks[0].attention.key, shift=shift)
    h, _ = operands(17, seed=9)
    h[0], h[1] = -128, 127
    packed = pack_linears([layer], DEVICE, lowest)
    got = implementation(name).linear8(on_device(h), packed, None).cpu().numpy()
    assert np.array_equal(got, linear8(h, layer, lowest))
    assert got.min() == lowest or shift == 40
