"""From command-line options to a training run."""

import argparse
from pathlib import Path

import torch
import torch.distributed as dist

from m3vit.hw.config import ModelConfig
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.presets import model_preset
from m3vit.model.checkpoint import load_checkpoint
from m3vit.model.evaluation import require_scene_tasks
from m3vit.model.train.batches import SceneSource, Source
from m3vit.model.train.dataset_source import DatasetSource, open_dataset
from m3vit.model.train.distributed import Processes, join, leave
from m3vit.model.train.loop import Trainer
from m3vit.model.train.losses import ORIGINAL_WEIGHTS, SCENE_WEIGHTS
from m3vit.model.train.outputs import Outputs
from m3vit.model.train.scene_cache import cached_scenes
from m3vit.model.train.settings import TrainSettings


def resolve_precision(name: str, device: torch.device) -> str:
    """``auto`` becomes bfloat16 on GPUs and on CPUs with matrix tiles, else float32."""
    if name != "auto":
        return name
    # A CPU without AMX emulates bfloat16 and would only lose time.
    fast = device.type == "cuda" or torch.cpu._is_amx_tile_supported()
    return "bfloat16" if fast else "float32"


def _settings(args: argparse.Namespace, device: torch.device, processes: int) -> TrainSettings:
    return TrainSettings(
        steps=args.steps,
        batch=args.batch,
        tasks_per_step=args.tasks_per_step,
        optimiser=args.optimiser,
        learning_rate=args.learning_rate,
        weight_decay=args.weight_decay,
        schedule=args.schedule,
        warmup=args.warmup,
        drop_path=args.drop_path,
        gate_noise=args.gate_noise,
        indecision_weight=args.indecision_weight,
        ema=args.ema,
        seed=args.seed,
        loss_weights=SCENE_WEIGHTS if args.data == "scenes" else ORIGINAL_WEIGHTS,
        precision=resolve_precision(args.precision, device),
        processes=processes,
    )


def _scenes(config: ModelConfig, count: int, cache: Path, processes: Processes) -> SceneSource:
    """The leading process renders, the others then read."""
    size = (config.image_height, config.image_width)
    if processes.leads:
        cached_scenes(cache, range(count), *size)
    if processes.size > 1:
        dist.barrier()
    return SceneSource(cached_scenes(cache, range(count), *size))


def _source(args: argparse.Namespace, config: ModelConfig, processes: Processes) -> Source:
    if args.data == "scenes":
        require_scene_tasks(config)
        return _scenes(config, args.scenes, args.cache, processes)
    if args.root is None:
        raise ConfigurationError(f"--data {args.data} needs --root, the folder of the data set")
    return DatasetSource(open_dataset(args.data, args.root, args.split, config), config)


def train(args: argparse.Namespace) -> Outputs | None:
    """Run the training that ``args`` (see `m3vit.model.verbs.train`) describe.

    Returns:
        What was written; None in processes that do not lead.
    """
    kind = "cuda" if torch.cuda.is_available() else "cpu"
    config = model_preset(args.preset)
    config = config.dense_twin() if args.dense else config
    processes = join(kind)
    try:
        device = torch.device(f"cuda:{processes.local_rank}" if kind == "cuda" else kind)
        settings = _settings(args, device, processes.size)
        source = _source(args, config, processes)
        outputs = Outputs(folder=args.out, save_every=args.save_every, log_every=args.log_every)
        trainer = Trainer(config, settings, source, outputs, device, processes)
        if args.start_from:
            trainer.start_from(load_checkpoint(args.start_from, config)[1])
        if args.resume:
            trainer.resume()
        trainer.run(args.stop_after)
    finally:
        leave(processes)
    return outputs if processes.leads else None
