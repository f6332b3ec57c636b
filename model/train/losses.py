"""One loss a kind of task, each a mean over the pixels that count."""

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional as F

from m3vit.hw.config import TaskKind

IGNORE = 255
EDGE_POSITIVE_WEIGHT = 0.95

ORIGINAL_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "segmentation": 1.0,
        "parts": 2.0,
        "depth": 1.0,
        "normals": 10.0,
        "edges": 50.0,
        "saliency": 5.0,
    }
)
"""Weights of the original's PASCAL-Context and NYUD recipes."""

SCENE_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "segmentation": 1.5,
        "parts": 2.0,
        "depth": 4.0,
        "normals": 7.0,
        "edges": 60.0,
        "saliency": 5.0,
    }
)
"""Weights for rendered scenes: each task then moves the shared encoder about as much (with the
original's, depth's gradient there was a tenth of the normals')."""

BERHU_SHARE = 0.2


def _masked_mean(values: Tensor, valid: Tensor) -> Tensor:
    return (values * valid).sum() / valid.sum().clamp(min=1)


def cross_entropy(prediction: Tensor, target: Tensor) -> Tensor:
    """Logits [B, C, H, W] against classes [B, H, W], 255 ignored; 0 when all are ignored."""
    losses = F.cross_entropy(prediction, target.long(), ignore_index=IGNORE, reduction="none")
    return _masked_mean(losses, (target != IGNORE).to(losses.dtype))


def weighted_binary(prediction: Tensor, target: Tensor, positive: Tensor | float) -> Tensor:
    """Binary cross-entropy of logits [B, 1, H, W], classes weighted p and 1 - p, 255 ignored."""
    valid = (target != IGNORE).to(prediction.dtype)
    truth = (target == 1).to(prediction.dtype)
    losses = F.binary_cross_entropy_with_logits(prediction[:, 0], truth, reduction="none")
    weights = truth * positive + (1 - truth) * (1 - positive)
    return _masked_mean(losses * weights, valid)


def balanced_binary(prediction: Tensor, target: Tensor) -> Tensor:
    """Each class weighted with the other's share in the batch (Xie and Tu, HED, 2015)."""
    positives = (target == 1).sum()
    valid = (target != IGNORE).sum().clamp(min=1)
    return weighted_binary(prediction, target, 1 - positives / valid)


def depth_berhu(prediction: Tensor, target: Tensor) -> Tensor:
    """Reverse Huber error of [B, 1, H, W] in metres, where the target [B, H, W] is above 0.

    Absolute error e up to c, (e² + c²) / 2c beyond, with c a fifth of the largest error (Laina et
    al., 2016).  The plain absolute error of the original gives up on the few far pixels that
    dominate the RMSE.
    """
    valid = (target > 0).to(prediction.dtype)
    error = (prediction[:, 0] - target).abs() * valid
    c = (BERHU_SHARE * error.detach().max()).clamp(min=1e-6)
    return _masked_mean(torch.where(error <= c, error, (error.square() + c * c) / (2 * c)), valid)


def normals_l1(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error a component after normalising the prediction; [B, 3, H, W] both.

    Pixels whose target is the zero vector are invalid.
    """
    valid = (target.square().sum(1, keepdim=True) > 0.25).to(prediction.dtype)
    error = (F.normalize(prediction, dim=1) - target).abs().mean(1, keepdim=True)
    return _masked_mean(error, valid)


def task_loss(kind: TaskKind, prediction: Tensor, target: Tensor) -> Tensor:
    """Unweighted loss of one task, computed in float32.

    Args:
        kind: what is predicted.
        prediction: network output [B, channels, H, W].
        target: labels uint8 [B, H, W], depth float [B, H, W] or normals float [B, 3, H, W].
    """
    prediction = prediction.float()
    match kind:
        case TaskKind.SEGMENTATION | TaskKind.PARTS:
            return cross_entropy(prediction, target)
        case TaskKind.DEPTH:
            return depth_berhu(prediction, target)
        case TaskKind.NORMALS:
            return normals_l1(prediction, target)
        case TaskKind.EDGES:
            return weighted_binary(prediction, target, EDGE_POSITIVE_WEIGHT)
        case TaskKind.SALIENCY:
            return balanced_binary(prediction, target)
