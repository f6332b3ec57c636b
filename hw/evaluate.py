"""Layer-by-layer evaluation of a quantised model with the golden operators.

This is the definition that the compiled commands, the RTL and every device are compared with.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.formats import Int8, Int16, Int32, UInt8
from m3vit.hw.golden.attention import attention
from m3vit.hw.golden.embedding import embed, patches
from m3vit.hw.golden.expert import add_dense, add_experts, all_hidden
from m3vit.hw.golden.gate import route
from m3vit.hw.golden.head import Observer, head
from m3vit.hw.golden.layernorm import layer_norm, residual_view
from m3vit.hw.golden.linear import linear8, linear18
from m3vit.hw.golden.residual import add
from m3vit.hw.quantised import Attention, Block, QuantisedModel
from m3vit.hw.routing import RoutingPlan

STATIONARY_LOWEST = -127
"""K and V are the stationary operand of the array, which cannot take -128."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What one image gave."""

    result: Int16
    """[T, d] at 2^-f: the residual stream as a head reads it."""
    plans: dict[int, RoutingPlan] = field(default_factory=dict)
    """Routing of every block that holds experts."""
    saturations: dict[str, int] = field(default_factory=dict)
    """Saturated residual additions: "embed", "mid N" (attention) and "out N" of each block N."""


def evaluate(
    model: QuantisedModel,
    image: UInt8,
    task: int,
    observe: Observer | None = None,
    routes: Mapping[int, RoutingPlan] | None = None,
) -> Evaluation:
    """The encoder on one image for one task.

    Args:
        model: the quantised model.
        image: uint8 [H, W, 3] of the model's size.
        task: number of the task, which chooses the gates.
        observe: called as observe(name, block, integers) after each layer: "embed" (block -1),
            "ln1", "q", "k", "v", "attention", "mid", "ln2", "hidden" (after GELU: [T, hidden], or
            [P, hidden] in the plan's order) and "out" of each block; "embed", "mid" and "out" are
            18-bit codes at 2^-(f+2), the others int8.
        routes: plans imposed on some blocks, experts and weights, instead of their gates'.

    Raises:
        ConfigurationError: the image, the task or an imposed plan does not fit the model.
    """
    _check(model, image, task)
    plans: dict[int, RoutingPlan] = {}
    saturations: dict[str, int] = {}
    tiles = patches(image, model.config.patch)
    x18, saturations["embed"] = embed(tiles, model.embedding, model.position)
    if observe:
        observe("embed", -1, x18)
    for number, block in enumerate(model.blocks):
        x18, saturations[f"mid {number}"] = attend_block(
            x18, block, number, model.config.heads, observe
        )
        h = layer_norm(residual_view(x18), block.norm2)
        plan = plan_of(h, model, number, task, routes)
        if plan is not None:
            plans[number] = plan
        x18, saturations[f"out {number}"] = mlp_block(x18, h, block, plan, number, observe)
    return Evaluation(result=residual_view(x18), plans=plans, saturations=saturations)


def attend_block(
    x18: Int32, block: Block, number: int, heads: int, observe: Observer | None = None
) -> tuple[Int32, int]:
    """First half of a block, x + proj(attention(ln1(x))): x18 [T, d] and saturations."""
    h = layer_norm(residual_view(x18), block.norm1)
    q, k, v = project(h, block.attention)
    o = attention(q, k, v, block.attention, heads)
    x18, saturations = add(x18, linear18(o, block.attention.proj))
    if observe:
        seen: dict[str, NDArray[Any]] = {
            "ln1": h,
            "q": q,
            "k": k,
            "v": v,
            "attention": o,
            "mid": x18,
        }
        for name, values in seen.items():
            observe(name, number, values)
    return x18, saturations


def project(h: Int8, layer: Attention) -> tuple[Int8, Int8, Int8]:
    """Q, K, V [T, d] of the normalised tokens h [T, d]."""
    return (
        linear8(h, layer.query),
        linear8(h, layer.key, STATIONARY_LOWEST),
        linear8(h, layer.value, STATIONARY_LOWEST),
    )


def plan_of(
    h: Int8,
    model: QuantisedModel,
    number: int,
    task: int,
    routes: Mapping[int, RoutingPlan] | None = None,
) -> RoutingPlan | None:
    """The plan of block ``number``: imposed, or its gate's, or None in a dense block.

    Raises:
        ConfigurationError: an imposed plan has other experts or tokens than the block.
    """
    block = model.blocks[number]
    if not block.gates:
        return None
    plan = (routes or {}).get(number)
    if plan is None:
        return route(h, block.gates[task], model.config.top_k)
    got, expected = (plan.token_count, len(plan.counts)), (len(h), len(block.mlp.experts))
    if got != expected:
        raise ConfigurationError(
            f"plan for block {number} has {got[0]} tokens and {got[1]} experts, "
            f"expected {expected[0]} and {expected[1]}"
        )
    return plan


def mlp_block(
    x18: Int32,
    h: Int8,
    block: Block,
    plan: RoutingPlan | None,
    number: int,
    observe: Observer | None = None,
) -> tuple[Int32, int]:
    """Second half of a block, x + mlp(h) with h = ln2(x): x18 [T, d] and saturations."""
    if plan is None:
        x18, saturations = add_dense(x18, h, block.mlp)
    else:
        x18, saturations = add_experts(x18, h, block.mlp, plan)
    if observe:
        observe("ln2", number, h)
        observe("hidden", number, all_hidden(h, block.mlp, plan))
        observe("out", number, x18)
    return x18, saturations


def evaluate_head(
    model: QuantisedModel, result: Int16, task: int, observe: Observer | None = None
) -> Int16:
    """Logits Int16 [channels, 8 rows, 8 columns] of ``task`` from the encoder's result [T, d].

    Raises:
        ConfigurationError: there is no such task.
    """
    _check_task(model, task)
    return head(result, model.heads[task], model.config.grid, observe)


def _check(model: QuantisedModel, image: UInt8, task: int) -> None:
    config = model.config
    _check_task(model, task)
    expected = (config.image_height, config.image_width, 3)
    if image.shape != expected or image.dtype != np.uint8:
        raise ConfigurationError(
            f"image is {image.dtype} {list(image.shape)}, {config.name} expects uint8 "
            f"{list(expected)}; resize it first"
        )


def _check_task(model: QuantisedModel, task: int) -> None:
    count = len(model.config.tasks)
    if not 0 <= task < count:
        raise ConfigurationError(
            f"task number is {task}, {model.config.name} has tasks 0 to {count - 1}"
        )
