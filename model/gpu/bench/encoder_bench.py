"""The whole encoder: our float and integer paths, and the same network on each baseline."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle

import torch
from torch import Tensor

from m3vit.hw.config import ModelConfig
from m3vit.hw.cost.macs import encoder_macs, head_macs
from m3vit.hw.quantised import QuantisedModel
from m3vit.hw.records import Evidence, ResultRecord, figure
from m3vit.model.gpu.bench.baselines import Variant
from m3vit.model.gpu.bench.layer import layer_of
from m3vit.model.gpu.bench.layer_bench import Setting, variants_of
from m3vit.model.gpu.bench.nvml import Energy
from m3vit.model.gpu.bench.recording import recorded
from m3vit.model.gpu.bench.statistics import Timing
from m3vit.model.gpu.bench.timing import Call, count_launches, measure, rotation
from m3vit.model.gpu.float_encoder import FloatEncoder, Mixture
from m3vit.model.gpu.graphs import Graphs
from m3vit.model.gpu.integer_encoder import IntegerEncoder
from m3vit.model.gpu.moe_layer import MoeLayer
from m3vit.model.network import M3ViT

Meter = Callable[[Callable[[], object], int], Energy]
"""Energy of a call that runs so many images."""


@dataclass(frozen=True, kw_only=True)
class EncoderResult:
    """One way to run the encoder on one batch."""

    config: ModelConfig
    task: str
    macs: int
    """Of one image."""
    variant: str
    batch: int
    timing: Timing
    """Of the whole batch."""
    launches: int
    memory_bytes: int
    """Most that the device held while it ran, weights included; 0 where it is not counted."""
    energy: Energy | None

    def record(self, device: str, source: str) -> ResultRecord:
        """The common record: milliseconds and millijoules of one image of the batch."""
        measured = partial(figure, evidence=Evidence.MEASURED, source=source)
        figures = {
            "tokens": figure("tokens", self.config.tokens, Evidence.MODELLED),
            "macs": figure("macs", self.macs, Evidence.MODELLED),
            "latency_ms": measured("latency_ms", self.timing.median_ms / self.batch),
        }
        if self.energy is not None:
            figures["energy_mj"] = measured("energy_mj", self.energy.per_image_mj)
        if self.memory_bytes:
            figures["memory_bytes"] = measured("memory_bytes", self.memory_bytes)
        return ResultRecord(
            model=self.config.name,
            task=self.task,
            device=f"{device}, {self.variant}, batch {self.batch}",
            figures=figures,
        )


def bench_floats(
    config: ModelConfig,
    batch: int,
    setting: Setting,
    meter: Meter | None,
    say: Callable[[str], None],
) -> Iterator[EncoderResult]:
    """Ours and every baseline, then the network whose odd blocks are dense, for the first task."""
    network = M3ViT(config).eval()
    encoder = FloatEncoder(network, setting.device, setting.kind, setting.kernels)
    inputs = rotation(partial(_images, config, batch, setting.device))
    own = dict(encoder.mixtures)
    for number, (name, recordable, mixtures) in enumerate(_ways(encoder, setting)):
        encoder.mixtures = mixtures
        try:
            call = partial(_features, encoder)
            result = _measured(config, name, call, inputs, recordable, setting, meter)
        except RuntimeError as error:  # a baseline may lack memory, a type, a compiler
            if number == 0:
                raise
            say(f"{config.name}, batch {batch}: {name} does not run here: {error}")
        else:
            yield result
    encoder.mixtures = dict(own)
    yield from _whole(encoder, inputs, setting, meter)
    twin = config.dense_twin()
    dense = FloatEncoder(M3ViT(twin).eval(), setting.device, setting.kind, setting.kernels)
    call = partial(_features, dense)
    yield _measured(twin, f"dense twin {_kind(setting)}", call, inputs, True, setting, meter)


def bench_integers(
    model: QuantisedModel, batch: int, setting: Setting, meter: Meter | None
) -> EncoderResult:
    """The integer path, equal to the reference, for the first task."""
    encoder = IntegerEncoder(model, setting.device, setting.kernels)
    shape = (batch, model.config.tokens - 1, model.config.patch_elements)

    def make(seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        codes = torch.randint(-128, 128, shape, generator=generator, dtype=torch.int8)
        return codes.to(setting.device)

    call = partial(_integers, encoder)
    inputs = rotation(make)
    return _measured(
        model.config, "int8 ours", call, inputs, setting.kernels.recordable, setting, meter
    )


def _whole(
    encoder: FloatEncoder, inputs: Sequence[Tensor], setting: Setting, meter: Meter | None
) -> Iterator[EncoderResult]:
    """Ours with the task changing at every call, and ours with the first task's head."""
    config, kind, recordable = encoder.config, _kind(setting), setting.kernels.recordable
    graphs = Graphs(encoder.features, recordable=recordable)
    for task in range(len(config.tasks)):
        graphs(inputs[0], task)  # recorded before the clock runs
    turns = cycle(range(len(config.tasks)))

    def switching(images: Tensor) -> Tensor:
        return graphs(images, next(turns))

    # Not recorded again: the graphs are inside the call, which copies the images into them.
    name = f"{kind} ours, another task at every call"
    yield _measured(config, name, switching, inputs, False, setting, meter)
    head = head_macs(config, config.tasks[0])
    call, name = partial(_prediction, encoder), f"{kind} ours, encoder and head"
    yield _measured(config, name, call, inputs, recordable, setting, meter, head)


