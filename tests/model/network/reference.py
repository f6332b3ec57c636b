"""The network once more, in numpy float64 and by its definition: token by token, tap by tap."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from m3vit.hw.config import GateKind, ModelConfig

Array = NDArray[np.float64]


def layer_norm(x: Array, weights: dict[str, Array], name: str) -> Array:
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    normed = (x - mean) / np.sqrt(variance + 1e-6)
    return normed * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def gelu(x: Array) -> Array:
    return x * (1 + erf(x / np.sqrt(2))) / 2


def softmax(x: Array) -> Array:
    raised = np.exp(x - x.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


def linear(x: Array, weights: dict[str, Array], name: str) -> Array:
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def embed(config: ModelConfig, weights: dict[str, Array], image: Array) -> Array:
    """Image [3, H, W] to tokens [T, width]."""
    kernel = weights["backbone.patch_embed.proj.weight"]
    rows, columns = config.grid
    tokens = [weights["backbone.cls_token"][0, 0]]
    for r in range(rows):
        for c in range(columns):
            p = config.patch
            patch = image[:, r * p : (r + 1) * p, c * p : (c + 1) * p]
            tokens.append((kernel * patch).sum((1, 2, 3)))
            tokens[-1] = tokens[-1] + weights["backbone.patch_embed.proj.bias"]
    return np.stack(tokens) + weights["backbone.pos_embed"][0]


def attend(config: ModelConfig, weights: dict[str, Array], x: Array, name: str) -> Array:
    q, k, v = np.split(linear(x, weights, f"{name}.qkv"), 3, axis=-1)
    outputs = []
    for head in range(config.heads):
        part = slice(head * config.head_dim, (head + 1) * config.head_dim)
        scores = q[:, part] @ k[:, part].T * config.head_dim**-0.5
        outputs.append(softmax(scores) @ v[:, part])
    return linear(np.concatenate(outputs, -1), weights, f"{name}.proj")


def task_feature(config: ModelConfig, weights: dict[str, Array], task: int) -> Array:
    name = "backbone.gate_task_represent"
    hidden = gelu(linear(np.eye(len(config.tasks))[task], weights, f"{name}.fc1"))
    return layer_norm(linear(hidden, weights, f"{name}.fc2"), weights, f"{name}.norm")


def mix_experts(config: ModelConfig, weights: dict[str, Array], x: Array, name: str, task: int):
    """Every token through its best experts, one at a time; returns (output, choices)."""
    multi = config.gate is GateKind.MULTI
    gate = weights[f"{name}.gate.{task}.w_gate" if multi else f"{name}.gate.w_gate"]
    first, second = f"{name}.experts.htoh4", f"{name}.experts.h4toh"
    output, choices = np.zeros_like(x), []
    for t, token in enumerate(x):
        seen = token
        if config.gate is GateKind.CONDITIONED:
            seen = np.concatenate((token, task_feature(config, weights, task)))
        share = softmax(seen @ gate)
        best = sorted(range(config.experts), key=lambda e: (-share[e], e))[: config.top_k]
        choices.append(best)
        for e in best:
            hidden = weights[f"{first}.weight"][e] @ token + weights[f"{first}.bias"][e]
            result = weights[f"{second}.weight"][e] @ gelu(hidden) + weights[f"{second}.bias"][e]
            output[t] += share[e] * result
    return output, choices


def encode(config: ModelConfig, weights: dict[str, Array], image: Array, task: int) -> Array:
    x = embed(config, weights, image)
    for number in range(config.blocks):
        name = f"backbone.blocks.{number}"
        normed = layer_norm(x, weights, f"{name}.norm1")
        x = x + attend(config, weights, normed, f"{name}.attn")
        normed = layer_norm(x, weights, f"{name}.norm2")
        if config.is_moe(number):
            x = x + mix_experts(config, weights, normed, f"{name}.mlp", task)[0]
        else:
            hidden = gelu(linear(normed, weights, f"{name}.mlp.fc1"))
            x = x + linear(hidden, weights, f"{name}.mlp.fc2")
    return x


def convolve(x: Array, kernel: Array, bias: Array) -> Array:
    """3x3 convolution of [C, H, W], zero padding, as a sum over taps of shifted products."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    height, width = x.shape[1:]
    total = np.zeros((len(kernel), height, width))
    for dy in range(3):
        for dx in range(3):
            shifted = padded[:, dy : dy + height, dx : dx + width]
            total += np.tensordot(kernel[:, :, dy, dx], shifted, 1)
    return total + bias[:, None, None]


def double(x: Array) -> Array:
    """Twice as many rows and columns: 3/4 of the nearer, 1/4 of the farther, edges repeated."""
    for axis in (1, 2):
        size = x.shape[axis]
        before = np.take(x, np.maximum(np.arange(size) - 1, 0), axis)
        after = np.take(x, np.minimum(np.arange(size) + 1, size - 1), axis)
        pairs = np.stack((0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after), axis + 1)
        shape = list(x.shape)
        shape[axis] *= 2
        x = pairs.reshape(shape)
    return x


def batch_norm(x: Array, weights: dict[str, Array], name: str) -> Array:
    def of(key: str) -> Array:
        return weights[f"{name}.{key}"][:, None, None]

    normed = (x - of("running_mean")) / np.sqrt(of("running_var") + 1e-5)
    return normed * of("weight") + of("bias")


def predict(config: ModelConfig, weights: dict[str, Array], image: Array, task: str) -> Array:
    """Image [3, H, W] to prediction [channels, H, W]."""
    tokens = encode(config, weights, image, config.task_index(task))
    name = f"decoders.{task}"
    normed = layer_norm(tokens[1:], weights, f"{name}.norm")
    x = normed.T.reshape(config.width, *config.grid)
    for i in range(4):
        x = convolve(x, weights[f"{name}.conv_{i}.weight"], weights[f"{name}.conv_{i}.bias"])
        x = np.maximum(batch_norm(x, weights, f"{name}.syncbn_fc_{i}"), 0)
        x = double(x) if i < 3 else x
    kernel, bias = weights[f"{name}.conv_4.weight"], weights[f"{name}.conv_4.bias"]
    return double(np.tensordot(kernel[:, :, 0, 0], x, 1) + bias[:, None, None])
