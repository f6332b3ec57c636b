"""``m3vit evaluate``: every task's metric on unseen scenes, against the best constant."""

import argparse
import json
from pathlib import Path

UNSEEN_SEED = 1_000_000


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--checkpoint", type=Path, required=True, help="file or folder of weights")
    parser.add_argument("--preset", help="model of a checkpoint that does not say it itself")
    parser.add_argument("--scenes", type=int, default=200, help="how many unseen scenes")
    parser.add_argument(
        "--first-seed", type=int, default=UNSEEN_SEED, help="their first seed (training has 0 ..)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the table; errors of the checkpoint are one line."""
    from m3vit.hw.errors import ConfigurationError
    from m3vit.hw.presets import model_preset
    from m3vit.model.checkpoint import load_network
    from m3vit.model.evaluation import evaluate, table

    if args.scenes < 1 or args.first_seed < 0:
        raise ConfigurationError(
            f"{args.scenes} scenes from seed {args.first_seed}, expected at least 1 from at least 0"
        )
    network = load_network(args.checkpoint, model_preset(args.preset) if args.preset else None)
    seeds = range(args.first_seed, args.first_seed + args.scenes)
    scores = evaluate(network, seeds, quiet=False)
    if args.json:
        print(
            json.dumps(
                {
                    "model": network.config.name,
                    "scenes": args.scenes,
                    "scores": [score.to_dict() for score in scores],
                }
            )
        )
    else:
        print(f"{network.config.name}, {args.scenes} scenes from seed {args.first_seed}")
        print(table(scores))
    return 0
