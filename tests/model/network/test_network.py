"""The whole network against its definition, and what single-task inference may touch."""

import numpy as np
import pytest
import torch

from m3vit.hw.config import GateKind
from m3vit.hw.errors import ConfigurationError
from m3vit.model.network import M3ViT
from tests.model.micro import TASKS, images, micro_config, rough
from tests.model.network.reference import encode, predict

GATES = [GateKind.SINGLE, GateKind.MULTI, GateKind.CONDITIONED]


def arrays(network: M3ViT) -> dict[str, np.ndarray]:
    return {key: value.numpy() for key, value in network.state_dict().items()}


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("moe", [True, False])
def test_prediction_equals_the_definition(gate: GateKind, moe: bool) -> None:
    config = micro_config(gate=gate, moe=moe)
    network, x = rough(config), images(config)
    for task in ("depth", "segmentation"):
        with torch.no_grad():
            tokens, prediction = network.features(x, task), network(x, task)
        for i in range(len(x)):
            number = config.task_index(task)
            expected = encode(config, arrays(network), x[i].numpy(), number)
            np.testing.assert_allclose(tokens[i].numpy(), expected, rtol=0, atol=1e-10)
            expected = predict(config, arrays(network), x[i].numpy(), task)
            np.testing.assert_allclose(prediction[i].numpy(), expected, rtol=0, atol=1e-10)


def test_key_names_are_the_original_codes() -> None:
    keys = set(M3ViT(micro_config()).state_dict())
    assert {
        "backbone.cls_token",
        "backbone.pos_embed",
        "backbone.patch_embed.proj.weight",
        "backbone.blocks.0.norm1.weight",
        "backbone.blocks.0.attn.qkv.bias",
        "backbone.blocks.0.mlp.fc1.weight",
        "backbone.blocks.1.mlp.experts.htoh4.weight",
        "backbone.blocks.1.mlp.experts.h4toh.bias",
        "backbone.blocks.1.mlp.gate.4.w_gate",
        "decoders.depth.norm.weight",
        "decoders.depth.conv_0.weight",
        "decoders.depth.syncbn_fc_3.running_var",
        "decoders.depth.conv_4.bias",
    } <= keys
    conditioned = M3ViT(micro_config(gate=GateKind.CONDITIONED)).state_dict()
    assert conditioned["backbone.blocks.1.mlp.gate.w_gate"].shape == (32 + 16, 5)
    assert conditioned["backbone.gate_task_represent.fc1.weight"].shape == (16, len(TASKS))
    assert conditioned["backbone.gate_task_represent.norm.weight"].shape == (16,)


def test_shapes_of_the_stacked_experts() -> None:
    state = M3ViT(micro_config(expert_ratio=2)).state_dict()
    assert state["backbone.blocks.1.mlp.experts.htoh4.weight"].shape == (5, 64, 32)
    assert state["backbone.blocks.1.mlp.experts.h4toh.weight"].shape == (5, 32, 64)
    assert state["backbone.blocks.1.mlp.gate.0.w_gate"].shape == (32, 5)


def test_one_task_needs_only_its_gate_its_experts_and_its_head() -> None:
    config = micro_config()
    network, x = rough(config), images(config, batch=1)
    used: dict[int, set[int]] = {}

    def note(name: str, block: int, value: torch.Tensor, expert: int | None) -> None:
        if name == "topk":
            used[block] = set(value.flatten().tolist())

    with torch.no_grad():
        expected = network(x, "depth", observe=note)
        for name, value in network.named_parameters():
            if name.startswith("decoders.") and not name.startswith("decoders.depth."):
                value.fill_(torch.nan)
            if ".gate." in name and ".gate.1." not in name:
                value.fill_(torch.nan)
            if ".experts." in name:
                block = int(name.split(".")[2])
                for expert in set(range(config.experts)) - used[block]:
                    value[expert] = torch.nan
        assert any(len(live) < config.experts for live in used.values())
        assert torch.equal(network(x, "depth"), expected)


