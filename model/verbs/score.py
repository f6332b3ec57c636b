"""``m3vit score``: metrics of predictions that ``m3vit run --arrays`` wrote."""

import argparse
import json
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("predictions", type=Path, help="NAME.predictions.npz, or a folder of them")
    parser.add_argument(
        "truth", type=Path, help="ground truth by kind of task (NAME.npz), or a folder"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the metric of each task."""
    from m3vit.model.metrics.score import score_files

    scores = score_files(args.predictions, args.truth)
    if args.json:
        print(json.dumps({name: score.to_dict() for name, score in scores.items()}))
        return 0
    width = max(map(len, scores))
    for name, score in scores.items():
        print(f"{name:{width}}  {score.metric} {score.value:.2f} {score.unit}")
    return 0
