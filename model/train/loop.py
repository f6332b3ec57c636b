"""The training loop: alternate tasks, average weights, log, keep what a resumption needs."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from m3vit.hw.config import ModelConfig, TaskConfig
from m3vit.model.checkpoint import save_checkpoint
from m3vit.model.images import normalise
from m3vit.model.network import M3ViT
from m3vit.model.train.batches import Source, draw
from m3vit.model.train.distributed import Processes, average_buffers, average_gradients
from m3vit.model.train.log import TrainLog
from m3vit.model.train.losses import task_loss
from m3vit.model.train.meters import Meters
from m3vit.model.train.optimiser import WeightAverage, learning_rate, make_optimiser
from m3vit.model.train.outputs import Outputs
from m3vit.model.train.prior import start_from_constants
from m3vit.model.train.settings import TrainSettings
from m3vit.model.train.state import load_state, save_state


class Trainer:
    """One process of a training run."""

    def __init__(
        self,
        config: ModelConfig,
        settings: TrainSettings,
        source: Source,
        outputs: Outputs,
        device: torch.device,
        processes: Processes,
    ) -> None:
        self.config, self.settings, self.source = config, settings, source
        self.outputs, self.device, self.processes = outputs, device, processes
        torch.manual_seed(settings.seed)
        network = M3ViT(config)
        start_from_constants(network, config, source, settings.seed)
        network.set_regularisation(settings.drop_path, settings.gate_noise)
        self.network = network.to(device)
        # Convolutions are twice as fast with the channels last.
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if processes.size > 1 and device.type == "cuda":
            self.network = torch.nn.SyncBatchNorm.convert_sync_batchnorm(  # type: ignore[no-untyped-call]
                self.network
            )
        self.average = WeightAverage(self.network, settings.ema)
        self.optimiser = make_optimiser(self.network, settings)
        self.step = 0

    def start_from(self, state: Mapping[str, Tensor]) -> None:
        """Begin with the weights of a checkpoint instead of random ones."""
        self.network.load_state_dict(state)
        self.average = WeightAverage(self.network, self.settings.ema)

    def resume(self) -> None:
        """Continue from the folder's state; errors as `load_state`."""
        self.step = load_state(
            self.outputs.state,
            self.config,
            self.settings,
            self.network,
            self.average,
            self.optimiser,
        )

    def run(self, steps: int | None = None) -> None:
        """Train until step ``steps`` (by default all that the settings name)."""
        last = self.settings.steps if steps is None else steps
        log = TrainLog(self.outputs.log, self.step, self.outputs.quiet) if self._leads else None
        meters = Meters()
        self.network.train()
        while self.step < last:
            self._train_step(meters)
            self.step += 1
            if self.step % self.outputs.log_every == 0 or self.step == last:
                self._report(meters, log)
            if self.step % self.outputs.save_every == 0 or self.step == last:
                self.save()

    @property
    def _leads(self) -> bool:
        return self.processes.leads

    def _tasks(self) -> list[TaskConfig]:
        count, tasks = self.settings.tasks_per_step, self.config.tasks
        return [tasks[(self.step * count + i) % len(tasks)] for i in range(count)]

    def _train_step(self, meters: Meters) -> None:
        rank = self.processes.rank
        # Seeding every step leaves no generator state to be saved for a resumption.
        entropy = np.random.SeedSequence((self.settings.seed, self.step, rank))
        torch.manual_seed(int(entropy.generate_state(1)[0]))
        self.optimiser.zero_grad()
        rng = np.random.default_rng((self.settings.seed, self.step, rank))
        indices = draw(self.source, rng, self.settings.batch)
        for task in self._tasks():
            self._backward(task, self.source.batch(indices, task.kind, rng), meters)
        average_gradients(self.network, self.processes)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.settings, self.step)
        self.optimiser.step()
        average_buffers(self.network, self.processes)
        self.average.update(self.network.state_dict(), self.step)

    def _backward(self, task: TaskConfig, batch: tuple[Tensor, Tensor], meters: Meters) -> None:
        images, target = batch
        pixels = normalise(images.to(self.device)).contiguous(memory_format=torch.channels_last)
        low = self.settings.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=low):
            prediction = self.network(pixels, task.name)
        loss = task_loss(task.kind, prediction, target.to(self.device))
        balance, indecision = self.network.balance_loss(), self.network.indecision_loss()
        s = self.settings
        routing = s.balance_weight * balance + s.indecision_weight * indecision
        total = s.loss_weights[task.kind.value] * loss + routing
        torch.autograd.backward(total / self.settings.tasks_per_step)
        meters.add(
            {task.name: loss.detach()},
            {"balance": balance.detach(), "indecision": indecision.detach()},
        )

    def _report(self, meters: Meters, log: TrainLog | None) -> None:
        # Every process looks, so that all stop when one diverges.
        entry = meters.take(self.step)
        if log:
            rate = learning_rate(self.settings, self.step - 1)
            images = self.settings.batch * self.settings.tasks_per_step * self.processes.size
            log.write(entry | {"learning_rate": rate}, self.settings.steps, images)

    def save(self) -> None:
        """Write the resumable state and the averaged weights."""
        if not self._leads:
            return
        parts = (self.network, self.average, self.optimiser)
        save_state(self.outputs.state, self.config, self.settings, *parts, self.step)
        save_checkpoint(self.outputs.checkpoint, self.config, self.average.values)
