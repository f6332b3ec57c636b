"""The token sort against numpy's stable sort, and against the routing plan of the contract."""

import numpy as np
import pytest
import torch

from m3vit.hw.routing import RoutingPlan
from tests.model.kernels.both import BOTH, DEVICE, implementation
from tests.model.kernels.routings import ROUTINGS, routing


@BOTH
@pytest.mark.parametrize("case", ROUTINGS)
def test_equals_the_plan_of_the_contract(name: str, case: str) -> None:
    indices, experts = routing(case)
    got = implementation(name).sort_pairs(indices.to(DEVICE), experts)
    chosen = indices.numpy()
    plan = RoutingPlan.from_choices(chosen, np.zeros_like(chosen), experts=experts)
    assert got.counts.tolist() == plan.counts.tolist()
    pairs = got.pairs.cpu().numpy()
    assert np.array_equal(pairs // chosen.shape[1], plan.tokens)
    assert np.array_equal(pairs % chosen.shape[1], plan.ranks)


@BOTH
@pytest.mark.parametrize("pairs", [64 * 3 + 1, 64 * 64, 64 * 64 + 1, 64 * 130])
def test_several_blocks_and_more_than_one_program_reads_itself(name: str, pairs: int) -> None:
    torch.manual_seed(3)
    indices = torch.randint(0, 40, (pairs, 1), dtype=torch.int32)
    got = implementation(name).sort_pairs(indices.to(DEVICE), 40)
    assert torch.equal(got.pairs.cpu().long(), indices.flatten().argsort(stable=True))
    assert torch.equal(got.counts.cpu(), torch.bincount(indices.flatten(), minlength=40).int())
