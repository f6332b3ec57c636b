"""Recorded passes equal direct ones; away from a GPU calls go straight through."""

import pytest
import torch

from m3vit.model.gpu.graphs import Graphs


def test_without_cuda_every_call_reaches_the_function() -> None:
    calls: list[tuple[int, int]] = []

    def double(inputs: torch.Tensor, task: int) -> torch.Tensor:
        calls.append((len(inputs), task))
        return 2 * inputs + task

    graphs = Graphs(double)
    for batch, task in ((1, 0), (3, 1), (1, 0)):
        inputs = torch.ones(batch, 2)
        assert torch.equal(graphs(inputs, task), 2 * inputs + task)
    assert calls == [(1, 0), (3, 1), (1, 0)]


@pytest.mark.gpu
def test_what_cannot_be_recorded_is_called() -> None:
    graphs = Graphs(lambda inputs, task: float(inputs.sum()), recordable=False)
    assert graphs(torch.ones(3, device="cuda"), 0) == 3.0


@pytest.mark.gpu
def test_replays_follow_inputs_batches_and_tasks() -> None:
    weight = torch.randn(8, 8, device="cuda")
    graphs = Graphs(lambda inputs, task: inputs @ weight + task)
    for batch, task in ((1, 0), (4, 1), (1, 0), (64, 2), (4, 0), (4, 1)):
        inputs = torch.randn(batch, 8, device="cuda")
        torch.testing.assert_close(graphs(inputs, task), inputs @ weight + task)
