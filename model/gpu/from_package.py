"""The quantised model that a package's commands and memory describe: the compiler's inverse."""

from collections.abc import Iterator

import numpy as np

from m3vit.hw.commands.fields import Op, Post, Store
from m3vit.hw.commands.word import Command
from m3vit.hw.errors import PackageError
from m3vit.hw.layout.panels import head_columns, natural_columns, unpack
from m3vit.hw.layout.sizes import linear_bytes, panel_bytes
from m3vit.hw.layout.tables import join_gate, unpack_gelu, unpack_layernorm
from m3vit.hw.package import Package
from m3vit.hw.quantised import (
    Attention,
    Block,
    Expert,
    Gate,
    LayerNorm,
    Linear,
    Mlp,
    QuantisedModel,
)


def model_of(package: Package) -> QuantisedModel:
    """Every integer of the encoder and the heads; a gate's ``scale`` is not in it and reads 1.

    Raises:
        PackageError: the commands are not those of an encoder of the package's configuration.
    """
    position = next(c for c in package.commands if c.op is Op.DMA and c.dst is Store.RES)
    embedding = next(c for c in package.commands if _adds(c, Store.XN))
    config = package.config
    table = np.frombuffer(_at(package, position["address"]), "<i2", config.tokens * config.width)
    return QuantisedModel(
        config=config,
        residual_fraction=package.residual_fraction,
        embedding=_linear(package, embedding),
        position=table.reshape(config.tokens, config.width).astype(np.int16),
        blocks=tuple(_block(package, number) for number in range(config.blocks)),
        heads=package.heads,
    )


def _at(package: Package, address: int) -> memoryview:
    return memoryview(package.weights)[address:]


def _adds(command: Command, source: Store) -> bool:
    post = command.op is Op.GEMM and command["post"] == Post.RESIDUAL
    return post and command.src is source


def _linear(package: Package, command: Command) -> Linear:
    columns = natural_columns(package.machine, command["outputs"])
    data = _at(package, command["weights"])
    return unpack(data, command["inner"], columns, package.machine, command["shift"])[0]


def _block(package: Package, number: int) -> Block:
    own = [command for command in package.commands if command.block == number]
    norms = [_norm(package, command) for command in own if command.op is Op.NORM]
    experts = [command for command in own if command.op is Op.EXPERTS]
    if len(norms) != 2 or len(experts) != 1:
        raise PackageError(
            f"package {package.path}: block {number} has {len(norms)} NORM and {len(experts)} "
            "EXPERTS commands, expected 2 and 1; compile the package again"
        )
    gates = [command for command in own if command.op is Op.GATE]
    return Block(
        norm1=norms[0],
        attention=_attention(package, own),
        norm2=norms[1],
        mlp=_mlp(package, experts[0]),
        gates=tuple(_gates(package, gates[0])) if gates else (),
    )


def _norm(package: Package, command: Command) -> LayerNorm:
    data = _at(package, command["table"])
    return unpack_layernorm(data, command["width"], command["shift"], command["epsilon"])


def _attention(package: Package, own: list[Command]) -> Attention:
    rounds = [_round(package, c) for c in own if c.op is Op.GEMM and c["post"] == Post.QKV]
    value, key, query = (_join(parts) for parts in zip(*rounds, strict=True))
    scales = np.array([scale for c in own if c.op is Op.ATTN for scale in _head_scales(c)])
    return Attention(
        query=query,
        key=key,
        value=value,
        score_shift=scales[:, 0].astype(np.uint8),
        output_gain=scales[:, 1].astype(np.uint16),
        output_shift=scales[:, 2].astype(np.uint8),
        proj=next(_linear(package, c) for c in own if _adds(c, Store.QOH)),
    )


def _round(package: Package, command: Command) -> tuple[Linear, Linear, Linear]:
    """V, K and Q of the heads of one round."""
    machine, inner = package.machine, command["inner"]
    columns = head_columns(machine, 0, command["heads"], command["head_dim"])
    size = len(columns) * panel_bytes(machine, inner)
    shifts = (command["shift"], command["shift_key"], command["shift_query"])
    starts = (command["weights"] + number * size for number in range(3))
    value, key, query = (
        unpack(_at(package, start), inner, columns, machine, shift)[0]
        for start, shift in zip(starts, shifts, strict=True)
    )
    return value, key, query


def _join(parts: tuple[Linear, ...]) -> Linear:
    return Linear(
        weight=np.concatenate([part.weight for part in parts]),
        bias=np.concatenate([part.bias for part in parts]),
        factor=np.concatenate([part.factor for part in parts]),
        shift=parts[0].shift,
    )


def _head_scales(command: Command) -> Iterator[tuple[int, int, int]]:
    for slot in range(command["heads"]):
        names = ("score_shift", "gain", "gain_shift")
        shift, gain, output = (command[f"{name}{slot}"] for name in names)
        yield shift, gain, output


def _gates(package: Package, command: Command) -> Iterator[Gate]:
    columns = natural_columns(package.machine, 2 * command["experts"])
    for task in range(len(package.config.tasks)):
        data = _at(package, command["weights"] + task * command["stride"])
        yield join_gate(*unpack(data, command["width"], columns, package.machine, 0))


def _mlp(package: Package, command: Command) -> Mlp:
    return Mlp(
        experts=tuple(_expert(package, command, n) for n in range(command["experts"])),
        gelu=unpack_gelu(_at(package, command["gelu"])),
        guard_bits=command["guard"],
    )


def _expert(package: Package, command: Command, number: int) -> Expert:
    machine, width, hidden = package.machine, command["width"], command["hidden"]
    start = command["weights"] + number * command["stride"]
    columns = natural_columns(machine, hidden)
    first, flags = unpack(_at(package, start), width, columns, machine, command["shift1"])
    start += linear_bytes(machine, width, hidden)
    columns = natural_columns(machine, width)
    second, _ = unpack(_at(package, start), hidden, columns, machine, command["shift2"])
    return Expert(fc1=first, fc2=second, hidden_class=(flags & 1).astype(np.uint8))
