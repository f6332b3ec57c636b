"""The float encoder equals the network that it was made from."""

import pytest
import torch

from m3vit.hw.config import GateKind
from m3vit.model.gpu.float_encoder import FloatEncoder
from m3vit.model.images import normalise
from tests.model.kernels.both import BOTH, DEVICE, implementation
from tests.model.micro import micro_config, rough


def pixels(batch: int) -> torch.Tensor:
    config = micro_config()
    shape = (batch, 3, config.image_height, config.image_width)
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(3)).byte()


@BOTH
@pytest.mark.parametrize("kind", list(GateKind))
def test_equals_the_float64_network_for_switching_tasks(name: str, kind: GateKind) -> None:
    network = rough(micro_config(gate=kind))
    encoder = FloatEncoder(network, DEVICE, torch.float32, implementation(name))
    images = pixels(2)
    for task in (0, 3, 0) if name == "plain" else (3,):
        task_name = network.config.task_names[task]
        with torch.no_grad():
            expected = network.features(normalise(images).double(), task_name)
            picture = network(normalise(images).double(), task_name)
        got = encoder.features(images.to(DEVICE), task).double().cpu()
        # float32 through four blocks: a few hundred roundings of the largest value
        assert (got - expected).abs().max() <= 300 * 2**-24 * expected.abs().max()
        got = encoder.predict(images.to(DEVICE), task).double().cpu()
        assert (got - picture).abs().max() <= 1000 * 2**-24 * picture.abs().max()


@pytest.mark.parametrize(("kind", "digits"), [(torch.bfloat16, 8), (torch.float16, 11)])
def test_reduced_precision_stays_near_on_average(kind: torch.dtype, digits: int) -> None:
    network = rough(micro_config(top_k=5))  # all experts: no token can choose others by rounding
    images = pixels(2)
    with torch.no_grad():
        expected = network.features(normalise(images).double(), "depth")
    got = FloatEncoder(network, DEVICE, kind).features(images.to(DEVICE), 1)
    assert got.dtype == kind
    error = (got.double().cpu() - expected).square().mean().sqrt()
    assert error <= 10 * 2.0**-digits * expected.square().mean().sqrt()


def test_dense_twin_needs_no_gate() -> None:
    network = rough(micro_config(moe=False))
    images = pixels(1)
    with torch.no_grad():
        expected = network.features(normalise(images).double(), "depth")
    got = FloatEncoder(network, DEVICE, torch.float32).features(images.to(DEVICE), 1)
    assert (got.double().cpu() - expected).abs().max() <= 300 * 2**-24 * expected.abs().max()


def test_the_network_is_left_as_it_was() -> None:
    network = rough(micro_config())
    FloatEncoder(network, DEVICE, torch.bfloat16)
    assert {value.dtype for value in network.parameters()} == {torch.float64}
