"""``python -m tests.hls.record_small_trace``: routing of M3ViT-Small on the shipped photograph.

No trained Small exists in this project, so the network has its starting weights (seed 0); sizes,
gates, top-K and the image are the real ones.  Writes hls/traces/small-pascal.npz.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from m3vit.hw.presets import model_preset
from m3vit.hw.routing import RoutingPlan
from m3vit.hw.routing_trace import TracedPlan, save_trace
from m3vit.model.images import to_tensor
from m3vit.model.network.network import M3ViT

ROOT = Path(__file__).parents[2]
PHOTO = ROOT / "model" / "samples" / "coffee.jpg"
TRACE = ROOT / "hls" / "traces" / "small-pascal.npz"
TASK = "semseg"


def record() -> list[TracedPlan]:
    """The plans of all mixture blocks."""
    config = model_preset("small-pascal")
    torch.manual_seed(0)
    network = M3ViT(config).eval()
    seen: dict[tuple[str, int], Tensor] = {}

    def keep(name: str, block: int, value: Tensor, expert: int | None) -> None:
        if name in ("topk", "weights"):
            seen[name, block] = value[0].detach()

    size = (config.image_width, config.image_height)
    photo = np.asarray(Image.open(PHOTO).convert("RGB").resize(size, Image.Resampling.BILINEAR))
    with torch.inference_mode():
        network.features(to_tensor(photo).unsqueeze(0), TASK, keep)
    return [_plan(block, seen, config.experts) for block in config.moe_blocks]


def _plan(block: int, seen: dict[tuple[str, int], Tensor], experts: int) -> TracedPlan:
    weights = (seen["weights", block].double().numpy() * 65536).round().clip(0, 65535)
    plan = RoutingPlan.from_choices(
        seen["topk", block].numpy(), weights.astype(np.uint16), experts=experts
    )
    return TracedPlan(task=TASK, image=PHOTO.name, block=block, plan=plan)


if __name__ == "__main__":
    print(f"wrote {save_trace(TRACE, record())}")
