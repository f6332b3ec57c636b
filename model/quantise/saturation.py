"""How many codes lie at the ends of their range, by kind of tensor."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SYMMETRIC = frozenset({"k", "v"})
WATCHED = ("ln1", "q", "k", "v", "attention", "ln2")


@dataclass
class Saturation:
    """Codes seen and codes at a limit of int8 (K and V: at -127 or 127), by tensor name."""

    seen: dict[str, int] = field(default_factory=dict)
    at_limit: dict[str, int] = field(default_factory=dict)
    residual: int = 0
    """Saturated additions to the residual."""

    def add(self, name: str, codes: NDArray[np.integer[Any]]) -> None:
        """Count one tensor, if it is one of WATCHED."""
        if name in WATCHED:
            low = -127 if name in _SYMMETRIC else -128
            count = int(np.count_nonzero((codes <= low) | (codes >= 127)))
            self.seen[name] = self.seen.get(name, 0) + codes.size
            self.at_limit[name] = self.at_limit.get(name, 0) + count

    def to_dict(self) -> dict[str, float]:
        """Share of codes at a limit by tensor, and the count of residual saturations."""
        shares = {name: self.at_limit[name] / self.seen[name] for name in self.seen}
        return {**shares, "residual_additions": self.residual}
