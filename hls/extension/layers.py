"""hls4ml's intermediate representation of our layers."""

from typing import Any

import numpy as np
from hls4ml.model.attributes import Attribute, ConfigurableAttribute
from hls4ml.model.layers import Layer
from hls4ml.model.types import IntegerPrecisionType

from m3vit.hw.formats import RESIDUAL_BITS

WORD_BYTES = 4
"""hls4ml writes weights as numbers of a text file: 32 bits are exact and ports are widened."""


class _M3vit(Layer):
    """Shape, constants and weight memory; see m3vit.hls.config_text for the constants."""

    _expected_attributes = [
        Attribute("tokens"),
        Attribute("outputs_per_token"),
        ConfigurableAttribute("unroll", default=1),
        ConfigurableAttribute("lanes", default=4),
    ]
    result = IntegerPrecisionType(RESIDUAL_BITS)
    operand = IntegerPrecisionType(RESIDUAL_BITS)
    """Integers that the layer takes; the pass of this package gives them to the input."""

    def initialize(self) -> None:
        shape = [self.get_attr("tokens"), self.get_attr("outputs_per_token")]
        self.add_output_variable(shape, precision=self.result)
        self.add_weights_variable(
            name="memory",
            var_name="memory{index}",
            type_name="memory{index}_t",
            precision=IntegerPrecisionType(8 * WORD_BYTES, signed=False),
            data=self.get_attr("memory_data"),
        )


class M3vitMoe(_M3vit):
    """A mixture of experts with its LayerNorm and residual."""


class M3vitMlp(_M3vit):
    """A dense MLP with its LayerNorm and residual."""


class M3vitGate(_M3vit):
    """A router."""

    result = IntegerPrecisionType(16, signed=False)
    operand = IntegerPrecisionType(8)


LAYERS = (M3vitMoe, M3vitMlp, M3vitGate)


def memory_words(memory: bytes) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """The memory as 32-bit words."""
    return np.frombuffer(memory.ljust(-(-len(memory) // WORD_BYTES) * WORD_BYTES, b"\0"), "<u4")
