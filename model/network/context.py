"""What travels through the blocks beside the activations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from torch import Tensor

Observer: TypeAlias = Callable[[str, int, Tensor, int | None], None]
"""Called as ``observer(name, block, value, expert)``; ``expert`` is None outside experts, and
``block`` is -1 in the head."""

Route: TypeAlias = Mapping[int, tuple[Tensor, Tensor]]
"""Imposed routing: block number to (expert indices int64 [B, T, K], weights [B, T, K])."""

HEAD = -1
"""Block number under which the head reports."""


def ignore(name: str, block: int, value: Tensor, expert: int | None) -> None:
    """The observer that nobody asked for."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """One forward pass: which task, who watches, which routes are imposed.

    ``task_feature`` [gate_task_width] is the task's embedding for conditioned gates, else None.
    """

    task: int
    task_feature: Tensor | None = None
    observe: Observer = ignore
    route: Route = field(default_factory=dict)

    def see(self, name: str, block: int, value: Tensor, expert: int | None = None) -> Tensor:
        """Report ``value`` and hand it back."""
        self.observe(name, block, value, expert)
        return value
