"""``m3vit train``: a network from nothing, on rendered scenes or a data set."""

import argparse
import json
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options; their defaults made the shipped checkpoint."""
    parser.add_argument("--preset", default="nano-scenes", help="model (see `m3vit presets`)")
    parser.add_argument("--dense", action="store_true", help="train the dense twin (no experts)")
    parser.add_argument("--steps", type=int, required=True, help="optimiser steps in all")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--start-from", type=Path, help="checkpoint whose weights to begin with")
    parser.add_argument("--resume", action="store_true", help="continue the run in --out")
    parser.add_argument("--stop-after", type=int, help="stop at this step, to be resumed later")
    parser.add_argument("--data", default="scenes", help="scenes, pascal, nyud or cityscapes")
    parser.add_argument("--root", type=Path, help="folder of the data set, as people have it")
    parser.add_argument("--split", default="train", help="split of the data set")
    parser.add_argument("--scenes", type=int, default=14000, help="scenes to render (seeds 0 ..)")
    parser.add_argument("--cache", type=Path, default=Path("build/scenes"), help="rendered scenes")
    parser.add_argument("--batch", type=int, default=16, help="images a step, task and process")
    parser.add_argument("--tasks-per-step", type=int, default=1, help="tasks that share a step")
    parser.add_argument("--optimiser", default="adamw", help="adamw or sgd")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--schedule", default="cosine", help="cosine or poly")
    parser.add_argument("--warmup", type=int, default=500, help="steps of rising learning rate")
    parser.add_argument("--weight-decay", type=float, default=0.05)
    parser.add_argument("--drop-path", type=float, default=0.0, help="stochastic depth, last block")
    parser.add_argument("--gate-noise", type=float, default=1.0, help="in units of 1/experts")
    parser.add_argument(
        "--indecision-weight", type=float, default=0.01, help="0 leaves close choices of experts"
    )
    parser.add_argument("--ema", type=float, default=0.999, help="decay of the averaged weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--precision",
        default="auto",
        help="float32, bfloat16 (matrix products only), or auto: bfloat16 where it is fast",
    )
    parser.add_argument("--save-every", type=int, default=1000, help="steps between checkpoints")
    parser.add_argument("--log-every", type=int, default=100, help="steps between log lines")
    parser.add_argument("--json", action="store_true", help="print what was written as JSON")


def run(args: argparse.Namespace) -> int:
    """Train; the error of an option or of the disk is one line."""
    from m3vit.model.train.session import train

    outputs = train(args)
    if outputs is None:
        return 0
    if args.json:
        written = {"checkpoint": outputs.checkpoint, "state": outputs.state, "log": outputs.log}
        print(json.dumps({name: str(path) for name, path in written.items()}))
    else:
        print(f"wrote {outputs.checkpoint}, log {outputs.log}")
    return 0
