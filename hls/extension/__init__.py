"""Our layers in hls4ml: `register()`, then convert modules made by `module_of`."""

from m3vit.hls.extension.modules import module_of
from m3vit.hls.extension.register import register

__all__ = ["module_of", "register"]
