"""C++ of our layers inside an hls4ml project: a configuration and a call."""

from typing import Any

from hls4ml.backends.template import FunctionCallTemplate, LayerConfigTemplate

from m3vit.hls.config_text import constants, struct
from m3vit.hls.extension.layers import LAYERS, WORD_BYTES
from m3vit.hls.layer import HlsLayer, Kind, Parallelism


class M3vitConfig(LayerConfigTemplate):
    """struct config{index}."""

    def __init__(self) -> None:
        super().__init__(list(LAYERS))

    def format(self, node: Any) -> str:
        """The struct of ``node``."""
        layer: HlsLayer = node.get_attr("hls_layer")
        chosen = Parallelism(
            unroll=int(node.get_attr("unroll")),
            lanes=int(node.get_attr("lanes")),
            word_bytes=WORD_BYTES,
        )
        chosen.check(layer)
        values = {**constants(layer, chosen), "task": node.get_attr("task")}
        return struct(f"config{node.index}", values, identity=layer.kind is Kind.MLP)


class M3vitCall(FunctionCallTemplate):
    """The call in the top function."""

    def __init__(self) -> None:
        super().__init__(list(LAYERS), include_header=["nnet_utils/streams.h"])

    def format(self, node: Any) -> str:
        """The call of ``node``."""
        params = self._default_function_params(node)
        layer: HlsLayer = node.get_attr("hls_layer")
        memory = node.get_weights("memory").name
        return (
            f"m3vit::{layer.kind.value}_layer<{params['output_t']}, {params['config']}>"
            f"({params['input']}, {params['output']}, {memory});"
        )
