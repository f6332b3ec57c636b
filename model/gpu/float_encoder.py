"""The whole network in bf16, fp16 or float32: library attention and dense layers, our experts."""

import copy
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from m3vit.model.gpu.moe_layer import MoeLayer
from m3vit.model.images import MEAN, STD
from m3vit.model.kernels.dispatch import kernels_for
from m3vit.model.kernels.interface import Kernels
from m3vit.model.network import M3ViT
from m3vit.model.network.block import Block
from m3vit.model.network.context import Context
from m3vit.model.network.moe import Moe

Mixture: TypeAlias = Callable[[Tensor, Tensor, int], Tensor]
"""residual + mixture(h) of h and residual [N, d] for a task's number."""


class FloatEncoder:
    """A copy of ``network`` on ``device`` in ``kind``; kernels by device unless given.

    Scaled-dot-product attention, cuBLAS and cuDNN do what they do best; the mixtures of experts
    run on our kernels, gates in float32.

    Attributes:
        mixtures: by block; the benchmark puts other implementations in their place.
    """

    def __init__(
        self,
        network: M3ViT,
        device: torch.device,
        kind: torch.dtype,
        kernels: Kernels | None = None,
    ) -> None:
        self.config, self.kind, self.device = network.config, kind, device
        self.kernels = kernels or kernels_for(device)
        features = _task_features(network)
        self.mixtures: dict[int, Mixture] = {
            block.number: MoeLayer(block.mlp, features, self.kernels, kind, device)
            for block in _blocks(network)
            if isinstance(block.mlp, Moe)
        }
        self._network = copy.deepcopy(network).to(device, kind).eval().requires_grad_(False)
        # Uploaded once: a CUDA graph cannot hold a copy from the host.
        scale, offset = (
            [1 / (255 * s) for s in STD],
            [m / s for m, s in zip(MEAN, STD, strict=True)],
        )
        self._scale = torch.tensor(scale, device=device).view(1, 3, 1, 1)
        self._offset = torch.tensor(offset, device=device).view(1, 3, 1, 1)
        self._class_row = self._network.backbone.cls_token + self._network.backbone.pos_embed[:, :1]

    def features(self, images: Tensor, task: int) -> Tensor:
        """Residual stream [B, T, d] of uint8 images [B, 3, H, W]."""
        with torch.no_grad():
            x = self._embed(images)
            context = Context(task=task)
            for block in _blocks(self._network):
                x = x + block.attn(block.norm1(x), context)
                h = block.norm2(x)
                if block.number in self.mixtures:
                    x = self.mixtures[block.number](h.flatten(0, 1), x.flatten(0, 1), task).view(
                        x.shape
                    )
                else:
                    x = x + block.mlp(h, context)
            return x

    def predict(self, images: Tensor, task: int) -> Tensor:
        """Prediction [B, channels, H, W] of task number ``task``, encoder and head."""
        with torch.no_grad():
            name = self.config.task_names[task]
            result: Tensor = self._network.decoders[name](self.features(images, task))
            return result

    def _embed(self, images: Tensor) -> Tensor:
        backbone = self._network.backbone
        pixels = (images.float() * self._scale - self._offset).to(self.kind)
        patches = backbone.patch_embed(pixels) + backbone.pos_embed[:, 1:]
        return torch.cat((self._class_row.expand(len(images), -1, -1), patches), dim=1)


def _blocks(network: M3ViT) -> list[Block]:
    return [block for block in network.backbone.blocks if isinstance(block, Block)]


def _task_features(network: M3ViT) -> Tensor | None:
    """[tasks, gate_task_width] of conditioned gates, else None."""
    embed = network.backbone.gate_task_represent
    if embed is None:
        return None
    with torch.no_grad():
        return torch.stack([embed(task) for task in range(len(network.config.tasks))])
