"""The table behind `make bench-rtl`: whole encoders on the ZCU104 machine in RTL simulation.

Every row's records are written as soon as they are there, and a row whose package and Verilog have
not changed is not run again; the cost model is asked each time.  Every result is compared with the
integer reference's.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from m3vit.host.devices.device import DeviceRun
from m3vit.host.devices.reference import ReferenceDevice
from m3vit.host.driver.device import AcceleratorDevice
from m3vit.host.driver.simulated import open_rtl
from m3vit.host.profile import profiles_of, write_profile
from m3vit.host.report import modelled
from m3vit.hw.compiler.compile import compile_model
from m3vit.hw.cost.macs import encoder_macs
from m3vit.hw.cost.report import CycleReport
from m3vit.hw.errors import M3vitError
from m3vit.hw.files import write_text
from m3vit.hw.formats import UInt8
from m3vit.hw.golden.embedding import patches
from m3vit.hw.machine import MachineConfig, machine_preset
from m3vit.hw.package import Package, read_package
from m3vit.hw.presets import model_preset
from m3vit.hw.record_table import text_table
from m3vit.hw.records import Evidence, Figure, ResultRecord, figure
from m3vit.hw.registers import COUNTERS
from m3vit.sim.rtl.verilog import build_folder, simulation_verilog
from tests.support.random_models import random_image, random_model

MACHINE = "zcu104"
SEED = 1
MODEL_DEVICE = "cost model"
WAITS = tuple(name for name in COUNTERS if name.startswith("ARRAY_") and name != "ARRAY_BUSY")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One encoder; millions of cycles, as the issue states them."""

    name: str
    floor: float | None = None
    """Of the whole chip, memory included."""
    target: float | None = None
    """Most cycles that are good enough."""


ROWS = (
    Row(name="tiny-cityscapes", floor=0.24, target=0.31),
    Row(name="tiny-cityscapes-k2", floor=0.39, target=0.47),
    Row(name="small-pascal", floor=9.20, target=11.0),
    Row(name="small-nyud", floor=11.34, target=13.6),
)
"""Random weights; the short ones first."""

HEADER = ("model", "tokens", "floor M", "target M", "rtl M", "model M", "diff %", "array %")
MORE = ("DRAM MB", "kcycles/s", "waits, % of the cycles (modelled)")


def random_package(row: Row, machine: MachineConfig, folder: Path) -> Package:
    """The row's package, compiled once."""
    path = folder / f"{row.name}-{machine.digest[:12]}"
    if not (path / "manifest.json").exists():
        _say(f"{row.name}: random weights, compiled for {machine.name}")
        compile_model(random_model(model_preset(row.name), SEED), machine, path)
    return read_package(path)


def reference(package: Package) -> DeviceRun:
    """What the integer reference makes of the bench's image."""
    with ReferenceDevice(package.machine) as device:
        device.load(package)
        return device.run(package, _tiles(package), 0)


def _tiles(package: Package) -> UInt8:
    return patches(random_image(package.config, SEED), package.config.patch)


def measure(
    package: Package, device: AcceleratorDevice, expected: DeviceRun, key: str, out: Path
) -> ResultRecord:
    """Run one image; the record of the RTL.

    Raises:
        M3vitError: the result is not the reference's.
    """
    platform: Any = device.accelerator.platform
    device.load(package)
    platform.profile(True)
    run = device.run(package, _tiles(package), 0)
    if not np.array_equal(run.result, expected.result):
        wrong = int((run.result != expected.result).sum())
        raise M3vitError(f"{package.config.name}: {wrong} values differ from the reference's")
    for profile in profiles_of(platform.profiled(), package):
        write_profile(out / package.config.name, profile)
    device.accelerator.unload(package)
    return _counted(package, run, key)


def _counted(package: Package, run: DeviceRun, key: str) -> ResultRecord:
    counters = run.counters
    cycles = counters["CYCLES"]
    shares = {"array": counters["ARRAY_BUSY"] / cycles}
    shares |= {name.lower(): counters[name] / cycles for name in WAITS}
    clock = package.machine.clock_mhz
    source = f"verilog {key}"
    rtl = {
        "cycles": cycles,
        "latency_ms": cycles / clock / 1e3,
        "dram_bytes": run.dram_bytes,
        "utilisation": shares,
        "saturations": run.saturations,
    }
    figures = {name: figure(name, value, Evidence.RTL, source) for name, value in rtl.items()}
    figures["clock_mhz"] = figure("clock_mhz", clock, Evidence.MODELLED, "the machine's target")
    seconds = {"run": 1e3 * run.phases["run"]}
    figures["phases_ms"] = figure("phases_ms", seconds, Evidence.MEASURED, "of the simulation")
    return _record(package, "rtl", figures)


