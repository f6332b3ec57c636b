"""How hls4ml's PyTorch converter reads our modules."""

from typing import Any

from m3vit.hls.extension.layers import memory_words
from m3vit.hls.extension.modules import M3vitLayer
from m3vit.hls.layer import Kind
from m3vit.hw.errors import ConfigurationError


def parse_layer(
    operation: str,
    layer_name: str,
    input_names: list[str],
    input_shapes: list[list[int]],
    node: Any,
    class_object: M3vitLayer,
    data_reader: Any,
    config: Any,
) -> tuple[dict[str, Any], list[int]]:
    """A module of ours as a layer of hls4ml: its attributes and the shape of its output.

    Raises:
        ConfigurationError: the input has another shape than the layer.
    """
    layer = class_object.layer
    if list(input_shapes[0][-2:]) != [layer.tokens, layer.width]:
        raise ConfigurationError(
            f"{operation} {layer_name} gets {input_shapes[0]}, expected "
            f"[{layer.tokens}, {layer.width}] behind the batch"
        )
    outputs = 2 * layer.top_k if layer.kind is Kind.GATE else layer.width
    attributes = {
        "class_name": operation,
        "name": layer_name,
        "inputs": input_names,
        "tokens": layer.tokens,
        "outputs_per_token": outputs,
        "task": class_object.task,
        "hls_layer": layer,
        "memory_data": memory_words(layer.memory),
    }
    return attributes, [*input_shapes[0][:-1], outputs]
