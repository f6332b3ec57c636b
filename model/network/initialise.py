"""Starting values of a network that is trained from scratch."""

import math

import torch
from torch import Tensor, nn

from m3vit.hw.config import ModelConfig
from m3vit.model.network.experts import StackedLinear


def position_table(config: ModelConfig) -> Tensor:
    """Sines and cosines of row and column, [1, tokens, width]; the class token gets zeros.

    Half the channels hold the row, half the column, at geometric wavelengths (Vaswani et al.
    2017, in two dimensions).  The table is a start for learning, it is trained like any weight.
    """
    quarter = config.width // 4
    rate = 1 / 100 ** (torch.arange(quarter) / quarter)
    rows, columns = config.grid
    y = torch.arange(rows).repeat_interleave(columns).unsqueeze(1) * rate
    x = torch.arange(columns).repeat(rows).unsqueeze(1) * rate
    table = torch.cat((y.sin(), y.cos(), x.sin(), x.cos()), dim=1)
    return torch.cat((torch.zeros(1, table.shape[1]), table)).unsqueeze(0)


def _experts(layer: StackedLinear) -> None:
    _, outputs, inputs = layer.weight.shape
    bound = math.sqrt(6 / (inputs + outputs))
    nn.init.uniform_(layer.weight, -bound, bound)
    nn.init.zeros_(layer.bias)


def initialise(network: nn.Module, config: ModelConfig) -> None:
    """Xavier-uniform matrices, zero biases, scaled position table; gates keep U(±1/sqrt(E))."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, StackedLinear):
            _experts(module)
    values = dict(network.named_parameters())
    with torch.no_grad():
        values["backbone.pos_embed"].copy_(0.3 * position_table(config))
        nn.init.trunc_normal_(values["backbone.cls_token"], std=0.02)
