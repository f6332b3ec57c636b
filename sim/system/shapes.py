"""Shapes of the networks that the papers use, and of this project's."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from m3vit.hw.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class NetworkShape:
    """Sizes that decide time and energy; ``moe_every`` 2 means every second layer has experts.

    ``matrices`` is 3 for gated feed-forward networks (gate, up, down), else 2.  Layers without
    experts have one feed-forward network ``plain_ratio`` times as wide as an expert.
    """

    name: str
    layers: int
    moe_every: int
    width: int
    hidden: int
    matrices: int
    experts: int
    top_k: int
    heads: int
    kv_heads: int
    head_width: int
    weight_bytes: float
    plain_ratio: int
    source: str

    @property
    def expert_elements(self) -> int:
        """Weights of one expert."""
        return self.matrices * self.width * self.hidden

    @property
    def plain_elements(self) -> int:
        """Weights of the feed-forward network of a layer without experts."""
        return self.expert_elements * self.plain_ratio

    @property
    def expert_bytes(self) -> float:
        """Bytes of one expert."""
        return self.expert_elements * self.weight_bytes

    @property
    def moe_layers(self) -> int:
        """Layers with experts."""
        return self.layers // self.moe_every


def _shape(
    name: str, source: str, *sizes: int, weight_bytes: float = 2.0, plain_ratio: int = 1
) -> NetworkShape:
    layers, every, width, hidden, matrices, experts, top_k, heads, kv, head = sizes
    return NetworkShape(
        name=name,
        layers=layers,
        moe_every=every,
        width=width,
        hidden=hidden,
        matrices=matrices,
        experts=experts,
        top_k=top_k,
        heads=heads,
        kv_heads=kv,
        head_width=head,
        weight_bytes=weight_bytes,
        plain_ratio=plain_ratio,
        source=source,
    )


_DUPLEX = "Duplex, models of the evaluation; sizes as its released code has them"
_SWITCH = "Switch Transformer; FP32 as in Pre-gated MoE"

SHAPES: Mapping[str, NetworkShape] = MappingProxyType(
    {
        shape.name: shape
        for shape in (
            _shape("mixtral", _DUPLEX, 32, 1, 4096, 14336, 3, 8, 2, 32, 8, 128),
            _shape("glam", _DUPLEX, 32, 2, 4096, 16384, 2, 64, 2, 32, 32, 128),
            _shape("grok1", _DUPLEX, 64, 1, 6144, 32768, 3, 8, 2, 48, 8, 128),
            *(
                _shape(
                    f"switch-base-{experts}",
                    _SWITCH,
                    *(24, 2, 768, 3072, 2, experts, 1, 12, 12, 64),
                    weight_bytes=4,
                )
                for experts in (8, 64, 128)
            ),
            _shape(
                "switch-large-128",
                _SWITCH,
                48,
                2,
                1024,
                4096,
                2,
                128,
                1,
                16,
                16,
                64,
                weight_bytes=4,
            ),
            _shape("nllb-moe", "NLLB-MoE 54.5 B, BF16", 48, 4, 2048, 8192, 2, 128, 2, 16, 16, 128),
            _shape(
                "m3vit-nano",
                "this project's trained nano-scenes model, int8 weights",
                *(6, 2, 96, 96, 2, 8, 2, 3, 3, 32),
                weight_bytes=1,
                plain_ratio=4,
            ),
            _shape(
                "m3vit-small",
                "this project's small model: every second of 12 blocks, int8 weights",
                *(12, 2, 384, 384, 2, 16, 4, 12, 12, 32),
                weight_bytes=1,
                plain_ratio=4,
            ),
        )
    }
)


def find_shape(name: str) -> NetworkShape:
    """A shape by name.

    Raises:
        ConfigurationError: unknown name.
    """
    if name not in SHAPES:
        raise ConfigurationError(f"unknown network {name!r}; known are {', '.join(SHAPES)}")
    return SHAPES[name]
