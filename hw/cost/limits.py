"""Whether a network fits a machine's stores, said in sentences."""

from m3vit.hw.config import ModelConfig
from m3vit.hw.cost.stores import ACTIVATION_BANKS, ACTIVATION_CHANNELS, HEAD_DIM_LIMIT
from m3vit.hw.layout.sizes import aligned, panel_bytes
from m3vit.hw.machine import MachineConfig

STORE_ROW = ACTIVATION_BANKS * ACTIVATION_CHANNELS
"""Channels of a row of XN, QOH and RES: all their banks side by side."""


def _needs(config: ModelConfig, machine: MachineConfig) -> list[tuple[str, int, int]]:
    """(what, needed, available)."""
    tokens, moe = config.tokens, bool(config.moe_blocks)
    hidden = max(config.width, config.expert_hidden if moe else 0)
    inner = max(config.patch_elements, hidden)
    needs = [
        ("tokens", tokens, machine.max_tokens),
        ("width", config.width, machine.max_width),
        ("hidden units of an expert", hidden, max(machine.max_width, config.patch_elements)),
        (
            "bytes of tokens x width or hidden, in whole rows",
            (tokens + 1) // 2 * 2 * aligned(hidden, STORE_ROW),
            aligned(machine.activation_bytes, STORE_ROW),
        ),
        ("channels of a head", config.head_dim, HEAD_DIM_LIMIT),
        (
            "bytes of the largest panel in the weight ring",
            panel_bytes(machine, inner),
            machine.ring_bytes,
        ),
    ]
    if moe:
        needs.append(("experts", config.experts, machine.max_experts))
        needs.append(("experts a token", config.top_k, machine.max_top_k))
    return needs


def exceeded_limits(config: ModelConfig, machine: MachineConfig) -> tuple[str, ...]:
    """What of ``config`` is beyond ``machine``, one sentence each; empty if everything fits."""
    sentences = [
        f"{what}: {needed} needed, {available} available"
        for what, needed, available in _needs(config, machine)
        if needed > available
    ]
    if not machine.attention_pairs(config.tokens):
        sentences.append(
            f"score words: one token pair needs more than half of the "
            f"{machine.score_words} words for {config.tokens} keys"
        )
    return tuple(sentences)
