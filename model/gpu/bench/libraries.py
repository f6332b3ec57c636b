"""Other MoE kernel libraries: which are installed, and how one joins the benchmark."""

import importlib
import importlib.util

from torch import Tensor

from m3vit.hw.errors import ConfigurationError
from m3vit.model.gpu.bench.baselines import Variant
from m3vit.model.gpu.bench.layer import Layer
from m3vit.model.kernels.plain.gate import route

KNOWN = ("megablocks", "scattermoe", "tutel", "fmoe", "grouped_gemm", "vllm", "sonicmoe")
"""Import names of libraries with MoE kernels."""


def installed() -> dict[str, bool]:
    """Which of the known libraries can be imported here."""
    return {name: importlib.util.find_spec(name) is not None for name in KNOWN}


def adapted(spec: str, layer: Layer) -> Variant:
    """A library's layer through ``MODULE:FUNCTION``.

    The function takes x [N, d], the ``Layer``, indices int32 [N, K] and weights float32 [N, K] and
    gives the mixture [N, d]; libraries pack weights each their own way, so it may cache by layer.

    Raises:
        ConfigurationError: there is no such module or function.
    """
    module_name, _, name = spec.partition(":")
    try:
        function = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"library {spec!r} cannot be used ({error}), expected MODULE:FUNCTION"
        ) from error
    zero = layer.gate.new_zeros(layer.experts)

    def run(x: Tensor, residual: Tensor) -> Tensor:
        routing = route(x, layer.gate, zero, layer.top_k)
        mixed: Tensor = function(x, layer, routing.indices, routing.weights)
        return residual + mixed

    return Variant(name=spec, run=run, recordable=False)
