"""The float network that a package was quantised from; packages hold integers alone."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from m3vit.hw.commands.fields import Op, Store
from m3vit.hw.errors import CheckpointError, DeviceError, M3vitError
from m3vit.hw.formats import Int16
from m3vit.hw.package import Package
from m3vit.model.checkpoint import load_network
from m3vit.model.network import M3ViT

SHIPPED = Path(__file__).parents[1] / "checkpoints"


def network_of(package: Package, checkpoint: Path | None) -> M3ViT:
    """The network of ``checkpoint``, or of the shipped one that the package was made from.

    Raises:
        CheckpointError: the named checkpoint cannot be read or is not the package's.
        DeviceError: none is named and no shipped one is the package's.
    """
    if checkpoint is not None:
        network = load_network(checkpoint, package.config)
        if not is_source(network, package):
            raise CheckpointError(
                f"{checkpoint} is not what package {package.path} was made from: positions "
                "differ; name the checkpoint given to `m3vit quantize`"
            )
        return network
    found = next(_shipped(package), None)
    if found is None:
        raise DeviceError(
            f"package {package.path} holds integers only and no shipped checkpoint is its source; "
            "say --device cuda:CHECKPOINT"
        )
    return found


def _shipped(package: Package) -> Iterator[M3ViT]:
    for path in sorted(SHIPPED.glob("*.npz")):
        try:
            network = load_network(path, package.config)
        except M3vitError:
            continue  # of another configuration
        if is_source(network, package):
            yield network


def is_source(network: M3ViT, package: Package) -> bool:
    """Whether the network's patch positions round to the package's, every one of them.

    The class token's row also holds the class token and may be rounded in another precision.
    """
    table = network.backbone.pos_embed.detach()[0, 1:].double().numpy()
    codes = np.floor(table * 2.0**package.residual_fraction + 0.5)
    return np.array_equal(codes, _positions(package)[1:])


def _positions(package: Package) -> Int16:
    config = package.config
    load = next(c for c in package.commands if c.op is Op.DMA and c.dst is Store.RES)
    data = memoryview(package.weights)[load["address"] :]
    table = np.frombuffer(data, "<i2", config.tokens * config.width)
    return table.reshape(config.tokens, config.width).astype(np.int16)
