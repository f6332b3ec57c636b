"""Configuration of the accelerator: its array, its stores and the limits that follow.

A package is compiled for one machine: the order of the weight bytes depends on the array.  Models
and image sizes within the limits share one machine and one bitstream.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import Any

from m3vit.hw.config import digest_of
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.ranges import require_integers, require_name, require_positive, shown

CONTRACT_VERSION = 1
"""Raised whenever commands, formats, layouts or registers change their meaning."""

CASCADE = 8
"""Rows of one DSP cascade: the packed low field holds eight products and no more."""


@dataclass(frozen=True, kw_only=True)
class MachineConfig:
    """An accelerator of ``groups`` x ``rows`` (contraction) x ``columns`` (outputs) multipliers.

    Every multiplier takes two tokens a cycle.  ``rows`` is a multiple of the cascade length 8.
    Memories are given in the units in which they are built; see hw/CONTRACT.md section 7.

    Raises:
        ConfigurationError: a size is out of range.
    """

    name: str
    groups: int = 3
    rows: int = 32
    columns: int = 16
    accumulator_pairs: int = 64
    normal_block_pairs: int = 32
    score_words: int = 2048
    ring_bytes: int = 144 * 4096
    exponential_lanes: int = 192
    requantise_lanes: int = 96
    layernorm_lanes: int = 16
    combine_lanes: int = 32
    activation_bytes: int = 16 * 4096 * 8
    max_tokens: int = 2048
    max_width: int = 768
    max_experts: int = 256
    max_top_k: int = 8
    memory_ports: int = 4
    port_bits: int = 128
    clock_mhz: float = 300.0
    memory_gbytes_per_s: float = 13.7

    def __post_init__(self) -> None:
        require_name("name of a machine", self.name)
        sizes = {each.name: (1, 1 << 31) for each in fields(self) if each.type in (int, "int")}
        require_integers(f"machine {self.name}: ", self, sizes)
        rates = ("clock_mhz", "memory_gbytes_per_s")
        require_positive(f"machine {self.name}: ", self, rates)
        self._require(1 <= self.groups <= 4, "groups", "1 to 4")
        self._require(self.rows in (8, 16, 32), "rows", "8, 16 or 32")
        self._require(self.columns in (8, 16, 32), "columns", "8, 16 or 32")
        self._require(1 <= self.max_tokens <= 2048, "max_tokens", "1 to 2048")
        self._require(1 <= self.max_experts <= 256, "max_experts", "1 to 256")
        self._require(1 <= self.max_top_k <= 8, "max_top_k", "1 to 8")
        self._require(8 <= self.accumulator_pairs <= 512, "accumulator_pairs", "8 to 512")
        self._require(
            1 <= self.normal_block_pairs <= self.accumulator_pairs,
            "normal_block_pairs",
            "1 to accumulator_pairs",
        )

    def _require(self, condition: bool, field: str, expected: str) -> None:
        if not condition:
            raise ConfigurationError(
                f"machine {self.name}: {field} is {getattr(self, field)!r}, expected {expected}"
            )

    @property
    def panel(self) -> int:
        """Outputs computed side by side: groups x columns."""
        return self.groups * self.columns

    @property
    def chains(self) -> int:
        """Cascades stacked in one column."""
        return self.rows // CASCADE

    @property
    def word_bytes(self) -> int:
        """One load step of all groups: what the ring holds in a word."""
        return self.panel * self.chains

    @property
    def stream_unit(self) -> int:
        """Regions are padded to this: whole bursts of 64 bytes and whole ring words."""
        return math.lcm(64, self.word_bytes)

    @property
    def tile_bytes(self) -> int:
        """Bytes of the weights of one tile over all groups."""
        return self.rows * self.panel

    def attention_pairs(self, tokens: int) -> int:
        """Query pairs of one attention block: half the score store holds their scores.

        A score word holds two queries x max(rows, columns) keys; 0 means too many tokens.
        """
        words = -(-tokens // max(self.rows, self.columns))
        return min(self.accumulator_pairs, self.score_words // 2 // words)

    @property
    def multipliers(self) -> int:
        """DSPs of the array."""
        return self.groups * self.rows * self.columns

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "MachineConfig":
        """Inverse of :meth:`to_dict`.

        Raises:
            ConfigurationError: a field is missing, unknown or of the wrong kind.
        """
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise ConfigurationError(f"machine configuration has unknown fields {shown(unknown)}")
        try:
            return cls(**values)
        except TypeError as error:
            raise ConfigurationError(
                f"machine configuration cannot be read: {shown(str(error))}"
            ) from error

    @property
    def digest(self) -> str:
        """SHA-256 of what fixes the meaning of a package for this machine, with the contract."""
        return digest_of({"contract": CONTRACT_VERSION, "machine": self.to_dict()})


MACHINES: Mapping[str, MachineConfig] = MappingProxyType(
    {
        machine.name: machine
        for machine in (
            MachineConfig(name="zcu104"),
            MachineConfig(
                name="mini",
                rows=8,
                columns=16,
                accumulator_pairs=32,
                normal_block_pairs=16,
                score_words=512,
                ring_bytes=12 * 4096,
                exponential_lanes=48,
                requantise_lanes=48,
                layernorm_lanes=8,
                combine_lanes=32,
                max_tokens=256,
                max_width=192,
                max_experts=16,
                max_top_k=4,
            ),
        )
    }
)
"""Every machine preset by name: the full ZCU104 array and a small one for simulation."""


def machine_preset(name: str) -> MachineConfig:
    """The machine called ``name``.

    Raises:
        ConfigurationError: there is none of that name; the message lists all.
    """
    if name not in MACHINES:
        raise ConfigurationError(f"unknown machine {name!r}; machines are {', '.join(MACHINES)}")
    return MACHINES[name]
