"""Number of parameters of the float network, to compare models by."""

from m3vit.hw.config import GateKind, ModelConfig, TaskConfig
from m3vit.hw.cost.macs import HEAD_CONVOLUTIONS


def _mlp(width: int, hidden: int) -> int:
    return 2 * width * hidden + hidden + width


def _gates(config: ModelConfig) -> int:
    """Gates of one block; they have no bias."""
    if config.gate is GateKind.CONDITIONED:
        return (config.width + config.gate_task_width) * config.experts
    copies = len(config.tasks) if config.gate is GateKind.MULTI else 1
    return copies * config.width * config.experts


def _task_embedding(config: ModelConfig) -> int:
    """One-hot -> linear -> GELU -> linear -> LayerNorm, shared by all blocks."""
    if not config.moe_blocks or config.gate is not GateKind.CONDITIONED:
        return 0
    size = config.gate_task_width
    return (len(config.tasks) + 1) * size + (size + 1) * size + 2 * size


def encoder_parameters(config: ModelConfig) -> int:
    """Weights, biases, LayerNorms, class token and position table of the encoder."""
    width = config.width
    total = (config.patch_elements + 1) * width + (config.tokens + 1) * width
    for block in range(config.blocks):
        total += 4 * width * (width + 1) + 4 * width
        if config.is_moe(block):
            total += config.experts * _mlp(width, config.expert_hidden) + _gates(config)
        else:
            total += _mlp(width, config.dense_hidden(block))
    return total + _task_embedding(config)


def head_parameters(config: ModelConfig, task: TaskConfig) -> int:
    """LayerNorm, convolutions with bias and batch normalisation of one head."""
    inner, total = config.width, 2 * config.width
    for _ in range(HEAD_CONVOLUTIONS):
        total += (9 * inner + 3) * config.head_width
        inner = config.head_width
    return total + (inner + 1) * task.channels


def parameters(config: ModelConfig) -> int:
    """Encoder and all heads."""
    return encoder_parameters(config) + sum(head_parameters(config, task) for task in config.tasks)
