"""Bias correction: run the integer model once, block by block, and take out its mean errors.

At each residual addition the mean difference between integers and floats is moved into the bias
of the layer that was just added, before the next one runs; it costs nothing in hardware.  In MoE
blocks the biases of all experts are solved for together: least squares of the residual's error on
the gate scores.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from m3vit.hw.evaluate import attend_block, evaluate_head, mlp_block
from m3vit.hw.formats import RESIDUAL_GUARD_BITS, Float64, Int32, UInt16
from m3vit.hw.golden.embedding import embed, patches
from m3vit.hw.golden.layernorm import layer_norm, residual_view
from m3vit.hw.quantised import Block, Head, Linear, Mlp, QuantisedModel
from m3vit.hw.routing import RoutingPlan
from m3vit.model.quantise.bounds import check_accumulator
from m3vit.model.quantise.linear import BYTE
from m3vit.model.quantise.targets import Pass, Stage, Targets, design_of

RIDGE = 16.0
"""Added to the normal equations: experts that calibration rarely met stay as they are."""


def shifted_bias(bias: Int32, factor: UInt16, shift: int, codes: Float64) -> Float64:
    """``bias`` that lowers the requantised outputs by ``codes`` [N]."""
    return np.asarray(np.floor(bias - codes * 2.0**shift / factor + 0.5))


def lower(name: str, layer: Linear, codes: Float64) -> Linear:
    """``layer`` with its outputs lowered by ``codes`` [N].

    Raises:
        QuantisationError: the accumulator may now reach 2^26.
    """
    bias = shifted_bias(layer.bias, layer.factor, layer.shift, codes)
    check_accumulator(name, layer.weight.astype(np.float64), bias, BYTE, 1.0)
    return replace(layer, bias=bias.astype(np.int32))


def lower_mlp(mlp: Mlp, number: int, error: Float64) -> Mlp:
    """``mlp`` with ``error`` taken out: one row an expert, or one row for chunk 0."""
    experts = list(mlp.experts)
    for index, row in enumerate(error):
        name, expert = f"block {number} expert {index} fc2", experts[index]
        experts[index] = replace(expert, fc2=lower(name, expert.fc2, row * 2.0**mlp.guard_bits))
    return replace(mlp, experts=tuple(experts))


class Corrector:
    """Walks all passes of the targets through the integer model in step."""

    def __init__(self, model: QuantisedModel, targets: Targets) -> None:
        self.model = model
        self.targets = targets
        self.unit = 2.0 ** -(model.residual_fraction + RESIDUAL_GUARD_BITS)
        self.states = [self._embed(one) for one in targets.passes]

    def _embed(self, one: Pass) -> Int32:
        tiles = patches(one.image, self.model.config.patch)
        return embed(tiles, self.model.embedding, self.model.position)[0]

    def _designs(self, stage: Stage) -> Iterator[Float64]:
        for x18, one in zip(self.states, self.targets.passes, strict=True):
            yield design_of(one.plan(stage), len(x18))

    def _settle(self, stage: Stage) -> Float64:
        """Correction in codes, [rows of the design, d], already taken out of the states."""
        size = len(self.targets.residual[stage])
        gram, product = RIDGE * np.eye(size), -self.targets.residual[stage] / self.unit
        for x18, rows in zip(self.states, self._designs(stage), strict=True):
            gram += rows.T @ rows
            product = product + rows.T @ x18
        error = np.linalg.solve(gram, product)
        pairs = zip(self.states, self._designs(stage), strict=True)
        self.states = [x18 - np.rint(rows @ error).astype(np.int32) for x18, rows in pairs]
        return error

    def block(self, number: int) -> Block:
        """Block ``number`` corrected; the passes move on through it."""
        block, heads = self.model.blocks[number], self.model.config.heads
        self.states = [attend_block(x18, block, number, heads)[0] for x18 in self.states]
        error = self._settle(("mid", number))
        proj = lower(f"block {number} proj", block.attention.proj, error[0])
        pairs = zip(self.states, self.targets.passes, strict=True)
        self.states = [feed(x18, block, one.plans.get(number), number) for x18, one in pairs]
        mlp = lower_mlp(block.mlp, number, self._settle(("out", number)))
        return replace(block, attention=replace(block.attention, proj=proj), mlp=mlp)

    def head(self, task: int) -> Head:
        """Head ``task`` whose logits have the float network's means over the passes."""
        head, passes = self.model.heads[task], self.targets.of_task(task)
        results = [residual_view(self.states[index]) for index in passes]
        codes = [evaluate_head(self.model, x16, task).mean((1, 2)) for x16 in results]
        error = np.mean(codes, axis=0) - self.targets.logits[task] / len(passes) / head.logit_scale
        last = head.convolutions[-1]
        bias = shifted_bias(last.bias, last.factor, last.shift, error)
        last = replace(last, bias=bias.astype(np.int32))
        return replace(head, convolutions=(*head.convolutions[:-1], last))


def feed(x18: Int32, block: Block, plan: RoutingPlan | None, number: int) -> Int32:
    """Second half of a block with its routing imposed."""
    h = layer_norm(residual_view(x18), block.norm2)
    return mlp_block(x18, h, block, plan, number)[0]


def _blocks(corrector: Corrector, progress: Callable[[str], None]) -> Iterator[Block]:
    count = len(corrector.model.blocks)
    for number in range(count):
        progress(f"correcting biases of block {number + 1}/{count}")
        yield corrector.block(number)


def correct_biases(
    model: QuantisedModel, targets: Targets, progress: Callable[[str], None]
) -> QuantisedModel:
    """``model`` with mean errors over the passes of ``targets`` removed from its biases.

    Raises:
        QuantisationError: a corrected bias leaves its accumulator's bound.
    """
    corrector = Corrector(model, targets)
    blocks = tuple(_blocks(corrector, progress))
    heads = tuple(corrector.head(task) for task in range(len(model.heads)))
    return replace(model, blocks=blocks, heads=heads)
