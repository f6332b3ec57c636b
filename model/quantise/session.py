"""One run of ``m3vit quantize``: calibrate, export, correct biases, compare."""

import argparse
import sys

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.presets import model_preset
from m3vit.hw.quantised import QuantisedModel
from m3vit.model.checkpoint import load_network
from m3vit.model.network import M3ViT
from m3vit.model.quantise.calibrate import calibrate
from m3vit.model.quantise.correction import correct_biases
from m3vit.model.quantise.export import export
from m3vit.model.quantise.images import Images, folder_images, scene_images
from m3vit.model.quantise.report import Record, compare_on_scenes
from m3vit.model.quantise.targets import collect_targets


def say(text: str) -> None:
    """Progress for people, on standard error."""
    print(text, file=sys.stderr, flush=True)


def _check(args: argparse.Namespace) -> None:
    for name, least in (("images", 1), ("correct_on", 0), ("eval_scenes", 0)):
        if getattr(args, name) < least:
            option = f"--{name.replace('_', '-')}"
            raise ConfigurationError(
                f"{option} is {getattr(args, name)}, expected at least {least}"
            )
    if args.out.suffix != ".npz":
        raise ConfigurationError(f"--out is {args.out}, expected a name that ends in .npz")


def _images(args: argparse.Namespace, network: M3ViT) -> Images:
    if args.calibrate_on is not None:
        return folder_images(network.config, args.calibrate_on, args.images)
    return scene_images(network.config, args.images)


def _integers(args: argparse.Namespace, network: M3ViT, images: Images) -> QuantisedModel:
    model = export(network, calibrate(network, images, say))
    if args.correct_on == 0:
        return model
    say(f"collecting float residuals of {len(images[: args.correct_on])} images")
    targets = collect_targets(network, images[: args.correct_on])
    return correct_biases(model, targets, say)


def quantise(args: argparse.Namespace) -> tuple[QuantisedModel, Record]:
    """The quantised model of ``args.checkpoint``, and the record of what it cost.

    Raises:
        ConfigurationError, CheckpointError, DatasetError, QuantisationError: as the parts do.
    """
    _check(args)
    config = model_preset(args.preset) if args.preset else None
    network = load_network(args.checkpoint, config)
    images = _images(args, network)
    model = _integers(args, network, images)
    record = compare_on_scenes(network, model, args.eval_scenes, say)
    record |= {"calibration_images": len(images), "corrected_on": args.correct_on}
    return model, record
