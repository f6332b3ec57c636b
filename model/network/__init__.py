"""The multi-task mixture-of-experts vision transformer, one block a file."""

from m3vit.model.network.context import Observer, Route
from m3vit.model.network.network import M3ViT

__all__ = ["M3ViT", "Observer", "Route"]
