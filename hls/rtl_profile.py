"""Cycles of layers as counted in simulation of the RTL.

Read from the file that ``m3vit run --device rtl --profile`` and ``make bench-rtl`` write.  Its
steps say what the *sequencer* works on; the array follows at most four passes behind, which is a
whole projection where there are many tokens.  So the steps of gate and MLP, first to last cycle,
hold passes of the layer before (of small-pascal an eighth of gate and experts).  A layer has

* the cycles of its steps in which the array did not work, as counted, and
* the cycles in which the array works on it: of experts those counted in their step, for the array
  is empty when it begins (they wait for the gate) and when it ends; of a gate and an MLP those of
  their passes, which sizes alone decide.  The latter are ``hw.cost``'s, and a profile is refused
  unless they add up: outside the experts' steps the array must have worked exactly as long as
  ``hw.cost`` says of everything but experts.

The step of LayerNorm before them lies under passes of the projection and belongs to it; where the
array waits for LayerNorm, the wait is in the steps of gate and MLP.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m3vit.hw.config import ModelConfig
from m3vit.hw.cost.report import CycleReport
from m3vit.hw.errors import M3vitError
from m3vit.hw.machine import MachineConfig

FORMAT = "m3vit-profile-1"
MLP, GATE, EXPERTS = LAYERS = ("mlp", "gate", "experts")
"""Layers of a profile and phases of the cost model that the kernels cover."""


class RtlProfileError(M3vitError):
    """A profile cannot be read, or counts another model, machine or package."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One command, in cycles since the start."""

    first: int
    last: int
    busy: int
    """Cycles in which the array worked, on whatever command."""

    @property
    def cycles(self) -> int:
        """First to last cycle, both included."""
        return self.last - self.first + 1


@dataclass(frozen=True, kw_only=True)
class RtlProfile:
    """What was counted of one run, for the layers that kernels cover."""

    model: str
    machine: str
    digest: str
    """Of the package that ran."""
    steps: Mapping[tuple[int, str], Step]
    """By block and layer."""
    busy: int
    """Cycles in which the array worked, all steps together."""

    def require(self, config: ModelConfig, machine: MachineConfig, digest: str = "") -> None:
        """Refuse figures of something else.

        Args:
            config: the model that was estimated.
            machine: the machine that was estimated.
            digest: of the package; empty where a preset was estimated.

        Raises:
            RtlProfileError: model, machine or package differ.
        """
        expected = {"model": config.name, "machine": machine.name}
        expected |= {"digest": digest} if digest else {}
        for name, wanted in expected.items():
            found = getattr(self, name)
            if found != wanted:
                raise RtlProfileError(
                    f"profile: its {name} is {found!r}, expected {wanted!r}; count that one with "
                    "`m3vit run --device rtl --profile`"
                )

    def cycles(self, config: ModelConfig, report: CycleReport) -> list[int]:
        """Cycles of each block's MLP, or gate and experts, as the module's text says.

        Args:
            config: the model; its layers must be there.
            report: of that model on that machine; only passes are used that do not depend on the
                routing.

        Raises:
            RtlProfileError: a layer was not counted, or the array did not work as long as the
                passes say.
        """
        self._require_layers(config)
        self._require_passes(report)
        passes = {(part.block, part.phase): part.busy for part in report.phases}
        return [self._block(block, config.is_moe(block), passes) for block in range(config.blocks)]

    def _require_layers(self, config: ModelConfig) -> None:
        for block in range(config.blocks):
            for layer in (GATE, EXPERTS) if config.is_moe(block) else (MLP,):
                if (block, layer) not in self.steps:
                    raise RtlProfileError(
                        f"profile: no step of block {block}'s {layer}, expected one of every layer"
                    )

    def _require_passes(self, report: CycleReport) -> None:
        experts = (step.busy for (_, layer), step in self.steps.items() if layer == EXPERTS)
        found = self.busy - sum(experts)
        expected = sum(part.busy for part in report.phases if part.phase != EXPERTS)
        if found != expected:
            raise RtlProfileError(
                f"profile: outside experts the array worked {found} cycles, expected {expected} as "
                "hw.cost says; count this version of the RTL with `make bench-rtl`"
            )

    def _block(self, block: int, moe: bool, passes: Mapping[tuple[int, str], int]) -> int:
        first = (block, GATE if moe else MLP)
        last = (block, EXPERTS) if moe else first
        begin, end = self.steps[first], self.steps[last]
        return end.last - begin.first + 1 - begin.busy + passes[first]


def read_rtl_profile(path: Path) -> RtlProfile:
    """The profile at ``path``.

    Raises:
        RtlProfileError: it cannot be read, is of another format or malformed.
    """
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RtlProfileError(f"profile: cannot read {path}: {error}") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise RtlProfileError(
            f"profile: {path} is not of format {FORMAT!r}, expected what `m3vit run --device rtl "
            "--profile` writes"
        )
    try:
        texts = {name: str(values[name]) for name in ("model", "machine", "digest")}
        busy = sum(int(each["counts"]["ARRAY_BUSY"]) for each in values["steps"])
        return RtlProfile(**texts, steps=_steps(values["steps"]), busy=busy)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RtlProfileError(f"profile: {path} is malformed: {error!r}") from error


def _steps(values: list[dict[str, Any]]) -> dict[tuple[int, str], Step]:
    found: dict[tuple[int, str], Step] = {}
    for each in values:
        if each["layer"] not in LAYERS:
            continue
        key = (int(each["block"]), str(each["layer"]))
        step = Step(
            first=int(each["first"]),
            last=int(each["last"]),
            busy=int(each["counts"]["ARRAY_BUSY"]),
        )
        if key in found:
            raise ValueError(f"two steps of block {key[0]}'s {key[1]}")
        if not 0 <= step.busy <= step.cycles:
            raise ValueError(f"{step.busy} busy cycles among {step.cycles} in step {key}")
        found[key] = step
    return found
