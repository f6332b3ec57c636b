"""A power measurement as result record, as text, and its readings as lines of JSON."""

import json
from collections.abc import Sequence

from m3vit.host.power.measure import Measurement
from m3vit.hw.cost.macs import encoder_macs
from m3vit.hw.package import Package
from m3vit.hw.record_table import text_table
from m3vit.hw.records import Evidence, Figure, ResultRecord, figure


def record_of(package: Package, device: str, image: str, one: Measurement) -> ResultRecord:
    """Energy and latency measured; tokens and MACs follow from the network."""
    energy = one.energy
    power = (
        f"rails {', '.join(energy.run_by_rail)}: {energy.run_w:.3f} W at work, {energy.idle_w:.3f} "
        f"W at rest subtracted, +- {energy.error_mj:.3g} mJ; with rest {energy.gross_mj:.3f} mJ"
    )
    wall = f"wall clock of {energy.images} images in {energy.seconds:.2f} s, host's part included"
    figures: dict[str, Figure] = {
        "tokens": figure("tokens", package.config.tokens, Evidence.MODELLED),
        "macs": figure("macs", encoder_macs(package.config), Evidence.MODELLED, "encoder"),
        "energy_mj": figure("energy_mj", energy.net_mj, Evidence.MEASURED, power),
        "latency_ms": figure("latency_ms", 1e3 * energy.seconds_per_image, Evidence.MEASURED, wall),
    }
    if one.cycles is not None:
        counter = f"cycle counter of device {device}"
        figures["cycles"] = figure("cycles", one.cycles, Evidence.MEASURED, counter)
    return ResultRecord(
        model=package.config.name,
        task=one.task,
        device=device,
        image=image,
        package_digest=package.digest,
        figures=figures,
    )


def render(measurements: Sequence[Measurement]) -> str:
    """Each task's energy, then the rails of the last."""
    head = ("task", "images", "ms", "W at rest", "W at work", "mJ/image", "+-", "with rest")
    rows = [head, *map(_row, measurements)]
    last = measurements[-1].energy
    rails = [
        (name, f"{last.idle_by_rail[name]:.3f}", f"{watts:.3f}")
        for name, watts in last.run_by_rail.items()
    ]
    return "\n".join(
        [
            text_table(rows, (False, *[True] * 7)),
            "(measured; rest is read before and after and subtracted)",
            "",
            text_table([("rail", "W at rest", "W at work"), *rails], (False, True, True)),
        ]
    )


def _row(one: Measurement) -> tuple[str, ...]:
    energy = one.energy
    return (
        one.task,
        str(energy.images),
        f"{1e3 * energy.seconds_per_image:.3f}",
        f"{energy.idle_w:.3f}",
        f"{energy.run_w:.3f}",
        f"{energy.net_mj:.3f}",
        f"{energy.error_mj:.3f}",
        f"{energy.gross_mj:.3f}",
    )


def readings(measurements: Sequence[Measurement]) -> str:
    """Every reading as a line of JSON: task, part, seconds, watts by rail."""
    lines = [
        json.dumps(
            {
                "task": one.task,
                "part": part,
                "seconds": float(moment),
                "watts": dict(zip(samples.names, map(float, row), strict=True)),
            }
        )
        for one in measurements
        for part, samples in one.samples.items()
        for moment, row in zip(samples.times, samples.watts, strict=True)
    ]
    return "\n".join(lines) + "\n"
