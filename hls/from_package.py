"""Layers of a package, decoded from its memory by the layout that the executor uses.

The kernels read the package's weights.bin as it is: the bytes that the RTL streams.
"""

from m3vit.hls.layer import Addresses, HlsLayer, Kind
from m3vit.hw.commands.fields import Flag, Op
from m3vit.hw.commands.word import Command
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.layout.panels import natural_columns, unpack
from m3vit.hw.layout.sizes import linear_bytes
from m3vit.hw.layout.tables import join_gate, unpack_gelu, unpack_layernorm
from m3vit.hw.package import Package
from m3vit.hw.quantised import Expert, Gate, LayerNorm, Mlp


def layers_of(package: Package) -> tuple[HlsLayer, ...]:
    """Every feed-forward layer of ``package`` with its LayerNorm, in order."""
    norm: Command | None = None
    gate: Command | None = None
    layers = []
    for command in package.commands:
        if command.op is Op.NORM:
            norm, gate = command, None
        elif command.op is Op.GATE:
            gate = command
        elif command.op is Op.EXPERTS and norm is not None:
            layers.append(_layer(package, norm, gate, command))
    return tuple(layers)


def layer_of(package: Package, name: str) -> HlsLayer:
    """The layer called ``name``.

    Raises:
        ConfigurationError: there is none; the message lists all.
    """
    layers = layers_of(package)
    for layer in layers:
        if layer.name == name:
            return layer
    names = ", ".join(layer.name for layer in layers)
    raise ConfigurationError(f"package {package.path} has no layer {name!r}; layers are {names}")


def gate_layer_of(layer: HlsLayer) -> HlsLayer:
    """The router of the mixture ``layer`` as a layer of its own, in the same memory.

    Raises:
        ConfigurationError: ``layer`` has no gate.
    """
    if not layer.gates:
        raise ConfigurationError(f"layer {layer.name} has no gate")
    return HlsLayer(
        name=layer.name.replace(Kind.MOE.value, Kind.GATE.value),
        kind=Kind.GATE,
        machine=layer.machine,
        tokens=layer.tokens,
        width=layer.width,
        top_k=layer.top_k,
        norm=None,
        gates=layer.gates,
        mlp=None,
        memory=layer.memory,
        addresses=layer.addresses,
    )


def _layer(package: Package, norm: Command, gate: Command | None, experts: Command) -> HlsLayer:
    identity = bool(experts.flags & Flag.IDENTITY)
    kind = Kind.MLP if identity else Kind.MOE
    return HlsLayer(
        name=f"block{experts.block}.{kind.value}",
        kind=kind,
        machine=package.machine,
        tokens=package.config.tokens,
        width=experts["width"],
        top_k=1 if gate is None else gate["top_k"],
        norm=_norm(package, norm),
        gates=() if gate is None else _gates(package, gate),
        mlp=_mlp(package, experts),
        memory=package.weights,
        addresses=Addresses(
            norm=norm["table"],
            gate=0 if gate is None else gate["weights"],
            gate_stride=0 if gate is None else gate["stride"],
            gelu=experts["gelu"],
            experts=experts["weights"],
            expert_stride=experts["stride"],
        ),
    )


def _norm(package: Package, command: Command) -> LayerNorm:
    data = memoryview(package.weights)[command["table"] :]
    return unpack_layernorm(data, command["width"], command["shift"], command["epsilon"])


def _gates(package: Package, command: Command) -> tuple[Gate, ...]:
    columns = natural_columns(package.machine, 2 * command["experts"])
    gates = []
    for task in range(len(package.config.tasks)):
        data = memoryview(package.weights)[command["weights"] + task * command["stride"] :]
        gates.append(join_gate(*unpack(data, command["width"], columns, package.machine, 0)))
    return tuple(gates)


def _mlp(package: Package, command: Command) -> Mlp:
    data = memoryview(package.weights)
    return Mlp(
        experts=tuple(_expert(package, command, e) for e in range(command["experts"])),
        gelu=unpack_gelu(data[command["gelu"] :]),
        guard_bits=command["guard"],
    )


def _expert(package: Package, command: Command, number: int) -> Expert:
    machine, width, hidden = package.machine, command["width"], command["hidden"]
    data = memoryview(package.weights)[command["weights"] + number * command["stride"] :]
    columns = natural_columns(machine, hidden)
    first, flags = unpack(data, width, columns, machine, command["shift1"])
    rest = data[linear_bytes(machine, width, hidden) :]
    columns = natural_columns(machine, width)
    second, _ = unpack(rest, hidden, columns, machine, command["shift2"])
    return Expert(fc1=first, fc2=second, hidden_class=(flags & 1).astype("uint8"))