def _prediction(encoder: FloatEncoder, images: Tensor) -> Tensor:
    return encoder.predict(images, 0)


def _kind(setting: Setting) -> str:
    return str(setting.kind).removeprefix("torch.")


def _images(config: ModelConfig, batch: int, device: torch.device, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, 3, config.image_height, config.image_width)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8).to(device)


def _features(encoder: FloatEncoder, images: Tensor) -> Tensor:
    return encoder.features(images, 0)


def _integers(encoder: IntegerEncoder, tiles: Tensor) -> Tensor:
    return encoder(tiles, 0).result


def _ways(
    encoder: FloatEncoder, setting: Setting
) -> Iterator[tuple[str, bool, dict[int, Mixture]]]:
    """Name, whether a graph holds it, and the mixtures of every implementation of the layer."""
    own = {block: each for block, each in encoder.mixtures.items() if isinstance(each, MoeLayer)}
    tables = {block: variants_of(layer_of(mixture, 0), setting) for block, mixture in own.items()}
    for number, variant in enumerate(next(iter(tables.values()))):
        if variant.same_result:
            mixtures = {block: _mixture(row[number]) for block, row in tables.items()}
            yield f"{_kind(setting)} {variant.name}", variant.recordable, mixtures


def _mixture(variant: Variant) -> Mixture:
    return lambda h, residual, task: variant.run(h, residual)


def _measured(
    config: ModelConfig,
    name: str,
    call: Call,
    inputs: Sequence[Tensor],
    recordable: bool,
    setting: Setting,
    meter: Meter | None,
    extra_macs: int = 0,
) -> EncoderResult:
    on_gpu = setting.device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    launches = count_launches(call, inputs[0])
    held = recorded(call, inputs) if recordable else call
    timing = measure(held, inputs, setting.repeats)
    peak = torch.cuda.max_memory_allocated() if on_gpu else 0

    def waited() -> None:
        held(inputs[0])
        if on_gpu:
            torch.cuda.synchronize()

    return EncoderResult(
        config=config,
        task=config.task_names[0],
        macs=encoder_macs(config) + extra_macs,
        variant=name,
        batch=len(inputs[0]),
        timing=timing,
        launches=launches,
        memory_bytes=peak,
        energy=meter(waited, len(inputs[0])) if meter else None,
    )
