"""Processors as max(arithmetic, bytes over effective bandwidth), and links, as tables in files."""

import sys
from dataclasses import dataclass, fields
from pathlib import Path

from m3vit.hw.errors import ConfigurationError
from m3vit.sim.system.board import cost_numbers

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_FOLDER = Path(__file__).parent / "machines"


@dataclass(frozen=True, kw_only=True)
class Processor:
    """A processor with its own memory and one link to others.

    ``read_efficiency`` and ``write_efficiency`` are the shares of the nominal bandwidth that
    streams reach; ``start_ns`` is lost on every operation.  Energies: per byte moved from its
    memory, per operation (a multiplication and addition are two).
    """

    name: str
    peak_gflops: float
    memory_gbps: float
    read_efficiency: float
    write_efficiency: float
    start_ns: float
    link_gbps: float
    link_latency_ns: float
    byte_nj: float
    operation_pj: float
    source: str

    def time_ns(self, operations: float, read_bytes: float, write_bytes: float = 0.0) -> float:
        """Time of one operation on the processor; nothing for no work."""
        if operations <= 0 and read_bytes <= 0 and write_bytes <= 0:
            return 0.0
        reading = read_bytes / (self.memory_gbps * self.read_efficiency)
        writing = write_bytes / (self.memory_gbps * self.write_efficiency)
        return self.start_ns + max(operations / self.peak_gflops, reading + writing)

    def transfer_ns(self, size_bytes: float) -> float:
        """Time for one message over the link."""
        return self.link_latency_ns + size_bytes / self.link_gbps if size_bytes > 0 else 0.0


def machine_names() -> tuple[str, ...]:
    """Processors that come with the package."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def load_processor(name: str) -> Processor:
    """Load a processor by name, or from the path of a TOML file.

    Raises:
        ConfigurationError: unknown name, missing or unknown keys, values that are not positive.
    """
    path = Path(name) if name.endswith(".toml") else _FOLDER / f"{name}.toml"
    if not path.is_file():
        raise ConfigurationError(
            f"unknown processor {name!r}; known are {', '.join(machine_names())}, "
            "or the path of a .toml table"
        )
    try:
        raw = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"processor table {path} is not valid TOML: {error}") from error
    if "machine" in raw:
        raw |= _board_rates(raw.pop("machine"), raw.pop("model", ""))
    wrong = sorted({item.name for item in fields(Processor)}.symmetric_difference(raw))
    if wrong:
        raise ConfigurationError(
            f"processor table {path}: missing or unknown keys {', '.join(wrong)}"
        )
    processor = Processor(**raw)
    for key in ("peak_gflops", "memory_gbps", "read_efficiency", "write_efficiency", "link_gbps"):
        if not getattr(processor, key) > 0:
            raise ConfigurationError(
                f"processor {processor.name}: {key} must be positive, got {raw[key]!r}"
            )
    return processor


def _board_rates(machine: str, model: str) -> dict[str, float]:
    """Rates of an accelerator of this project, whose table names its preset and a model's."""
    rates = cost_numbers(machine, model).rates()
    return rates | {"read_efficiency": 1.0, "write_efficiency": 1.0}
