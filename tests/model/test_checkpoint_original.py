"""Checkpoints under the original code's names."""

import warnings
from pathlib import Path

import pytest
import torch

from m3vit.hw.config import GateKind, ModelConfig
from m3vit.hw.errors import CheckpointError
from m3vit.model.checkpoint import load_checkpoint
from tests.model.micro import TASKS, micro_config


def names_and_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """What the original code would save, written out from its modules."""
    d, e, h, hidden = config.width, config.experts, config.head_width, config.expert_hidden
    shapes: dict[str, tuple[int, ...]] = {
        "backbone.cls_token": (1, 1, d),
        "backbone.pos_embed": (1, config.tokens, d),
        "backbone.patch_embed.proj.weight": (d, 3, 16, 16),
        "backbone.patch_embed.proj.bias": (d,),
    }
    for n in range(config.blocks):
        block = f"backbone.blocks.{n}"
        for norm in ("norm1", "norm2"):
            shapes |= {f"{block}.{norm}.weight": (d,), f"{block}.{norm}.bias": (d,)}
        shapes |= {f"{block}.attn.qkv.weight": (3 * d, d), f"{block}.attn.qkv.bias": (3 * d,)}
        shapes |= {f"{block}.attn.proj.weight": (d, d), f"{block}.attn.proj.bias": (d,)}
        if n % 2 == 0:
            shapes |= {f"{block}.mlp.fc1.weight": (4 * d, d), f"{block}.mlp.fc1.bias": (4 * d,)}
            shapes |= {f"{block}.mlp.fc2.weight": (d, 4 * d), f"{block}.mlp.fc2.bias": (d,)}
            continue
        experts = f"{block}.mlp.experts"
        shapes |= {f"{experts}.htoh4.weight": (e, hidden, d), f"{experts}.htoh4.bias": (e, hidden)}
        shapes |= {f"{experts}.h4toh.weight": (e, d, hidden), f"{experts}.h4toh.bias": (e, d)}
        if config.gate is GateKind.MULTI:
            shapes |= {f"{block}.mlp.gate.{t}.w_gate": (d, e) for t in range(len(TASKS))}
        elif config.gate is GateKind.CONDITIONED:
            shapes[f"{block}.mlp.gate.w_gate"] = (d + config.gate_task_width, e)
        else:
            shapes[f"{block}.mlp.gate.w_gate"] = (d, e)
    if config.gate is GateKind.CONDITIONED:
        name, w = "backbone.gate_task_represent", config.gate_task_width
        shapes |= {f"{name}.fc1.weight": (w, len(TASKS)), f"{name}.fc1.bias": (w,)}
        shapes |= {f"{name}.fc2.weight": (w, w), f"{name}.fc2.bias": (w,)}
        shapes |= {f"{name}.norm.weight": (w,), f"{name}.norm.bias": (w,)}
    for task in TASKS:
        head = f"decoders.{task.name}"
        shapes |= {f"{head}.norm.weight": (d,), f"{head}.norm.bias": (d,)}
        for i in range(4):
            shapes |= {f"{head}.conv_{i}.weight": (h, h if i else d, 3, 3)}
            shapes |= {f"{head}.conv_{i}.bias": (h,), f"{head}.syncbn_fc_{i}.weight": (h,)}
            for key in ("bias", "running_mean", "running_var"):
                shapes[f"{head}.syncbn_fc_{i}.{key}"] = (h,)
        shapes |= {f"{head}.conv_4.weight": (task.channels, h, 1, 1)}
        shapes |= {f"{head}.conv_4.bias": (task.channels,)}
    return shapes


def original(config: ModelConfig) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {name: torch.rand(shape) for name, shape in names_and_shapes(config).items()}


@pytest.mark.parametrize("gate", list(GateKind))
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_every_wrapping_loads(
    tmp_path: Path, gate: GateKind, wrapper: str | None, prefix: str
) -> None:
    config = micro_config(gate=gate)
    state = original(config)
    content = {prefix + name: value for name, value in state.items()}
    torch.save({wrapper: content, "epoch": 3} if wrapper else content, tmp_path / "o.pth.tar")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found, loaded = load_checkpoint(tmp_path / "o.pth.tar", config)
    assert found is config
    assert all(torch.equal(loaded[name], value) for name, value in state.items())
    extra = set(loaded) - set(state)
    assert all(name.endswith("num_batches_tracked") for name in extra)


def test_backbone_keys_may_lack_their_prefix(tmp_path: Path) -> None:
    config = micro_config()
    state = original(config)
    torch.save({k.removeprefix("backbone."): v for k, v in state.items()}, tmp_path / "o.pth")
    loaded = load_checkpoint(tmp_path / "o.pth", config)[1]
    assert all(torch.equal(loaded[name], value) for name, value in state.items())


def test_what_has_no_use_is_named_in_a_warning(tmp_path: Path) -> None:
    config = micro_config()
    state = original(config) | {"tam_model0.layers0.0.weight": torch.zeros(3)}
    torch.save(state, tmp_path / "o.pth")
    with pytest.warns(UserWarning, match="not used: backbone.tam_model0.layers0.0.weight"):
        load_checkpoint(tmp_path / "o.pth", config)


def test_wrong_preset_names_the_shapes(tmp_path: Path) -> None:
    torch.save(original(micro_config()), tmp_path / "o.pth")
    with pytest.raises(CheckpointError, match=r"htoh4.bias is \[5, 32\], expected \[6, 32\]"):
        load_checkpoint(tmp_path / "o.pth", micro_config(experts=6))


def test_missing_heads_and_half_precision(tmp_path: Path) -> None:
    config = micro_config()
    state = {k: v.half() for k, v in original(config).items() if not k.startswith("decoders.edges")}
    torch.save({"model": state}, tmp_path / "o.pth")
    with pytest.raises(CheckpointError, match="missing: decoders.edges.norm.weight, "):
        load_checkpoint(tmp_path / "o.pth", config)


def test_code_in_a_pickle_is_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"state_dict": Trap()}, tmp_path / "o.pth")
    with pytest.raises(CheckpointError, match="read safely"):
        load_checkpoint(tmp_path / "o.pth", micro_config())
    assert not (tmp_path / "sprung").exists()


def test_something_else_saved_by_torch(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "o.pth")
    with pytest.raises(CheckpointError, match="holds a list, expected a state dict"):
        load_checkpoint(tmp_path / "o.pth", micro_config())
