"""Two processes agree on the mean gradient and stay equal."""

import os
import socket
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp

from m3vit.model.checkpoint import load_checkpoint
from m3vit.model.train.distributed import Processes, average_gradients, join, leave
from m3vit.model.train.loop import Trainer
from m3vit.model.train.outputs import Outputs
from m3vit.model.train.settings import TrainSettings
from tests.model.micro import micro_config
from tests.model.train.sources import random_source


def _work(rank: int, size: int, folder: str, port: int) -> None:
    """One of the processes that torchrun would start: it tells them by the environment."""
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    processes = join("cpu")
    assert (processes.rank, processes.size, processes.leads) == (rank, size, rank == 0)
    _check_mean(processes)
    config = micro_config(blocks=2)
    trainer = Trainer(
        config,
        TrainSettings(steps=6, batch=2, warmup=1, processes=size),
        random_source(config),
        Outputs(folder=Path(folder) / "run", save_every=6, log_every=3, quiet=True),
        torch.device("cpu"),
        processes,
    )
    trainer.run()
    torch.save(trainer.average.values, Path(folder) / f"{rank}.pt")
    leave(processes)


def _check_mean(processes: Processes) -> None:
    layer = torch.nn.Linear(3, 2)
    unused = torch.nn.Linear(1, 1)
    layer.weight.grad = torch.full((2, 3), 1.0 + processes.rank)
    layer.bias.grad = torch.full((2,), 4.0 * processes.rank)
    average_gradients(torch.nn.ModuleList([layer, unused]), processes)
    assert torch.equal(layer.weight.grad, torch.full((2, 3), 1.5))
    assert torch.equal(layer.bias.grad, torch.full((2,), 2.0))
    assert unused.weight.grad is None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_alone_without_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert join("cpu") == Processes(rank=0, size=1, local_rank=0)


def test_one_process_keeps_its_gradients() -> None:
    layer = torch.nn.Linear(2, 2)
    layer.weight.grad = torch.ones(2, 2)
    average_gradients(layer, Processes())
    assert torch.equal(layer.weight.grad, torch.ones(2, 2))


@pytest.mark.slow
def test_two_processes_end_with_the_same_weights(tmp_path: Path) -> None:
    mp.spawn(_work, args=(2, str(tmp_path), _free_port()), nprocs=2)
    ends = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    assert all(torch.equal(value, ends[1][key]) for key, value in ends[0].items())
    state = load_checkpoint(tmp_path / "run" / "checkpoint.npz")[1]
    assert all(
        torch.equal(value, ends[0][key].float()) for key, value in state.items() if value.ndim
    )
