"""The whole network: one encoder, a gate per task and layer, one head a task."""

import torch
from torch import Tensor, nn

from m3vit.hw.config import ModelConfig
from m3vit.hw.errors import ConfigurationError
from m3vit.model.network.backbone import Backbone
from m3vit.model.network.block import Block
from m3vit.model.network.context import Observer, Route
from m3vit.model.network.head import Head
from m3vit.model.network.initialise import initialise
from m3vit.model.network.moe import Moe


def _total(losses: list[Tensor | None]) -> Tensor:
    present = [loss for loss in losses if loss is not None]
    return torch.stack(present).sum() if present else torch.zeros(())


class M3ViT(nn.Module):
    """Multi-task mixture-of-experts vision transformer (Liang et al., NeurIPS 2022).

    Its state-dict keys are those of the original code's multi-task model: ``backbone.*`` and
    ``decoders.<task>.*``.  Predicting one task reads that task's gates and head, and the experts
    that tokens are routed to; nothing else.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config)
        self.decoders = nn.ModuleDict({task.name: Head(config, task) for task in config.tasks})
        initialise(self, config)

    def _check(self, images: Tensor) -> None:
        expected = (3, self.config.image_height, self.config.image_width)
        if images.ndim != 4 or images.shape[1:] != expected:
            raise ConfigurationError(
                f"images have shape {tuple(images.shape)}, {self.config.name} expects "
                f"[batch, {', '.join(map(str, expected))}]; resize them first"
            )

    def features(
        self,
        images: Tensor,
        task: str,
        observe: Observer | None = None,
        route: Route | None = None,
    ) -> Tensor:
        """Encoder output for ``task``.

        Args:
            images: normalised float [B, 3, H, W].
            task: one of the configuration's task names.
            observe: called with every intermediate value.
            route: routing to impose, block by block; other blocks route themselves.

        Returns:
            Residual stream after the last block [B, tokens, width], class token first.

        Raises:
            ConfigurationError: unknown task, or images of another size.
        """
        self._check(images)
        number = self.config.task_index(task)
        result: Tensor = self.backbone(images, number, observe, route)
        return result

    def forward(
        self,
        images: Tensor,
        task: str,
        observe: Observer | None = None,
        route: Route | None = None,
    ) -> Tensor:
        """Prediction [B, channels, H, W] of ``task``, before any sigmoid or softmax.

        Arguments and errors as :meth:`features`.
        """
        tokens = self.features(images, task, observe, route)
        result: Tensor = self.decoders[task](tokens, observe)
        return result

    def _moe_layers(self) -> list[Moe]:
        return [module for module in self.modules() if isinstance(module, Moe)]

    def balance_loss(self) -> Tensor:
        """Sum over layers of cv²(importance) + cv²(load) of the last pass in training mode."""
        return _total([layer.balance_loss for layer in self._moe_layers()])

    def indecision_loss(self) -> Tensor:
        """Sum over layers of `m3vit.model.network.gate.indecision` of the same pass."""
        return _total([layer.indecision_loss for layer in self._moe_layers()])

    def set_regularisation(self, drop_path: float, gate_noise: float) -> None:
        """Stochastic depth rising linearly to ``drop_path`` at the last block, and gate noise."""
        last = max(1, self.config.blocks - 1)
        for block in self.backbone.blocks:
            assert isinstance(block, Block)
            block.drop_path.rate = drop_path * block.number / last
        for layer in self._moe_layers():
            layer.noise = gate_noise
