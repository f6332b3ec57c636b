"""Our checkpoint file: exact round trips, and one clear line for everything that is wrong."""

from pathlib import Path

import numpy as np
import pytest
import torch

from m3vit.hw.config import GateKind
from m3vit.hw.errors import CheckpointError, ConfigurationError
from m3vit.model.checkpoint import load_checkpoint, load_network, save_checkpoint
from m3vit.model.network import M3ViT
from tests.model.micro import images, micro_config


def saved(folder: Path, change=None, half: bool = False) -> Path:
    config = micro_config()
    torch.manual_seed(5)
    state = dict(M3ViT(config).state_dict())
    if change:
        change(state)
    return save_checkpoint(folder / "micro.npz", config, state, half)


@pytest.mark.parametrize("gate", list(GateKind))
@pytest.mark.parametrize("moe", [True, False])
def test_round_trip_is_exact(tmp_path: Path, gate: GateKind, moe: bool) -> None:
    config = micro_config(gate=gate, moe=moe)
    network = M3ViT(config).eval()
    path = save_checkpoint(tmp_path / "micro.npz", config, network.state_dict())
    found, state = load_checkpoint(path)
    assert found == config and found.digest == config.digest
    assert list(state) == list(network.state_dict())
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    x = images(config).float()
    with torch.no_grad():
        assert torch.equal(load_network(path)(x, "depth"), network(x, "depth"))


def test_half_rounds_matrices_only(tmp_path: Path) -> None:
    whole = load_checkpoint(saved(tmp_path))[1]
    half = load_checkpoint(saved(tmp_path, half=True))[1]
    for key, value in whole.items():
        expected = value.half().float() if value.ndim >= 2 else value
        assert torch.equal(half[key], expected), key


def test_missing_misshapen_and_non_finite_keys_are_named(tmp_path: Path) -> None:
    def damage(state: dict[str, torch.Tensor]) -> None:
        del state["backbone.blocks.0.mlp.fc1.bias"]
        state["decoders.depth.conv_4.bias"] = torch.zeros(2)
        state["backbone.pos_embed"][0, 1, 2] = torch.nan
        state["backbone.cls_token"][0, 0, 0] = torch.inf

    with pytest.raises(CheckpointError) as error:
        load_checkpoint(saved(tmp_path, damage))
    text = str(error.value)
    assert "missing: backbone.blocks.0.mlp.fc1.bias;" in text
    assert "decoders.depth.conv_4.bias is [2], expected [1]" in text
    assert "not finite: backbone.cls_token, backbone.pos_embed" in text
    assert "\n" not in text


def test_many_missing_keys_are_counted(tmp_path: Path) -> None:
    def damage(state: dict[str, torch.Tensor]) -> None:
        for key in [key for key in state if ".experts." in key]:
            del state[key]

    with pytest.raises(CheckpointError, match=r"htoh4.weight, .*, \.\.\. \(8 in all\)"):
        load_checkpoint(saved(tmp_path, damage))


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_truncated_files_are_refused(tmp_path: Path, keep: float) -> None:
    path = saved(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if keep < 1 else int(keep)])
    with pytest.raises(CheckpointError, match="truncated or no checkpoint"):
        load_checkpoint(path)


def test_flipped_bytes_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(CheckpointError):
        load_checkpoint(path)


def test_absent_foreign_and_wrongly_claimed_files(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nothing.npz does not exist"):
        load_checkpoint(tmp_path / "nothing.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_checkpoint(tmp_path / "other.npz")
    with pytest.raises(CheckpointError, match="holds micro, expected other"):
        load_checkpoint(saved(tmp_path), micro_config(name="other"))
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(CheckpointError, match="name the preset"):
        load_checkpoint(tmp_path / "text.pth")
    with pytest.raises(CheckpointError, match="no checkpoint that torch can read"):
        load_checkpoint(tmp_path / "text.pth", micro_config())


def test_a_configuration_that_cannot_be(tmp_path: Path) -> None:
    path = saved(tmp_path)
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays["__config__"] = np.array(str(arrays["__config__"]).replace('"heads": 2', '"heads": 5'))
    np.savez(path, **arrays)
    with pytest.raises(ConfigurationError, match="width/heads"):
        load_checkpoint(path)
