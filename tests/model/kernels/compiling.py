"""Compiles every kernel for an H100 without having one: prints name, shared memory and warps."""

import json
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.runtime.jit import JITFunction

from m3vit.model.kernels.fused.all import KERNELS
from m3vit.model.kernels.interface import (
    FloatLinear,
    Gelu,
    HeadScales,
    IntegerGate,
    IntegerLinear,
    IntegerNorm,
)

MANY_PAIRS = 20_000
"""More than one program sorts on its own."""
TOKENS, WIDTH, EXPERTS, TOP_K, HEADS = 200, 384, 16, 4, 12


class Absent:
    """A driver of a device that is not here; kernels are compiled for it and never run."""

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", 90, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return 0


def compile_instead(self: JITFunction, *args: Any, grid: Any, warmup: bool, **options: Any) -> None:
    compiled = launch(self, *args, grid=grid, warmup=True, **options)
    made = compiled.metadata
    name = f"{self.fn.__module__.rsplit('.', 1)[-1]}.{self.fn.__name__}"
    print(json.dumps({"kernel": name, "shared": made.shared, "warps": made.num_warps}))


def zeros(kind: torch.dtype, *shape: int) -> torch.Tensor:
    return torch.zeros(*shape, dtype=kind)


def floats(kind: torch.dtype) -> None:
    x = zeros(kind, TOKENS, WIDTH)
    gate = zeros(torch.float32, EXPERTS, WIDTH), zeros(torch.float32, EXPERTS)
    routing = KERNELS.route(x, *gate, TOP_K)
    plan = KERNELS.sort_pairs(routing.indices, EXPERTS)
    KERNELS.sort_pairs(zeros(torch.int32, MANY_PAIRS, 1), EXPERTS)
    layer = FloatLinear(zeros(kind, EXPERTS, WIDTH, WIDTH), zeros(torch.float32, EXPERTS, WIDTH))
    hidden = KERNELS.expand(x, layer, plan, TOP_K)
    KERNELS.combine(KERNELS.contract(hidden, layer, plan, routing.weights), x)


def linear(experts: int, outputs: int) -> IntegerLinear:
    stacked = [zeros(torch.int32, experts, outputs) for _ in range(2)]
    columns = [zeros(torch.int32, outputs) for _ in range(2)]
    return IntegerLinear(zeros(torch.int8, experts, outputs, WIDTH), *stacked, *columns)


def integers() -> None:
    h, x18 = zeros(torch.int8, TOKENS, WIDTH), zeros(torch.int32, TOKENS, WIDTH)
    halves = [zeros(torch.int8, EXPERTS, WIDTH) for _ in range(2)]
    gate = IntegerGate(*halves, zeros(torch.int32, EXPERTS), 40000, 33)
    routing = KERNELS.route8(h, gate, TOP_K)
    plan = KERNELS.sort_pairs(routing.indices, EXPERTS)
    gelu = Gelu(zeros(torch.int8, 512), zeros(torch.int32, EXPERTS, WIDTH))
    hidden = KERNELS.expand8(h, linear(EXPERTS, WIDTH), gelu, plan, TOP_K)
    parts = KERNELS.contract8(hidden, linear(EXPERTS, WIDTH), plan, routing.weights, 4)
    KERNELS.combine8(parts, routing.indices, x18)
    KERNELS.linear8(h, linear(1, 3 * WIDTH), None)
    KERNELS.linear8(h, linear(1, WIDTH), gelu)
    KERNELS.project8(h, linear(1, WIDTH), x18)
    tables = [zeros(torch.int32, WIDTH) for _ in range(2)]
    KERNELS.norm8(x18, IntegerNorm(*tables, 18, 1))
    q = zeros(torch.int8, 2, TOKENS // 2, HEADS, WIDTH // HEADS)
    KERNELS.attention8(q, q, q, HeadScales(*(zeros(torch.int32, HEADS) for _ in range(3))))


if __name__ == "__main__":
    triton.runtime.driver.set_active(Absent())
    launch = JITFunction.run
    JITFunction.run = compile_instead
    floats(torch.bfloat16)
    floats(torch.float16)
    integers()
