import pytest
import torch

from m3vit.hw.cost.macs import Layer, encoder_costs
from m3vit.hw.presets import model_preset
from m3vit.model.gpu.bench.layer import flops_of, least_bytes
from m3vit.model.gpu.bench.roofline import Roofline, measure_roofline


def test_the_slower_of_memory_and_arithmetic_bounds() -> None:
    roofline = Roofline(bytes_per_s=1e9, flops_per_s=1e12)
    assert roofline.bound_ms(2e9, 1e6) == pytest.approx(2.0)
    assert roofline.bound_ms(2e6, 3e6) == pytest.approx(3.0)
    assert roofline.fraction(2e9, 1e6, 4.0) == pytest.approx(0.5)


def test_rates_are_measured_on_any_device() -> None:
    sizes = {"copy_bytes": 1 << 20, "side": 64, "repeats": 3}
    roofline = measure_roofline(torch.device("cpu"), torch.float32, **sizes)
    assert roofline.bytes_per_s > 1e6 and roofline.flops_per_s > 1e6


@pytest.mark.parametrize("name", ["tiny-cityscapes", "tiny-cityscapes-k2", "small-nyud"])
def test_work_of_a_layer_is_that_of_the_cost_model(name: str) -> None:
    config = model_preset(name)
    costs = [cost for cost in encoder_costs(config) if cost.block == 1]
    own = [cost for cost in costs if cost.layer in (Layer.GATE, Layer.EXPERTS)]
    assert flops_of(config, config.tokens) == 2 * sum(cost.macs for cost in own)
    weights = next(cost.weight_bytes for cost in own if cost.layer is Layer.EXPERTS)
    moved = 3 * config.tokens * config.width
    assert least_bytes(config, config.tokens, 1) == weights + moved
    assert least_bytes(config, 1, 1) < weights, "one token cannot use all experts"
