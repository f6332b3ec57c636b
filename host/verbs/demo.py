"""``m3vit demo``: a photograph and a rendered scene, every task as a picture, in integers."""

import argparse
import os
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    build = Path(os.environ.get("M3VIT_BUILD", "build"))
    parser.add_argument("--out", type=Path, default=build / "demo", help="folder for the pictures")
    parser.add_argument("--cache", type=Path, default=build / "cache", help="folder kept for reuse")
    parser.add_argument("--checkpoint", type=Path, help="another network than the one that ships")
    parser.add_argument("--photo", type=Path, help="another photograph than the one that ships")
    parser.add_argument("--seed", type=int, default=1_000_012, help="which scene to render")
    parser.add_argument("--images", type=int, default=32, help="calibration images")
    parser.add_argument("--machine", default="zcu104", help="machine to compile for")
    parser.add_argument(
        "--rtl-machine", default="mini", help="machine whose RTL also runs; '' runs none"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the demo; a failed step has said why, its exit code is handed on."""
    import json
    import time

    from m3vit.host.call import VerbFailedError
    from m3vit.host.demo import Options, run_demo, shipped, summary

    started = time.perf_counter()
    options = Options(
        out=args.out,
        cache=args.cache,
        checkpoint=args.checkpoint or shipped("checkpoints/nano-scenes.npz"),
        photo=args.photo or shipped("samples/coffee.jpg"),
        seed=args.seed,
        calibration_images=args.images,
        machine=args.machine,
        rtl_machine=args.rtl_machine,
        debug=args.debug,
    )
    try:
        demo = run_demo(options)
    except VerbFailedError as error:
        return error.code
    seconds = time.perf_counter() - started
    print(json.dumps(demo.to_dict(seconds)) if args.json else summary(demo, seconds))
    return 0
