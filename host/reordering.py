"""What computation reordering saves: one package on one device, with it and without.

The commands differ in a flag of EXPERTS, the integers do not differ at all.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from m3vit.host.devices.device import Device, DeviceRun
from m3vit.host.devices.reference import ReferenceDevice
from m3vit.host.exactness import same_integers
from m3vit.host.report import modelled
from m3vit.hw.commands.fields import Flag, Op
from m3vit.hw.commands.order import in_token_order, is_routed
from m3vit.hw.cost.reordering import cached_experts
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.formats import Int8
from m3vit.hw.layout.sizes import expert_bytes
from m3vit.hw.package import Package
from m3vit.hw.record_table import text_table
from m3vit.hw.records import Evidence, Figure, ResultRecord, figure
from m3vit.hw.routing import RoutingPlan

WAYS = ("expert by expert", "token by token")
MODEL_DEVICE = "cost model"
_ROWS = (
    ("experts fetched", "experts_fetched", 1, 0),
    ("MB of DRAM", "dram_bytes", 1e6, 3),
    ("k cycles", "cycles", 1e3, 1),
    ("ms", "latency_ms", 1, 3),
    ("KiB on chip for experts", "memory_bytes", 1024, 1),
)


def both_ways(package: Package) -> tuple[Package, Package]:
    """``package`` with reordering and without; what differs has another digest.

    Raises:
        ConfigurationError: it has no experts, or was compiled without reordering.
    """
    routed = [command for command in package.commands if is_routed(command)]
    if not routed or not all(command.flags & Flag.REORDER for command in routed):
        raise ConfigurationError(
            f"package {package.path} has no experts that are reordered, expected a mixture that "
            "was compiled without --no-reorder"
        )
    digest = hashlib.sha256(f"{package.digest} {WAYS[1]}".encode()).hexdigest()
    other = replace(package, commands=in_token_order(package.commands), digest=digest)
    return package, other


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Both ways on one image, counted and modelled; the integers were compared and are equal."""

    package: Package
    task: str
    counted: tuple[ResultRecord, ResultRecord]
    modelled: tuple[ResultRecord, ResultRecord]

    @property
    def records(self) -> Sequence[ResultRecord]:
        """All four."""
        return (*self.counted, *self.modelled)

    def text(self) -> str:
        """Side by side, each column under its evidence."""
        machine, config = self.package.machine, self.package.config
        kinds = [one.figures["cycles"].evidence.value for one in self.records]
        header = [f"{config.name}, {self.task}, {machine.name}", *WAYS, "ratio", *WAYS]
        kept = str(cached_experts(config, machine))
        rows = [
            ["", *kinds[:2], "", *kinds[2:]],
            *([title, *self._row(name, unit, digits)] for title, name, unit, digits in _ROWS),
            ["whole experts kept in it", "0", kept, "", "0", kept],
        ]
        size = expert_bytes(machine, config.width, config.expert_hidden) / 1024
        return (
            f"{text_table([header, *rows], [False] + [True] * 5)}\n"
            "(equal integers, compared with the reference's; the memory is the weight ring, the "
            f"same both ways: an\nexpert has {size:.1f} KiB, the {config.experts} of a block "
            f"{config.experts * size:.0f} KiB)"
        )

    def _row(self, name: str, unit: float, digits: int) -> list[str]:
        counted, expected = (
            [record.value(name) / unit for record in records]
            for records in (self.counted, self.modelled)
        )
        cells = [f"{value:.{digits}f}" for value in (*counted, *expected)]
        return [*cells[:2], f"{counted[1] / counted[0]:.2f}", *cells[2:]]


def compare_ways(
    package: Package, device: Device, tiles: Int8, task: int, image: str
) -> Comparison:
    """Run patches ``tiles`` for ``task`` with reordering and without.

    Raises:
        ConfigurationError: see :func:`both_ways`; or the device counts no cycles.
        DeviceError: the device failed, or a result is not the reference's.
    """
    ways = both_ways(package)
    with ReferenceDevice(package.machine) as reference:
        reference.load(package)
        expected = reference.run(package, tiles, task)
    counted = []
    for name, way in zip(WAYS, ways, strict=True):
        device.load(way)
        run = device.run(way, tiles, task)
        same_integers(f"result {name}", run.result, expected.result)
        counted.append(_counted(way, run, device.name))
    figures = [*counted, *(_modelled(way, expected.plans) for way in ways)]
    names = [device.name, MODEL_DEVICE]
    records = [
        ResultRecord(
            model=package.config.name,
            task=package.config.task_names[task],
            device=f"{names[index // 2]}, {WAYS[index % 2]}",
            image=image,
            package_digest=ways[index % 2].digest,
            figures=each,
        )
        for index, each in enumerate(figures)
    ]
    return Comparison(
        package=package,
        task=package.config.task_names[task],
        counted=(records[0], records[1]),
        modelled=(records[2], records[3]),
    )


def _counted(package: Package, run: DeviceRun, device: str) -> dict[str, Figure]:
    if run.cycles is None or run.dram_bytes is None or "EXPERTS_LOADED" not in run.counters:
        raise ConfigurationError(f"device {device} counts no cycles, expected rtl or a board")
    dense = sum(
        command["experts"]
        for command in package.commands
        if command.op is Op.EXPERTS and not is_routed(command)
    )
    values = {
        "cycles": run.cycles,
        "latency_ms": run.cycles / (1e3 * package.machine.clock_mhz),
        "dram_bytes": run.dram_bytes,
        "experts_fetched": run.counters["EXPERTS_LOADED"] - dense,
        "saturations": run.saturations,
    }
    return _figures(package, values, run.evidence, f"counted by device {device}")


def _modelled(package: Package, plans: Mapping[int, RoutingPlan]) -> dict[str, Figure]:
    cost = modelled(package, plans)
    size = expert_bytes(package.machine, package.config.width, package.config.expert_hidden)
    values = {
        "cycles": cost.total,
        "latency_ms": cost.latency_ms,
        "dram_bytes": cost.dram_total,
        "experts_fetched": cost.dram_bytes["experts"] // size,
    }
    return _figures(package, values, Evidence.MODELLED, "cost model, this image's routing")


def _figures(
    package: Package, values: Mapping[str, object], evidence: Evidence, source: str
) -> dict[str, Figure]:
    machine = package.machine
    fixed = {"clock_mhz": machine.clock_mhz, "memory_bytes": machine.ring_bytes}
    return {
        **{
            name: figure(name, value, Evidence.MODELLED, f"machine {machine.name}")
            for name, value in {"tokens": package.config.tokens, **fixed}.items()
        },
        **{name: figure(name, value, evidence, source) for name, value in values.items()},
    }
