"""One line of the comparison with the papers."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Row:
    """One published figure, ours, and why they differ when they do by more than 10 %."""

    source: str
    figure: str
    published: float
    simulated: float
    note: str = ""

    @property
    def gap(self) -> float:
        """Relative difference."""
        return self.simulated / self.published - 1
