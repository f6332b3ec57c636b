"""``m3vit bench --device cuda``: all sizes, one device, records out."""

import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

import torch

from m3vit.hw.config import ModelConfig
from m3vit.hw.errors import ToolError
from m3vit.hw.files import write_text
from m3vit.hw.quantised import QuantisedModel
from m3vit.model.data.scenes import render_scene
from m3vit.model.gpu.bench.encoder_bench import EncoderResult, Meter, bench_floats, bench_integers
from m3vit.model.gpu.bench.layer_bench import LayerResult, Setting, bench_layer
from m3vit.model.gpu.bench.libraries import installed
from m3vit.model.gpu.bench.nvml import Nvml, energy_of, idle_watts
from m3vit.model.gpu.bench.roofline import measure_roofline
from m3vit.model.kernels.dispatch import kernels_for
from m3vit.model.network import M3ViT
from m3vit.model.quantise.calibrate import calibrate
from m3vit.model.quantise.export import export

MODELS = (
    "tiny-cityscapes", "tiny-224", "tiny-pascal", "tiny-nyud",
    "small-cityscapes", "small-224", "small-pascal", "small-nyud",
)  # fmt: skip
"""Tiny and Small at 129, 197, 1025 and 1201 tokens."""

BATCHES = (1, 4, 16, 64)
KINDS = {"bf16": torch.bfloat16, "fp16": torch.float16}

Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A whole run: what was measured, and on what."""

    environment: dict[str, Any]
    layers: list[LayerResult] = field(default_factory=list)
    encoders: list[EncoderResult] = field(default_factory=list)

    def lines(self) -> list[str]:
        """JSON lines: the environment, the layers, then common records of the encoders."""
        made = self.environment
        source = f"{made['command']}; {made['date']}; torch {made['torch']}, {made['kernels']}"
        return [
            json.dumps({"format": "m3vit-gpu-environment-1", **made}),
            *(json.dumps(each.to_dict()) for each in self.layers),
            *(each.record(made["device"], source).to_json() for each in self.encoders),
        ]


def setting_of(device: torch.device, kind: str, repeats: int, libraries: Sequence[str]) -> Setting:
    """Kernels by device, and its measured roofline."""
    return Setting(
        device=device,
        kind=KINDS[kind],
        kernels=kernels_for(device),
        roofline=measure_roofline(device, KINDS[kind]),
        repeats=repeats,
        libraries=libraries,
    )


def environment_of(setting: Setting, command: str, nvml: Nvml | None) -> dict[str, Any]:
    """Device, versions, limits, clocks: what a figure means nothing without."""
    on_gpu = setting.device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name() if on_gpu else platform.processor() or "CPU",
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": command,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "kernels": setting.kernels.name,
        "kind": str(setting.kind),
        "roofline": asdict(setting.roofline),
        "memory_bytes": torch.cuda.get_device_properties(0).total_memory if on_gpu else None,
        "state": asdict(nvml.state()) if nvml else None,
        "libraries": installed(),
    }


def counters(say: Progress) -> Nvml | None:
    """The device's own counters; None where the driver's library refuses, which is said."""
    try:
        return Nvml()
    except ToolError as error:
        say(f"energy and clocks are not measured: {error}")
        return None


@cache
def quantised_preset(config: ModelConfig) -> QuantisedModel:
    """``config`` with random weights as integers: speed does not depend on training."""
    torch.manual_seed(0)
    network = M3ViT(config).eval()
    scene = render_scene(0, config.image_height, config.image_width)
    return export(network, calibrate(network, [scene.image]))


def meter_of(nvml: Nvml | None) -> Meter | None:
    """Measures energy against the idle device's, which is measured now."""
    if nvml is None:
        return None
    idle_w = idle_watts(nvml)
    return lambda call, images: energy_of(nvml, call, images, idle_w)


def run_session(
    outcome: Outcome,
    configs: Sequence[ModelConfig],
    batches: Sequence[int],
    setting: Setting,
    meter: Meter | None,
    quantised: Callable[[ModelConfig], QuantisedModel],
    say: Progress,
) -> None:
    """Measure every size and batch into ``outcome``."""
    for config in configs:
        for batch in batches:
            say(f"{config.name}, batch {batch}")
            outcome.layers.append(bench_layer(config, batch, setting))
            outcome.encoders.extend(bench_floats(config, batch, setting, meter, say))
            model = quantised(config)
            outcome.encoders.append(bench_integers(model, batch, setting, meter))


def save(outcome: Outcome, path: Path) -> Path:
    """Write the JSON lines to ``path``, at once or not at all."""
    return write_text(path, "\n".join(outcome.lines()) + "\n")
