"""What a network would cost on a board: cycles, bytes and size, without weights."""

from dataclasses import dataclass
from typing import Any

from m3vit.boards.board import BoardConfig
from m3vit.hw.config import ModelConfig
from m3vit.hw.cost.assumptions import Assumptions
from m3vit.hw.cost.cycles import estimate_cycles
from m3vit.hw.cost.limits import exceeded_limits
from m3vit.hw.cost.macs import head_macs
from m3vit.hw.cost.parameters import parameters
from m3vit.hw.cost.reordering import ReorderingComparison, compare_reordering
from m3vit.hw.cost.report import CycleReport
from m3vit.hw.cost.resources import Resources, UnitResources, units
from m3vit.hw.machine import MachineConfig
from m3vit.hw.records import Evidence


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Everything about one network on one board; all figures are modelled."""

    config: ModelConfig
    board: BoardConfig
    machine: MachineConfig
    cycles: CycleReport
    units: tuple[UnitResources, ...]
    needed: Resources
    limits: tuple[str, ...]
    """What of the network is beyond the machine's stores; its cycles then assume it were not."""
    reordering: ReorderingComparison | None

    @property
    def exceeded(self) -> dict[str, tuple[int, int]]:
        """Resources of which the board has too few: (needed, present)."""
        return self.board.exceeded(self.needed)

    @property
    def fits(self) -> bool:
        """Whether the machine fits the board and the network the machine."""
        return not self.exceeded and not self.limits

    @property
    def mac_utilisation(self) -> float:
        """Useful MACs over those of all the board's DSPs at two a cycle."""
        return self.cycles.mac_utilisation(self.board.resources.dsp)

    def shares(self) -> dict[str, float]:
        """Share of all cycles by what they went to; sums to 1.

        The first is the floor of the whole chip: useful MACs at two a DSP and cycle.
        """
        report, dsps = self.cycles, self.board.resources.dsp
        floor = report.macs / (2 * dsps)
        ideal = report.macs / (2 * report.multipliers)
        parts = {
            f"useful MACs at {dsps} DSPs": floor,
            f"DSPs outside the array ({dsps - report.multipliers})": ideal - floor,
            "padding": report.padding,
            **{f"waiting: {cause}": cycles for cause, cycles in report.lost.items()},
        }
        return {name: cycles / report.total for name, cycles in parts.items()}

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        config = self.config
        return {
            "model": config.name,
            "board": self.board.name,
            "machine": self.machine.name,
            "machine_digest": self.machine.digest,
            "evidence": Evidence.MODELLED.value,
            "tokens": config.tokens,
            "parameters": parameters(config),
            **self.cycles.to_dict(),
            "mac_utilisation": self.mac_utilisation,
            "shares": self.shares(),
            "head_macs": {task.name: head_macs(config, task) for task in config.tasks},
            "head_macs_commuted": {
                task.name: head_macs(config, task, commuted=True) for task in config.tasks
            },
            "resources": {
                kind: {"needed": need, "available": have}
                for kind, need, have in zip(
                    Resources._fields, self.needed, self.board.resources, strict=True
                )
            },
            "exceeded_resources": sorted(self.exceeded),
            "exceeded_limits": list(self.limits),
            "fits": self.fits,
            "reordering": _reordering_dict(self.reordering),
        }


def _reordering_dict(comparison: ReorderingComparison | None) -> dict[str, Any] | None:
    if comparison is None:
        return None
    return {
        "reordered": vars(comparison.reordered),
        "token_by_token": vars(comparison.token_by_token),
    }


def estimate(
    config: ModelConfig,
    board: BoardConfig,
    machine: MachineConfig,
    assumptions: Assumptions | None = None,
    *,
    compare: bool = False,
) -> Estimate:
    """Estimate ``config`` on ``machine`` against the resources of ``board``.

    Queues are taken as equal, with ``compare`` also token by token on random routing.

    Raises:
        ConfigurationError: a panel of the network exceeds the weight ring, or there is nothing
            to compare.
    """
    parts = units(machine, has_uram=board.has_uram)
    needed = Resources()
    for part in parts:
        needed = needed.plus(part.count)
    return Estimate(
        config=config,
        board=board,
        machine=machine,
        cycles=estimate_cycles(config, machine, None, assumptions),
        units=parts,
        needed=needed,
        limits=exceeded_limits(config, machine),
        reordering=(compare_reordering(config, machine, None, assumptions) if compare else None),
    )
