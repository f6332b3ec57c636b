"""``m3vit quantize``: a checkpoint to integers, and what that costs."""

import argparse
import json
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--checkpoint", type=Path, required=True, help="trained network")
    parser.add_argument("--preset", help="its model, where the checkpoint does not say")
    parser.add_argument("--images", type=int, default=32, help="calibration images")
    parser.add_argument(
        "--calibrate-on", type=Path, metavar="DIR", help="photographs instead of rendered scenes"
    )
    parser.add_argument(
        "--correct-on", type=int, default=16, help="images for bias correction, 0 for none"
    )
    parser.add_argument("--eval-scenes", type=int, default=200, help="unseen scenes, 0 for none")
    parser.add_argument("--out", type=Path, required=True, help="quantised model to write (.npz)")
    parser.add_argument("--json", action="store_true", help="print the record as JSON")


def run(args: argparse.Namespace) -> int:
    """Calibrate, export, correct, compare; write the model and its record."""
    from m3vit.hw.files import write_json
    from m3vit.hw.quantised_files import save_quantised
    from m3vit.model.quantise.session import quantise
    from m3vit.model.quantise.tables import report_lines

    model, record = quantise(args)
    save_quantised(args.out, model)
    beside = write_json(args.out.with_suffix(".json"), record)
    if args.json:
        print(json.dumps(record, indent=1))
        return 0
    print("\n".join(report_lines(record)))
    print(f"\nwrote {args.out} and {beside}")
    return 0
