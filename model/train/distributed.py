"""Several processes under torchrun: start, agree on gradients, stop."""

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn


@dataclass(frozen=True, kw_only=True)
class Processes:
    """This process's place among all."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def leads(self) -> bool:
        """Whether this process writes files and talks."""
        return self.rank == 0


def join(device: str) -> Processes:
    """Join the group that torchrun describes in the environment; alone without it."""
    if "WORLD_SIZE" not in os.environ or os.environ["WORLD_SIZE"] == "1":
        return Processes()
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    local = int(os.environ.get("LOCAL_RANK", "0"))
    return Processes(rank=dist.get_rank(), size=dist.get_world_size(), local_rank=local)


def leave(processes: Processes) -> None:
    """Leave the group in good order."""
    if processes.size > 1:
        dist.destroy_process_group()


def average_gradients(network: nn.Module, processes: Processes) -> None:
    """Replace every gradient by the mean over processes, in one message.

    All processes train the same tasks in a step, so the same parameters have gradients; those of
    other tasks' gates and heads are absent everywhere, which `DistributedDataParallel` would have
    to search for.
    """
    if processes.size == 1:
        return
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(flat)
    flat /= processes.size
    means = torch.split(flat, [g.numel() for g in gradients])
    for gradient, mean in zip(gradients, means, strict=True):
        gradient.copy_(mean.view_as(gradient))


def average_buffers(network: nn.Module, processes: Processes) -> None:
    """Average the running statistics of batch norms, which every process gathers for itself."""
    if processes.size == 1:
        return
    for buffer in network.buffers():
        if buffer.is_floating_point():
            dist.all_reduce(buffer)
            buffer /= processes.size
