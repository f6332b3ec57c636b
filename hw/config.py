"""Configuration of the network: what is computed, on which image, for which tasks.

One frozen dataclass describes a model; everything else (network, integer reference, compiler,
generators, simulators) reads it.  Configurations are compared and identified by their digest.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from enum import Enum
from types import MappingProxyType
from typing import Any

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.ranges import require_integers, require_name, shown


class TaskKind(str, Enum):
    """What a task predicts, which fixes its target, loss, metric and picture."""

    SEGMENTATION = "segmentation"
    PARTS = "parts"
    DEPTH = "depth"
    NORMALS = "normals"
    EDGES = "edges"
    SALIENCY = "saliency"


class GateKind(str, Enum):
    """How the task enters the router."""

    SINGLE = "single"
    """One gate a layer, the task is not seen."""
    MULTI = "multi"
    """One gate a task and layer (M3ViT multi-gate)."""
    CONDITIONED = "conditioned"
    """A task embedding joins the gate's input (M3ViT task-conditioned)."""


def _require(condition: bool, what: str, got: object, expected: str) -> None:
    if not condition:
        raise ConfigurationError(f"{what} is {shown(got)}, expected {expected}")


MOST_CHANNELS = 255
"""Classes of a task: a label is one byte, 255 marks what does not count."""

_RANGES = MappingProxyType(
    {
        "image_height": (1, 1 << 14),
        "image_width": (1, 1 << 14),
        "patch": (1, 256),
        "width": (1, 1 << 13),
        "heads": (1, 256),
        "blocks": (1, 255),
        "mlp_ratio": (1, 64),
        "experts": (1, 256),
        "top_k": (1, 256),
        "expert_ratio": (1, 64),
        "gate_task_width": (1, 1 << 13),
        "head_width": (1, 1 << 13),
    }
)
"""Far beyond any network of the field, so that a damaged file cannot ask for the impossible."""


@dataclass(frozen=True, kw_only=True)
class TaskConfig:
    """One task: its name, its kind and the number of output channels of its head."""

    name: str
    kind: TaskKind
    channels: int

    def __post_init__(self) -> None:
        require_name("name of a task", self.name)
        object.__setattr__(self, "kind", TaskKind(self.kind))
        require_integers(f"task {self.name}: ", self, {"channels": (1, MOST_CHANNELS)})


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """A multi-task mixture-of-experts vision transformer.

    Even blocks hold a dense MLP of ``mlp_ratio * width`` hidden units, odd blocks a mixture of
    ``experts`` experts of ``expert_hidden`` units of which ``top_k`` are used a token.  With
    ``moe`` false the odd blocks hold a dense MLP of ``top_k * expert_hidden`` units instead: the
    twin with equal FLOPs.

    Raises:
        ConfigurationError: a dimension is out of range or does not divide.
    """

    name: str
    image_height: int
    image_width: int
    width: int
    heads: int
    tasks: tuple[TaskConfig, ...]
    patch: int = 16
    blocks: int = 12
    mlp_ratio: int = 4
    moe: bool = True
    experts: int = 16
    top_k: int = 4
    expert_ratio: int = 1
    gate: GateKind = GateKind.MULTI
    gate_task_width: int = 64
    head_width: int = 256

    def __post_init__(self) -> None:
        require_name("name of a model", self.name)
        require_integers("", self, _RANGES)
        _require(isinstance(self.moe, bool), "moe", self.moe, "true or false")
        object.__setattr__(self, "gate", GateKind(self.gate))
        tasks = tuple(t if isinstance(t, TaskConfig) else TaskConfig(**t) for t in self.tasks)
        object.__setattr__(self, "tasks", tasks)
        self._check_sizes()
        self._check_experts()
        names = [task.name for task in tasks]
        _require(len(set(names)) == len(names) >= 1, "tasks", names, "one or more distinct names")

    def _check_sizes(self) -> None:
        for side in ("image_height", "image_width"):
            value = getattr(self, side)
            _require(
                value >= self.patch and value % self.patch == 0,
                side,
                value,
                f"a positive multiple of the patch size {self.patch}",
            )
        _require(self.width % 32 == 0 < self.width, "width", self.width, "a multiple of 32")
        _require(
            self.width % self.heads == 0 and self.head_dim % 16 == 0,
            "width/heads",
            f"{self.width}/{self.heads}",
            "a head dimension that is a multiple of 16",
        )
        _require(self.head_width % 16 == 0, "head_width", self.head_width, "a multiple of 16")

    def _check_experts(self) -> None:
        _require(
            1 <= self.top_k <= min(8, self.experts), "top_k", self.top_k, "1 to min(8, experts)"
        )

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return self.image_height // self.patch, self.image_width // self.patch

    @property
    def tokens(self) -> int:
        """Patches plus the class token."""
        return self.grid[0] * self.grid[1] + 1

    @property
    def patch_elements(self) -> int:
        """Bytes of one RGB patch."""
        return 3 * self.patch * self.patch

    @property
    def head_dim(self) -> int:
        """Channels of one attention head."""
        return self.width // self.heads

    @property
    def expert_hidden(self) -> int:
        """Hidden units of one expert."""
        return self.expert_ratio * self.width

    @property
    def mlp_hidden(self) -> int:
        """Hidden units of the dense MLP of even blocks."""
        return self.mlp_ratio * self.width

    def is_moe(self, block: int) -> bool:
        """Whether block number ``block`` holds experts."""
        return self.moe and block % 2 == 1

    def dense_hidden(self, block: int) -> int:
        """Hidden units of the dense MLP of ``block``, also in the dense twin's odd blocks."""
        return self.mlp_hidden if block % 2 == 0 else self.top_k * self.expert_hidden

    @property
    def moe_blocks(self) -> tuple[int, ...]:
        """Numbers of the blocks that hold experts."""
        return tuple(block for block in range(self.blocks) if self.is_moe(block))

    @property
    def task_names(self) -> tuple[str, ...]:
        """Names of the tasks, in the order of their numbers."""
        return tuple(task.name for task in self.tasks)

    def task_index(self, name: str) -> int:
        """Number of the task called ``name``.

        Raises:
            ConfigurationError: the model has no such task.
        """
        if name not in self.task_names:
            raise ConfigurationError(
                f"unknown task {name!r}; {self.name} has {', '.join(self.task_names)}"
            )
        return self.task_names.index(name)

    def task(self, name: str) -> TaskConfig:
        """The task called ``name``.

        Raises:
            ConfigurationError: the model has no such task.
        """
        return self.tasks[self.task_index(name)]

    def dense_twin(self) -> "ModelConfig":
        """The same FLOPs without experts."""
        return replace(self, name=f"{self.name}-dense", moe=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ModelConfig":
        """Inverse of :meth:`to_dict`.

        Raises:
            ConfigurationError: a field is missing, unknown or of the wrong kind.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        _require(not unknown, "model configuration", unknown, "no unknown fields")
        try:
            return cls(**values)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(
                f"model configuration cannot be read: {shown(str(error))}"
            ) from error

    @property
    def digest(self) -> str:
        """SHA-256 of the configuration, 64 hexadecimal digits."""
        return digest_of(self.to_dict())


def digest_of(value: object) -> str:
    """SHA-256 over the canonical JSON of ``value``."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
