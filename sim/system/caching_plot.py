"""What caching policies gain for a vision transformer, as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from m3vit.hw import files
from m3vit.sim.system.caching import POLICIES, SLOTS, block_us, routed_steps
from m3vit.sim.system.crossover import RECORDED
from m3vit.sim.system.workload import recorded

_NANO_SLOTS = (2, 8, 24)
Times = Mapping[int, Mapping[str, float]]
"""Block time in us by slots, then policy."""


def _panels() -> list[tuple[str, Times]]:
    steps, nano = routed_steps("zipf", 197), recorded(RECORDED)
    tokens = sum(nano[0].tokens) // 2
    found = [
        (
            f"{name}, M3ViT-Small, 197 tokens, popularity 1/rank",
            {slots: block_us(name, steps, 197, slots) for slots in SLOTS},
        )
        for name in ("zcu104", "a100")
    ]
    by_slots = {n: block_us("zcu104", nano, tokens, n, "m3vit-nano") for n in _NANO_SLOTS}
    return [*found, (f"zcu104, M3ViT-Nano, {tokens} tokens, recorded routing", by_slots)]


def _bars(axis: Any, title: str, times: Times) -> None:
    width = 0.8 / len(times)
    for number, (slots, by_policy) in enumerate(times.items()):
        places = [n + (number - 1) * width for n in range(len(POLICIES))]
        axis.bar(places, [by_policy[name] for name in POLICIES], width, label=str(slots))
    best = min(min(by_policy.values()) for by_policy in times.values())
    axis.axhline(best, color="black", linewidth=0.8, linestyle="--")
    axis.set_xticks(range(len(POLICIES)), POLICIES, rotation=45, ha="right", fontsize=8)
    axis.set_ylabel("us a block")
    axis.set_title(title, fontsize=9)
    axis.set_ylim(0, 1.2 * axis.get_ylim()[1])
    axis.legend(fontsize=7, ncols=len(times), title="experts kept", title_fontsize=7)


def plot(path: Path, panels: Sequence[tuple[str, Times]] | None = None) -> Path:
    """Bars by policy and number of experts kept; the dashed line is the best of all."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    chosen = panels or _panels()
    figure, axes = pyplot.subplots(1, len(chosen), figsize=(5 * len(chosen), 4), squeeze=False)
    for axis, (title, times) in zip(axes[0], chosen, strict=True):
        _bars(axis, title, times)
    figure.suptitle("Block time by loading policy (simulated)", fontsize=10)
    figure.tight_layout()
    written = files.write_atomic(path, lambda stream: figure.savefig(stream, format="png", dpi=110))
    pyplot.close(figure)
    return written
