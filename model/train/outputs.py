"""What a run writes, and how often."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Where a run writes, and how often (in steps)."""

    folder: Path
    save_every: int = 1000
    log_every: int = 100
    quiet: bool = False

    @property
    def state(self) -> Path:
        """What a resumption needs."""
        return self.folder / "state.pt"

    @property
    def checkpoint(self) -> Path:
        """The averaged weights."""
        return self.folder / "checkpoint.npz"

    @property
    def log(self) -> Path:
        """One JSON object a line."""
        return self.folder / "log.jsonl"
