"""Makes our layers known to hls4ml through its Extension API; nothing of hls4ml is changed."""

import hls4ml
from hls4ml.backends import get_available_backends, get_backend, register_backend
from hls4ml.converters import get_supported_pytorch_layers, register_pytorch_layer_handler
from hls4ml.model.layers import register_layer
from hls4ml.writer import register_writer

from m3vit.hls.extension.backend import NAME, Zcu104Backend, Zcu104Writer
from m3vit.hls.extension.handlers import parse_layer
from m3vit.hls.extension.layer_templates import M3vitCall, M3vitConfig
from m3vit.hls.extension.layers import LAYERS
from m3vit.hls.extension.passes import ExternalMemory, IntegerInputs
from m3vit.hls.headers import TEMPLATES


def register() -> None:
    """Register layers, converter, passes, templates, sources and the backend; once is enough."""
    if LAYERS[0].__name__ in get_supported_pytorch_layers():
        return
    for layer in LAYERS:
        register_layer(layer.__name__, layer)
        register_pytorch_layer_handler(layer.__name__, parse_layer)
    register_writer(NAME, Zcu104Writer)
    register_backend(NAME, Zcu104Backend)
    _equip(get_backend(NAME))


def _equip(backend: "hls4ml.backends.Backend") -> None:
    assert NAME.lower() in get_available_backends()
    backend.register_pass("integer_inputs", IntegerInputs)
    backend.register_pass("external_memory", ExternalMemory)
    backend.register_template(M3vitConfig)
    backend.register_template(M3vitCall)
    for header in sorted(TEMPLATES.glob("*.h")):
        backend.register_source(header)
