"""Passes of hls4ml's optimiser for models that hold our layers."""

from typing import Any

from hls4ml.backends.fpga.fpga_types import BramWeightVariableConverter
from hls4ml.model.optimizer import OptimizerPass

from m3vit.hls.extension.layers import LAYERS
from m3vit.hw.errors import ConfigurationError

_NAMES = frozenset(layer.__name__ for layer in LAYERS)


class IntegerInputs(OptimizerPass):
    """An input that feeds one of our layers holds that layer's integers, exactly."""

    def match(self, node: Any) -> bool:
        """Inputs in front of a layer of ours."""
        wanted = _wanted(node)
        variable = node.get_output_variable()
        return wanted is not None and variable.type.precision != wanted

    def transform(self, model: Any, node: Any) -> bool:
        """Give the input the layer's type."""
        node.get_output_variable().type.precision = _wanted(node)
        return False


def _wanted(node: Any) -> Any:
    if node.class_name != "Input":
        return None
    for user in node.get_output_nodes():
        if user.class_name in _NAMES:
            return user.operand
    return None


class ExternalMemory(OptimizerPass):
    """The memory of a layer of ours is a port of the top function, not an array inside."""

    def match(self, node: Any) -> bool:
        """Layers of ours whose memory is still inside."""
        return node.class_name in _NAMES and node.get_weights("memory").storage != "bram"

    def transform(self, model: Any, node: Any) -> bool:
        """Move it out."""
        if model.config.get_config_value("IOType") != "io_stream":
            raise ConfigurationError(
                f"{node.class_name} {node.name} needs io_type='io_stream': a token is an element"
            )
        memory = BramWeightVariableConverter.convert(node.get_weights("memory"))
        node.set_attr("memory", memory)
        return False
