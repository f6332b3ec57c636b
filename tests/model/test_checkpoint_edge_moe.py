"""Edge-MoE's folder of raw arrays."""

from pathlib import Path

import numpy as np
import pytest
import torch

from m3vit.hw.config import ModelConfig
from m3vit.hw.errors import CheckpointError
from m3vit.model.checkpoint import load_checkpoint, load_network
from m3vit.model.images import normalise
from tests.model.micro import TASKS, micro_config

CONFIG = micro_config(tasks=TASKS[:2], expert_ratio=2)


def write(folder: Path, config: ModelConfig = CONFIG) -> dict[str, np.ndarray]:
    """Every file that its test bench reads, with random values."""
    rng = np.random.default_rng(0)
    d, e, hidden = config.width, config.experts, config.expert_hidden
    shapes: dict[str, tuple[int, ...]] = {
        "patch_embed_weight": (d, 3, 16, 16),
        "patch_embed_bias": (d,),
        "pos_embed": (config.tokens, d),
    }
    for n in range(config.blocks):
        shapes |= {f"l{n}_norm1_weight": (d,), f"l{n}_norm1_bias": (d,)}
        shapes |= {f"l{n}_norm2_weight": (d,), f"l{n}_norm2_bias": (d,)}
        shapes |= {f"l{n}_qkv_weight": (3 * d, d), f"l{n}_qkv_bias": (3 * d,)}
        shapes |= {f"l{n}_attn_proj_weight": (d, d), f"l{n}_attn_proj_bias": (d,)}
        if n % 2 == 0:
            shapes |= {f"l{n}_fc1_weight": (4 * d, d), f"l{n}_fc1_bias": (4 * d,)}
            shapes |= {f"l{n}_fc2_weight": (d, 4 * d), f"l{n}_fc2_bias": (d,)}
        else:
            shapes |= {f"l{n}_htoh4_weight": (e, hidden, d), f"l{n}_htoh4_bias": (e, hidden)}
            shapes |= {f"l{n}_h4toh_weight": (e, d, hidden), f"l{n}_h4toh_bias": (e, d)}
            shapes |= {f"l{n}_w_gate_T_task0": (e, d), f"l{n}_w_gate_T_task1": (e, d)}
    folder.mkdir()
    values = {name: rng.normal(size=shape).astype("<f4") for name, shape in shapes.items()}
    for name, value in values.items():
        value.tofile(folder / f"{name}.float32.bin")
    return values


def test_every_file_lands_where_it_belongs(tmp_path: Path) -> None:
    values = write(tmp_path / "weights")
    with pytest.warns(UserWarning, match="task heads are absent"):
        config, state = load_checkpoint(tmp_path / "weights", CONFIG)
    assert config is CONFIG
    block = "backbone.blocks"
    for name, ours in (
        ("l0_qkv_weight", f"{block}.0.attn.qkv.weight"),
        ("l2_fc2_bias", f"{block}.2.mlp.fc2.bias"),
        ("l1_htoh4_weight", f"{block}.1.mlp.experts.htoh4.weight"),
        ("l3_h4toh_bias", f"{block}.3.mlp.experts.h4toh.bias"),
    ):
        np.testing.assert_array_equal(state[ours].numpy(), values[name])
    gate = state[f"{block}.3.mlp.gate.1.w_gate"].numpy()
    np.testing.assert_array_equal(gate, values["l3_w_gate_T_task1"].T)
    np.testing.assert_array_equal(state["backbone.pos_embed"][0].numpy(), values["pos_embed"])
    assert not state["backbone.cls_token"].any()


def test_pixels_enter_as_the_weights_expect(tmp_path: Path) -> None:
    values = write(tmp_path / "weights")
    with pytest.warns(UserWarning):
        network = load_network(tmp_path / "weights", CONFIG).double()
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (1, 3, CONFIG.image_height, CONFIG.image_width), dtype=np.uint8)
    seen: dict[str, torch.Tensor] = {}
    x = normalise(torch.from_numpy(pixels)).double()
    network.features(x, "depth", observe=lambda n, b, v, e: seen.setdefault(n, v))
    patch = pixels[0, :, 16:32, 16:32] / 256
    expected = np.tensordot(values["patch_embed_weight"].astype(float), patch, 3)
    expected += values["patch_embed_bias"] + values["pos_embed"][5]
    np.testing.assert_allclose(seen["embed"][0, 5].detach().numpy(), expected, atol=1e-4)
    np.testing.assert_array_equal(
        seen["embed"][0, 0].detach().numpy(), values["pos_embed"][0].astype(float)
    )


def test_absent_experts_are_named_and_replaced_alike_every_time(tmp_path: Path) -> None:
    write(tmp_path / "weights")
    (tmp_path / "weights" / "l3_htoh4_weight.float32.bin").unlink()
    (tmp_path / "weights" / "l1_h4toh_weight.float32.bin").unlink()
    states = []
    for _ in range(2):
        named = "expert files l1_h4toh_weight.float32.bin, l3_htoh4_weight.float32.bin are absent"
        with pytest.warns(UserWarning, match=f"{named.replace(' are', '.* are')}"):
            states.append(load_checkpoint(tmp_path / "weights", CONFIG)[1])
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())


def test_other_absences_sizes_and_presets_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "weights")
    with pytest.raises(CheckpointError, match="use tiny-cityscapes-k2"):
        load_checkpoint(tmp_path / "weights", CONFIG.dense_twin())
    bias = tmp_path / "weights" / "l0_fc1_bias.float32.bin"
    bias.write_bytes(bias.read_bytes()[:-4])
    with pytest.raises(CheckpointError, match="l0_fc1_bias.* has 508 bytes, expected 512"):
        load_checkpoint(tmp_path / "weights", CONFIG)
    bias.unlink()
    with pytest.raises(CheckpointError, match="lacks l0_fc1_bias.float32.bin; expected Edge-MoE's"):
        load_checkpoint(tmp_path / "weights", CONFIG)
    np.full(4 * CONFIG.width, np.nan, "<f4").tofile(bias)
    with (
        pytest.raises(CheckpointError, match="not finite: backbone.blocks.0.mlp.fc1.bias"),
        pytest.warns(UserWarning),
    ):
        load_checkpoint(tmp_path / "weights", CONFIG)
