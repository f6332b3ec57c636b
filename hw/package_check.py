"""Whether the parts of a package agree: everything that a digest cannot say.

A digest shows that nobody edited a package, not that it makes sense; a package from elsewhere may
carry a right digest over wrong contents.
"""

import math
from collections.abc import Sequence

import numpy as np

from m3vit.hw.commands.check import check_program
from m3vit.hw.commands.extent import ELEMENT_BYTES
from m3vit.hw.commands.fields import ADDRESS_UNIT, Base, Element, Op
from m3vit.hw.commands.word import Command
from m3vit.hw.compiler.memory import Region
from m3vit.hw.compiler.tracing import TraceRegion
from m3vit.hw.config import ModelConfig, TaskConfig
from m3vit.hw.cost.limits import exceeded_limits
from m3vit.hw.errors import CommandError, PackageError
from m3vit.hw.formats import SHIFT_LIMIT
from m3vit.hw.layout.sizes import aligned, gate_bytes
from m3vit.hw.machine import MachineConfig
from m3vit.hw.quantised import Convolution, Head
from m3vit.hw.ranges import require_name, shown

EPSILON_LIMIT = (1 << 32) - 1
MOST_CONVOLUTIONS = 16
MOST_DOUBLINGS = 4
"""Of a head: more would exceed the image."""


def _require(condition: bool, what: str, got: object, expected: str) -> None:
    if not condition:
        raise PackageError(
            f"{what} is {shown(got)}, expected {expected}; compile the package again"
        )


def windows_of(config: ModelConfig, package: int, trace: int) -> dict[Base, int]:
    """Bytes behind each base register: ``package`` of weights, one image, one result, ``trace``."""
    return {
        Base.PACKAGE: package,
        Base.IMAGE: (config.tokens - 1) * config.patch_elements,
        Base.RESULT: 2 * config.tokens * config.width,
        Base.TRACE: trace,
    }


def golden_bytes(config: ModelConfig, trace: int) -> int:
    """Most bytes that the recorded sample of ``config`` unpacks to; ``trace`` = of all layers.

    Headers of arrays are counted generously.
    """
    pixels, tasks = config.image_height * config.image_width, len(config.tasks)
    results = 2 * tasks * config.tokens * config.width
    logits = sum(2 * task.channels * pixels for task in config.tasks)
    plans = 3 * tasks * len(config.moe_blocks) * config.tokens * config.top_k
    arrays = 1 + tasks * (2 + 2 * config.blocks) + 8 * config.blocks
    return 3 * pixels + results + logits + plans + trace + 4096 * arrays


def check_regions(regions: Sequence[Region], size: int) -> None:
    """Every region lies within ``size`` bytes.

    Raises:
        PackageError: naming what does not.
    """
    for region in regions:
        for text in (region.name, region.kind):
            require_name("name of a region", text)
        for value in (region.offset, region.size):
            _require(type(value) is int and value >= 0, f"region {region.name}", value, "0 or more")
        end = region.offset + region.size
        _require(end <= size, f"end of region {region.name}", end, f"at most {size}")


def check_trace(regions: Sequence[TraceRegion], config: ModelConfig) -> None:
    """Regions follow each other as the compiler places them, none larger than a store.

    Raises:
        PackageError: naming what does not fit.
    """
    offset, widest = 0, max(config.width, config.top_k, config.mlp_hidden)
    for region in regions:
        require_name("name of a trace region", region.name)
        what = f"trace region {region.name}"
        _require(region.element in Element.__members__, what, region.element, "a known element")
        item = ELEMENT_BYTES[Element[region.element]]
        _require(_is(region.block, 0, config.blocks - 1), what, region.block, "a block")
        _require(_is(region.tokens, 1, config.tokens), what, region.tokens, "the model's tokens")
        _require(_is(region.columns, 1, widest), what, region.columns, f"1 to {widest}")
        _require(region.stride == item * region.columns, what, region.stride, "rows without gaps")
        _require(region.offset == offset, what, region.offset, f"offset {offset}")
        offset = aligned(offset + region.size, ADDRESS_UNIT)


