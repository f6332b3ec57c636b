"""Speed of the integer reference as a ratio to a float32 PyTorch pass of the same encoder.

Both run in this process, in turns, on the same rotating images, after a warm-up, with as many
threads as PyTorch and BLAS take; medians are reported.
"""

import os
import resource
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from m3vit.hw.commands.fields import Base
from m3vit.hw.compiler.program import emit_program
from m3vit.hw.config import ModelConfig
from m3vit.hw.cost.macs import encoder_macs
from m3vit.hw.executor.engine import Engine, image_bytes
from m3vit.hw.formats import UInt8
from m3vit.hw.golden.embedding import patches
from m3vit.hw.machine import machine_preset
from m3vit.hw.presets import model_preset
from m3vit.hw.records import Evidence, ResultRecord, figure
from m3vit.model.data.scenes import render_scene
from m3vit.model.images import to_tensor
from m3vit.model.network import M3ViT
from m3vit.model.quantise.calibrate import calibrate
from m3vit.model.quantise.export import export

LIMIT_MS = {"tiny-cityscapes": 500.0, "small-pascal": 20_000.0}
"""What the reference shall take at most on two cores, after loading."""

IMAGES = 3
SEED = 0

Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Medians over ``repeats`` turns."""

    model: str
    threads: int
    repeats: int
    reference_ms: float
    float32_ms: float
    run_megabytes: float
    """Largest memory that one run of the reference allocates at a time, weights excluded."""
    process_megabytes: float
    """Largest resident size of this process so far."""
    macs: int

    @property
    def ratio(self) -> float:
        """Reference over float32: how many times slower the integers are."""
        return self.reference_ms / self.float32_ms

    @property
    def limit_ms(self) -> float | None:
        """What the project asks for, where it asks."""
        return LIMIT_MS.get(self.model)

    def records(self) -> list[ResultRecord]:
        """One record a device."""
        macs = figure("macs", self.macs, Evidence.MODELLED, "encoder, one image")
        source = f"median of {self.repeats} on {self.threads} threads, this host"
        return [
            ResultRecord(
                model=self.model,
                task="encoder",
                device=device,
                figures={
                    "macs": macs,
                    "latency_ms": figure("latency_ms", value, Evidence.MEASURED, source),
                },
            )
            for device, value in (
                ("reference", self.reference_ms),
                ("torch-float32", self.float32_ms),
            )
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return {
            "model": self.model,
            "threads": self.threads,
            "processors": os.cpu_count(),
            "repeats": self.repeats,
            "reference_ms": self.reference_ms,
            "float32_ms": self.float32_ms,
            "ratio": self.ratio,
            "limit_ms": self.limit_ms,
            "run_megabytes": self.run_megabytes,
            "process_megabytes": self.process_megabytes,
            "records": [record.to_dict() for record in self.records()],
        }


def measure(name: str, repeats: int, progress: Progress) -> Speed:
    """Time the encoder of preset ``name`` with random weights.

    Raises:
        ConfigurationError: there is no such preset.
    """
    preset = model_preset(name)
    # The encoder does not depend on the tasks but for its gates: one head is enough to calibrate.
    return measure_config(replace(preset, tasks=preset.tasks[:1]), repeats, progress)


def measure_config(config: ModelConfig, repeats: int, progress: Progress) -> Speed:
    """Time the encoder of ``config``; see :func:`measure`."""
    torch.manual_seed(SEED)
    network = M3ViT(config).eval()
    size = (config.image_height, config.image_width)
    images = [render_scene(seed, *size).image for seed in range(IMAGES)]
    progress(f"{config.name}: random weights to integers")
    engine = _engine(network, images[:1])
    integers = [partial(_run, engine, config, patches(image, config.patch)) for image in images]
    floats = [partial(_forward, network, to_tensor(image)[None]) for image in images]
    progress(f"{config.name}: {repeats} turns of both")
    seconds = _alternate(integers, floats, repeats)
    return Speed(
        model=config.name,
        threads=torch.get_num_threads(),
        repeats=repeats,
        reference_ms=1e3 * statistics.median(seconds[0]),
        float32_ms=1e3 * statistics.median(seconds[1]),
        run_megabytes=_peak(integers[0]) / 1e6,
        process_megabytes=_resident() / 1e6,
        macs=encoder_macs(config),
    )


def _engine(network: M3ViT, images: Sequence[NDArray[np.uint8]]) -> Engine:
    model, machine = export(network, calibrate(network, images)), machine_preset("zcu104")
    program = emit_program(model, machine)
    return Engine(tuple(program.commands), program.memory.data, machine)


def _run(engine: Engine, config: ModelConfig, tiles: NDArray[np.int8]) -> UInt8:
    result: UInt8 = np.zeros(2 * config.tokens * config.width, np.uint8)
    engine.run({Base.IMAGE: image_bytes(tiles), Base.RESULT: result}, task=0)
    return result


@torch.no_grad()
def _forward(network: M3ViT, images: Tensor) -> Tensor:
    return network.features(images, network.config.task_names[0])


def _alternate(
    first: Sequence[Callable[[], object]], second: Sequence[Callable[[], object]], repeats: int
) -> tuple[list[float], list[float]]:
    """Seconds of both, in turns over the images, after one untimed turn each."""
    first[0](), second[0]()
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(repeats):
        for actions, times in zip((first, second), seconds, strict=True):
            started = time.perf_counter()
            actions[turn % len(actions)]()
            times.append(time.perf_counter() - started)
    return seconds


def _peak(action: Callable[[], object]) -> int:
    """Bytes that ``action`` holds at most; numpy reports its arrays to tracemalloc."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _resident() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