def _modelled(package: Package, cost: CycleReport) -> ResultRecord:
    shares = {"array": cost.busy / cost.total}
    shares |= {name.lower(): cost.lost[_cause(name)] / cost.total for name in WAITS}
    values = {
        "cycles": cost.total,
        "latency_ms": cost.latency_ms,
        "dram_bytes": cost.dram_total,
        "utilisation": shares,
    }
    figures = {name: figure(name, value, Evidence.MODELLED) for name, value in values.items()}
    return _record(package, MODEL_DEVICE, figures)


def _cause(counter: str) -> str:
    """The cost model's name of what a counter counts."""
    return counter.lower().removeprefix("array_").removeprefix("wait_")


def _record(package: Package, device: str, figures: dict[str, Figure]) -> ResultRecord:
    # Only records that state their work share a row of `m3vit compare`.
    work = {"tokens": package.config.tokens, "macs": encoder_macs(package.config)}
    stated = {name: figure(name, value, Evidence.MODELLED) for name, value in work.items()}
    return ResultRecord(
        model=package.config.name,
        task=package.config.task_names[0],
        device=device,
        image=f"random, seed {SEED}",
        package_digest=package.digest,
        figures={**stated, **figures},
    )


class Results:
    """A file of records, one a line; rows of the bench take each other's place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_text().splitlines() if path.exists() else []
        self._records = [ResultRecord.from_json(line) for line in lines if line.strip()]

    def of(self, package: Package, key: str) -> ResultRecord | None:
        """The RTL's record of this package and Verilog, if there is one."""
        found = [
            one
            for one in self._records
            if one.package_digest == package.digest and one.device == "rtl" and key in _source(one)
        ]
        return found[-1] if found else None

    def put(self, records: Sequence[ResultRecord]) -> None:
        """Add records and write the file; older ones of the same model and device go."""
        places = {(one.model, one.device) for one in records}
        kept = [one for one in self._records if (one.model, one.device) not in places]
        self._records = [*kept, *records]
        write_text(self.path, "".join(one.to_json() + "\n" for one in self._records))


def _source(record: ResultRecord) -> str:
    return record.figures["cycles"].source


def line(row: Row, rtl: ResultRecord, model: ResultRecord) -> list[str]:
    """A row of the table."""
    cycles, expected = rtl.value("cycles"), model.value("cycles")
    shares, estimated = dict(rtl.value("utilisation")), model.value("utilisation")
    busy = shares.pop("array")
    waits = sorted(shares.items(), key=lambda item: -item[1])
    named = (
        f"{_cause(name)} {100 * share:.1f} ({100 * estimated[name]:.1f})"
        for name, share in waits
        if share >= 0.0005
    )
    return [
        rtl.model,
        str(rtl.value("tokens")),
        _millions(row.floor),
        _millions(row.target),
        f"{cycles / 1e6:.3f}" + ("" if row.target is None or cycles <= row.target * 1e6 else " !"),
        f"{expected / 1e6:.3f}",
        f"{100 * (expected / cycles - 1):+.1f}",
        f"{100 * busy:.1f}",
        f"{rtl.value('dram_bytes') / 1e6:.2f}",
        f"{cycles / rtl.value('phases_ms')['run']:.0f}",
        " ".join(named),
    ]


def _millions(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="bench-rtl", description=__doc__)
    parser.add_argument("rows", nargs="*", help=f"of {', '.join(row.name for row in ROWS)}")
    parser.add_argument("--package", type=Path, action="append", default=[], help="run this too")
    parser.add_argument("--machine", default=MACHINE, help="machine preset")
    parser.add_argument("--device", default="", help="options of the memory: latency=60,rate=45.7")
    parser.add_argument("--out", type=Path, default=Path("results/rtl.jsonl"))
    parser.add_argument("--profiles", type=Path, default=Path("build/bench-rtl"))
    parser.add_argument("--again", action="store_true", help="run rows that are there already")
    args = parser.parse_args(arguments)
    machine = machine_preset(args.machine)
    key = simulation_verilog(machine, build_folder()).stem
    results, lines = Results(args.out), []
    for row, package in _packages(args, machine):
        expected = reference(package)
        rtl = None if args.again else results.of(package, key)
        if rtl is None:
            _say(f"{row.name}: {package.config.tokens} tokens in RTL simulation")
            with open_rtl(machine, args.device) as device:
                rtl = measure(package, device, expected, key, args.profiles)
        model = _modelled(package, modelled(package, expected.plans))
        results.put([rtl, model])
        lines.append(line(row, rtl, model))
        print(text_table([[*HEADER, *MORE], *lines], [False] + [True] * 9 + [False]), flush=True)
    print(f"'!': above the target; profiles in {args.profiles}, records in {args.out}")
    return 0


def _packages(args: argparse.Namespace, machine: MachineConfig) -> Iterator[tuple[Row, Package]]:
    for path in args.package:
        package = read_package(path)
        yield Row(name=package.config.name), package
    for row in ROWS:
        if not args.rows or row.name in args.rows:
            yield row, random_package(row, machine, args.profiles)


if __name__ == "__main__":
    sys.exit(main())
