"""The whole encoder in integers on any device, equal to ``m3vit.hw.evaluate``."""

from typing import NamedTuple

import torch
from torch import Tensor

from m3vit.hw.formats import RESIDUAL_GUARD_BITS
from m3vit.hw.quantised import Block, Expert, Mlp, QuantisedModel
from m3vit.model.gpu.pack import (
    pack_gate,
    pack_gelu,
    pack_linears,
    pack_norm,
    pack_query_key_value,
    pack_scales,
    tensor,
)
from m3vit.model.kernels.dispatch import kernels_for
from m3vit.model.kernels.interface import (
    Gelu,
    HeadScales,
    IntegerGate,
    IntegerLinear,
    IntegerNorm,
    Kernels,
    Routing,
)
from m3vit.model.kernels.plain.norm8 import view16


class Encoded(NamedTuple):
    """What a batch of B images gave."""

    result: Tensor
    """int16 [B, T, d] at 2^-f."""
    saturations: Tensor
    """int64 []: saturated residual additions of the whole batch."""
    routings: dict[int, Routing]
    """By block: int32 [B * T, K] each."""


class _Chunk(NamedTuple):
    first: IntegerLinear
    gelu: Gelu
    second: IntegerLinear


class _Layers(NamedTuple):
    norm1: IntegerNorm
    qkv: IntegerLinear
    scales: HeadScales
    proj: IntegerLinear
    norm2: IntegerNorm
    gates: list[IntegerGate]
    guard_bits: int
    chunks: list[_Chunk]
    """One stack of all experts, or the chunks of a dense MLP one by one."""


def _chunk(experts: tuple[Expert, ...], mlp: Mlp, device: torch.device) -> _Chunk:
    return _Chunk(
        pack_linears([expert.fc1 for expert in experts], device),
        pack_gelu(experts, mlp, device),
        pack_linears([expert.fc2 for expert in experts], device),
    )


def _layers(block: Block, device: torch.device) -> _Layers:
    mlp = block.mlp
    groups = [mlp.experts] if block.gates else [(expert,) for expert in mlp.experts]
    return _Layers(
        norm1=pack_norm(block.norm1, device),
        qkv=pack_query_key_value(block.attention, device),
        scales=pack_scales(block.attention, device),
        proj=pack_linears([block.attention.proj], device),
        norm2=pack_norm(block.norm2, device),
        gates=[pack_gate(gate, device) for gate in block.gates],
        guard_bits=mlp.guard_bits,
        chunks=[_chunk(group, mlp, device) for group in groups],
    )


class IntegerEncoder:
    """Weights resident on ``device``; kernels by device unless given."""

    def __init__(
        self, model: QuantisedModel, device: torch.device, kernels: Kernels | None = None
    ) -> None:
        self.config = model.config
        self.kernels = kernels or kernels_for(device)
        self._embedding = pack_linears([model.embedding], device)
        self._position = tensor(model.position, device) << RESIDUAL_GUARD_BITS
        self._blocks = [_layers(block, device) for block in model.blocks]

    def __call__(self, tiles: Tensor, task: int) -> Encoded:
        """int8 patches [B, T - 1, patch elements] of B images for one task."""
        batch = len(tiles)
        x18, lost = self._embed(tiles)
        routings: dict[int, Routing] = {}
        for number, layers in enumerate(self._blocks):
            x18, count = self._attend(x18, layers, batch)
            lost = lost + count
            h = self.kernels.norm8(x18, layers.norm2)
            if layers.gates:
                routing = self.kernels.route8(h, layers.gates[task], self.config.top_k)
                routings[number] = routing
                x18, count = self._mixture(x18, h, layers, routing)
            else:
                x18, count = self._dense(x18, h, layers)
            lost = lost + count
        result = view16(x18).to(torch.int16).view(batch, self.config.tokens, -1)
        return Encoded(result, lost, routings)

    def _embed(self, tiles: Tensor) -> tuple[Tensor, Tensor]:
        batch, patches, elements = tiles.shape
        start = self._position[1:].repeat(batch, 1)
        flat = tiles.reshape(batch * patches, elements)
        x18, lost = self.kernels.project8(flat, self._embedding, start)
        classes = self._position[:1].expand(batch, 1, -1)
        joined = torch.cat((classes, x18.view(batch, patches, -1)), dim=1)
        return joined.flatten(0, 1), lost

    def _attend(self, x18: Tensor, layers: _Layers, batch: int) -> tuple[Tensor, Tensor]:
        h = self.kernels.norm8(x18, layers.norm1)
        joined = self.kernels.linear8(h, layers.qkv, None)
        shape = (batch, self.config.tokens, 3, self.config.heads, self.config.head_dim)
        q, k, v = joined.view(shape).unbind(2)
        o = self.kernels.attention8(q, k, v, layers.scales)
        return self.kernels.project8(o.view(len(x18), -1), layers.proj, x18)

    def _dense(self, x18: Tensor, h: Tensor, layers: _Layers) -> tuple[Tensor, Tensor]:
        lost = torch.zeros((), dtype=torch.int64, device=h.device)
        for chunk in layers.chunks:
            hidden = self.kernels.linear8(h, chunk.first, chunk.gelu)
            x18, count = self.kernels.project8(hidden, chunk.second, x18)
            lost = lost + count
        return x18, lost

    def _mixture(
        self, x18: Tensor, h: Tensor, layers: _Layers, routing: Routing
    ) -> tuple[Tensor, Tensor]:
        (chunk,) = layers.chunks
        plan = self.kernels.sort_pairs(routing.indices, self.config.experts)
        hidden = self.kernels.expand8(h, chunk.first, chunk.gelu, plan, self.config.top_k)
        parts = self.kernels.contract8(
            hidden, chunk.second, plan, routing.weights, layers.guard_bits
        )
        return self.kernels.combine8(parts, routing.indices, x18)
