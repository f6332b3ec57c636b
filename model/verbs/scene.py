"""``m3vit scene``: a rendered scene as an image, its ground truth as arrays."""

import argparse
import json
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--seed", type=int, required=True, help="which scene, 0 or more")
    parser.add_argument("--height", type=int, default=128, help="rows of pixels")
    parser.add_argument("--width", type=int, default=256, help="columns of pixels")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    parser.add_argument("--json", action="store_true", help="print what was written as JSON")


def run(args: argparse.Namespace) -> int:
    """Render; write ``scene-SEED.png`` and ``scene-SEED.npz``, whose arrays are the targets by kind
    of task (see `m3vit.model.data.sample`).
    """
    import numpy as np
    from PIL import Image

    from m3vit.hw.files import write_atomic
    from m3vit.model.data.scenes import render_scene

    scene = render_scene(args.seed, args.height, args.width)
    picture = Image.fromarray(scene.image)
    written = {
        "image": write_atomic(
            args.out / f"{scene.name}.png", lambda stream: picture.save(stream, "PNG")
        ),
        "truth": write_atomic(
            args.out / f"{scene.name}.npz",
            lambda stream: np.savez_compressed(stream, **scene.targets),
        ),
    }
    if args.json:
        print(json.dumps({name: str(path) for name, path in written.items()}))
    else:
        print("\n".join(f"wrote {path}" for path in written.values()))
    return 0