def _is(value: object, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def check_commands(
    commands: Sequence[Command],
    config: ModelConfig,
    machine: MachineConfig,
    windows: dict[Base, int],
) -> None:
    """Every command is within the machine, its buffers and the network, for every task.

    Raises:
        PackageError: the network exceeds the machine.
        CommandError: naming command, operand, value and limit.
    """
    exceeded = exceeded_limits(config, machine)
    if exceeded:
        raise PackageError(
            f"{config.name} exceeds machine {machine.name} ({exceeded[0]}); compile it again"
        )
    check_program(commands, machine, windows)
    moe = bool(config.moe_blocks)
    first, expected = commands[0], {"width": config.width, "heads": config.heads}
    expected |= {"experts": config.experts * moe, "top_k": config.top_k * moe}
    for name, value in {"tokens": config.tokens, **expected}.items():
        stated = first.tokens if name == "tokens" else first[name]
        _require(stated == value, f"CONFIG: {name}", stated, f"{value} as in the manifest")
    for index, command in enumerate(commands):
        if command.op is Op.GATE:
            size = gate_bytes(machine, command["width"], command["experts"])
            end = command["weights"] + (len(config.tasks) - 1) * command["stride"] + size
            if end > windows[Base.PACKAGE]:
                raise CommandError(
                    f"command {index} (GATE): the last task's gate ends at {end}, expected at most "
                    f"{windows[Base.PACKAGE]}; recompile the package"
                )


def check_head(task: TaskConfig, head: Head, name: object, config: ModelConfig) -> None:
    """The head of ``task`` takes the network's width and gives the task's channels.

    Raises:
        PackageError: naming what does not fit.
    """
    what, norm = f"head {task.name}", head.norm
    _require(name == task.name, f"task of {what}", name, task.name)
    for values in (norm.gamma, norm.beta):
        _require(values.shape == (config.width,), f"{what}, norm", values.shape, "[width]")
    _require(0 <= norm.shift <= SHIFT_LIMIT, f"{what}, shift", norm.shift, f"0 to {SHIFT_LIMIT}")
    _require(0 < norm.epsilon <= EPSILON_LIMIT, f"{what}, epsilon", norm.epsilon, "32 bits")
    layers = head.convolutions
    most = MOST_CONVOLUTIONS
    _require(1 <= len(layers) <= most, f"{what}: layers", len(layers), f"1 to {most}")
    doublings = sum(layer.upsampled for layer in layers)
    _require(doublings <= MOST_DOUBLINGS, f"{what}: doublings", doublings, f"{MOST_DOUBLINGS}")
    channels = config.width
    for number, layer in enumerate(layers):
        channels = _check_convolution(f"{what}, layer {number}", layer, channels)
    _require(channels == task.channels, f"{what}: channels", channels, f"{task.channels}")
    scale = head.logit_scale
    finite = scale.shape == (channels,) and bool(np.isfinite(scale).all())
    finite = finite and bool((np.abs(scale) <= 1e6).all())
    _require(finite, f"{what}: logit scale", scale.shape, f"{channels} numbers up to 1e6")


def _check_convolution(what: str, layer: Convolution, channels: int) -> int:
    """Number of channels that leave the layer."""
    shape = layer.weight.shape
    fits = len(shape) == 4 and shape[1] == channels and shape[2] == shape[3] and shape[2] in (1, 3)
    _require(fits and shape[0] >= 1, f"{what}: weight", shape, f"[out, {channels}, 1 or 3, same]")
    for values in (layer.bias, layer.factor):
        _require(values.shape == shape[:1], f"{what}: bias, factor", values.shape, f"[{shape[0]}]")
    _require(1 <= layer.shift <= SHIFT_LIMIT, f"{what}: shift", layer.shift, f"1 to {SHIFT_LIMIT}")
    # The host's accumulators have 32 bits, and an interpolated input is 16 times its value.
    reach = (16 if layer.upsampled else 1) * math.prod(shape[1:]) * 255 * 128
    _require(reach < 1 << 31, f"{what}: inputs", shape[1:], "sums within 32 bits")
    return int(shape[0])