def test_unknown_task_and_wrong_image_size_are_one_clear_line() -> None:
    config = micro_config()
    network = rough(config)
    with pytest.raises(ConfigurationError, match="unknown task 'colour'; micro has segmentation"):
        network(images(config), "colour")
    with pytest.raises(ConfigurationError, match=r"shape \(2, 3, 48, 32\).*\[batch, 3, 32, 48\]"):
        network(images(config).transpose(2, 3), "depth")


def test_a_batch_equals_its_images_one_by_one() -> None:
    config = micro_config()
    network, x = rough(config), images(config, batch=3)
    with torch.no_grad():
        alone = torch.cat([network(x[i : i + 1], "normals") for i in range(3)])
        torch.testing.assert_close(network(x, "normals"), alone, rtol=0, atol=1e-11)


def test_imposed_routes_replace_the_gates() -> None:
    config = micro_config()
    network, x = rough(config), images(config)
    recorded: dict[int, dict[str, torch.Tensor]] = {1: {}, 3: {}}

    def note(name: str, block: int, value: torch.Tensor, expert: int | None) -> None:
        if name in ("topk", "weights"):
            recorded[block][name] = value

    with torch.no_grad():
        expected = network.features(x, "edges", observe=note)
        route = {b: (r["topk"], r["weights"]) for b, r in recorded.items()}
        assert torch.equal(network.features(x, "edges", route=route), expected)
        assert not torch.equal(network.features(x, "depth"), expected)
        imposed = network.features(x, "depth", route=route)
        assert torch.equal(imposed, expected), "routes are all that tells tasks apart"


def test_observer_sees_every_value_by_its_name_and_shape() -> None:
    config = micro_config()
    network, x = rough(config), images(config)
    seen: dict[tuple[str, int], list[tuple[int | None, torch.Tensor]]] = {}

    def note(name: str, block: int, value: torch.Tensor, expert: int | None) -> None:
        seen.setdefault((name, block), []).append((expert, value))

    with torch.no_grad():
        network(x, "depth", observe=note)
    tokens, width = config.tokens, config.width
    for block in range(config.blocks):
        for name in ("ln1", "q", "k", "v", "attention", "mid", "ln2", "out"):
            assert seen[name, block][0][1].shape == (2, tokens, width)
    assert seen["embed", 0][0][1].shape == (2, tokens, width)
    assert seen["hidden", 0][0][1].shape == (2, tokens, config.mlp_hidden)
    for block in config.moe_blocks:
        assert seen["logits", block][0][1].shape == (2, tokens, config.experts)
        topk = seen["topk", block][0][1]
        assert topk.shape == (2, tokens, config.top_k) and topk.dtype == torch.int64
        assert seen["weights", block][0][1].shape == (2, tokens, config.top_k)
        counts = torch.bincount(topk.flatten(), minlength=config.experts)
        rows = {expert: len(value) for expert, value in seen["expert_hidden", block]}
        assert rows == {e: int(c) for e, c in enumerate(counts) if c}
        assert [e for e, _ in seen["expert_out", block]] == sorted(rows)
    assert [seen[f"head_{i}", -1][0][1].shape[-2:] for i in range(4)] == [
        (2 * 2**i, 3 * 2**i) for i in range(4)
    ]
    assert seen["head_ln", -1][0][1].shape == (2, tokens - 1, width)
    assert seen["head_logits", -1][0][1].shape == (2, 1, 16, 24)


def test_dense_twin_has_the_macs_of_the_experts_used() -> None:
    config = micro_config(expert_ratio=2)
    twin = M3ViT(config.dense_twin()).state_dict()
    assert twin["backbone.blocks.1.mlp.fc1.weight"].shape == (2 * 64, 32)
    assert not [key for key in twin if "gate" in key or "experts" in key]
