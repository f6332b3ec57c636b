"""What a validation found out, for people and for scripts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from m3vit.host.devices.reference import ReferenceDevice
from m3vit.host.runtime import PHASES
from m3vit.host.validation.checks import Check
from m3vit.host.validation.golden import Reference
from m3vit.hw.record_table import text_table

FORMAT = "m3vit-validate-1"


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Everything; ``unreadable`` and ``unreadable_truth`` give the reason by image."""

    device: str
    golden: str
    package: str
    package_digest: str
    images: int
    checks: Sequence[Check]
    unreadable: Mapping[str, str] = field(default_factory=dict)
    unreadable_truth: Mapping[str, str] = field(default_factory=dict)
    scores: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    unscored: str = ""
    """Why there is no metric."""
    seconds: float

    @property
    def nok(self) -> int:
        """Checks that failed."""
        return sum(not check.ok for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return {
            "format": FORMAT,
            "device": self.device,
            "golden": self.golden,
            "package": self.package,
            "package_digest": self.package_digest,
            "images": self.images,
            "ok": len(self.checks) - self.nok,
            "nok": self.nok,
            "compared_integers": sum(check.compared for check in self.checks),
            "unreadable": dict(self.unreadable),
            "unreadable_truth": dict(self.unreadable_truth),
            "phases_ms": latencies(self.checks),
            "scores": dict(self.scores),
            "unscored": self.unscored,
            "seconds": self.seconds,
            "checks": [_plain(check) for check in self.checks],
        }


def _plain(check: Check) -> dict[str, Any]:
    return {
        "image": check.image,
        "task": check.task,
        "ok": check.ok,
        "problem": check.problem,
        "compared_integers": check.compared,
        "cycles": check.cycles,
        "phases_ms": {name: 1e3 * seconds for name, seconds in check.phases.items()},
    }


def latencies(checks: Sequence[Check]) -> dict[str, dict[str, float]]:
    """Median, least and most milliseconds of this host by phase, in order of the phases."""
    found = {}
    for name in PHASES:
        values = [1e3 * check.phases[name] for check in checks if name in check.phases]
        if values:
            found[name] = {"median": median(values), "least": min(values), "most": max(values)}
    return found


def render(summary: Summary) -> str:
    """Counts, latency, metrics, and every image that could not be read."""
    good, integers = len(summary.checks) - summary.nok, sum(c.compared for c in summary.checks)
    return "\n".join(
        [
            f"{summary.images} images on device {summary.device} against {summary.golden}, and "
            "the package's recorded sample:",
            f"{good} OK, {summary.nok} NOK, {len(summary.unreadable)} unreadable; {integers} "
            f"integers equal; {summary.seconds:.1f} s",
            *_same_twice(summary),
            *(f"unreadable: {reason}" for reason in summary.unreadable.values()),
            *(f"not scored: {reason}" for reason in summary.unreadable_truth.values()),
            "",
            _phase_table(summary),
            *_cycles(summary.checks),
            "",
            _score_table(summary),
        ]
    )


def _same_twice(summary: Summary) -> list[str]:
    if summary.golden != Reference.name or summary.device != ReferenceDevice.name:
        return []
    return [
        "(the images ran twice on the same reference, the sample is independent of it; with "
        "--quantised FILE the images are evaluated layer by layer)"
    ]


def _phase_table(summary: Summary) -> str:
    found = latencies(summary.checks)
    kinds = ("median", "least", "most")
    rows = [
        ("phase, ms of this host", *kinds),
        *((name, *(f"{values[kind]:.2f}" for kind in kinds)) for name, values in found.items()),
    ]
    return text_table(rows, (False, True, True, True))


def _cycles(checks: Sequence[Check]) -> list[str]:
    counted = [check.cycles for check in checks if check.cycles is not None]
    if not counted:
        return []
    return [
        f"cycles counted by the device: median {median(counted):.0f}, {min(counted)} to "
        f"{max(counted)}"
    ]


def _score_table(summary: Summary) -> str:
    if not summary.scores:
        return f"no metrics: {summary.unscored}"
    return text_table(
        [("task", "metric", ""), *map(score_row, summary.scores.items())], (False, False, True)
    )


def score_row(item: tuple[str, Mapping[str, Any]]) -> tuple[str, str, str]:
    """Task, metric and value of an entry of ``m3vit score --json``."""
    task, score = item
    value = "-" if score["value"] is None else f"{score['value']:.2f} {score['unit']}"
    better = "lower" if score["lower_is_better"] else "higher"
    return task, f"{score['metric']} ({better} is better)", value
