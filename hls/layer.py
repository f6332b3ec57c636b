"""One layer as the kernels see it: shape, integers, and where its weights lie in a memory."""

from dataclasses import dataclass
from enum import Enum

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.machine import CASCADE, MachineConfig
from m3vit.hw.quantised import Gate, LayerNorm, Mlp


class Kind(str, Enum):
    """What a kernel computes."""

    MOE = "moe"
    """x + experts(layer_norm(x)) with its gate: int18 [T, d] to int18 [T, d]."""
    MLP = "mlp"
    """x + mlp(layer_norm(x)): int18 [T, d] to int18 [T, d]."""
    GATE = "gate"
    """The router alone: int8 [T, d] to K choices a token."""


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Byte addresses in the layer's memory; 0 where a kind has no such region."""

    norm: int = 0
    gate: int = 0
    gate_stride: int = 0
    """From one task's gate to the next."""
    gelu: int = 0
    experts: int = 0
    expert_stride: int = 0


@dataclass(frozen=True, kw_only=True)
class HlsLayer:
    """A layer with the memory that its kernel reads.

    ``norm``, ``gates`` and ``mlp`` are what that memory holds, decoded for the golden reference.
    """

    name: str
    kind: Kind
    machine: MachineConfig
    """Fixes the order of the weights in memory."""
    tokens: int
    width: int
    top_k: int
    norm: LayerNorm | None
    gates: tuple[Gate, ...]
    mlp: Mlp | None
    memory: bytes
    addresses: Addresses

    @property
    def hidden(self) -> int:
        """Hidden units of one expert; the width where there is none."""
        return self.mlp.experts[0].fc1.bias.size if self.mlp else self.width

    @property
    def experts(self) -> int:
        """Experts, or chunks of a dense MLP."""
        return len(self.mlp.experts) if self.mlp else self.gates[0].bias.size

    @property
    def tasks(self) -> int:
        """Gates to choose from; 1 without a gate."""
        return max(1, len(self.gates))


@dataclass(frozen=True, kw_only=True)
class Parallelism:
    """What a kernel does in a cycle.

    Args:
        unroll: steps of the contraction that every column multiplies: 1, 2, 4 or 8.
        lanes: channels that LayerNorm, GELU, requantisation and the combination take.
        word_bytes: width of the AXI port for weights.

    Raises:
        ConfigurationError: a value is out of range.
    """

    unroll: int = 1
    lanes: int = 4
    word_bytes: int = 16

    def __post_init__(self) -> None:
        allowed = {"unroll": (1, 2, 4, 8), "lanes": (1, 2, 4, 8, 16), "word_bytes": (4, 8, 16, 32)}
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise ConfigurationError(
                    f"hls: {name} is {getattr(self, name)}, expected one of {values}"
                )

    def check(self, layer: HlsLayer) -> None:
        """Refuse what the templates cannot build of ``layer``.

        Raises:
            ConfigurationError: lanes do not divide, a memory word spans steps, or counts overflow.
        """
        machine = layer.machine
        rules = {
            f"width {layer.width} a multiple of {self.lanes} lanes": layer.width % self.lanes == 0,
            f"panel {machine.panel} a multiple of {self.lanes} lanes": machine.panel % self.lanes
            == 0,
            f"{self.word_bytes} bytes a word a multiple of {machine.chains} chains": self.word_bytes
            % machine.chains
            == 0,
            f"panel {machine.panel} a multiple of the steps' entries in a word": machine.panel
            % max(1, self.word_bytes // machine.chains)
            == 0,
            "at most 2048 tokens": layer.tokens <= 2048,
            "1 to 256 experts": 1 <= layer.experts <= 256,
            "top_k of at most the experts": 1 <= layer.top_k <= layer.experts,
        }
        for rule, holds in rules.items():
            if not holds:
                raise ConfigurationError(f"hls: layer {layer.name} on {machine.name}: need {rule}")


def padded(size: int, rows: int) -> int:
    """Steps of a contraction of ``size``: tiles of ``rows`` in ``CASCADE`` steps each."""
    return -(-size // rows) * CASCADE
