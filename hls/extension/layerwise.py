"""Layer by layer through an hls4ml project: the first layer whose integers differ from golden."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from m3vit.hls.compare import Difference

Traced = dict[str, "np.ndarray[Any, Any]"]
"""What ``project.trace(images)`` gave: outputs [batch, T, ...] by the name of the layer."""


def first_layer_difference(model: nn.Sequential, traced: Traced, images: Tensor) -> str | None:
    """Which layer of ``model`` differs first and where, or None.

    Args:
        model: modules of ours, as converted; each one's golden output feeds the next.
        traced: of the converted project, with ``Trace`` on for every layer.
        images: [batch, T, d] integers as floats.
    """
    values = images
    for name, module in model.named_children():
        values = module(values)
        got = torch.from_numpy(np.asarray(traced[name])).reshape(values.shape)
        wrong = (got != values).nonzero()
        if len(wrong):
            image, token, channel = wrong[0].tolist()
            found = Difference(
                layer=f"{name} image {image}",
                stage="out",
                place=(token, channel),
                got=int(got[image, token, channel]),
                expected=int(values[image, token, channel]),
                count=len(wrong),
            )
            return str(found)
    return None
