"""MoNDE in an eager framework on an A100: what of its gain is left beside the framework's own time.

The paper's full text could not be had; stated second-hand are the machine, the split and the
figures.  Ours are sequences of 512 tokens, batches of 1, 4 and 16, BF16, and popularity 1/rank,
with which about 100 of NLLB's 128 experts get 0 to 7 of the 1,024 choices of a sequence, as the
paper says of its cold experts.  Nothing is fitted to MoNDE's figures; what is assumed:

- a layer takes at least ``LAYER_NS`` beside its experts, whatever its width: launches decide;
- the framework visits all experts one by one, as Hugging Face's Switch and NLLB layers did (release
  4.32): ``DISPATCH_LAUNCHES`` kernels and ``DISPATCH_WAITS`` waits for a count, with tokens or
  without.  MoNDE needs the same visits to gather what it sends.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from statistics import fmean

from m3vit.sim.nearmem.unit import load_unit
from m3vit.sim.system.near_policy import make_policy
from m3vit.sim.system.offload import OffloadMachine, run_offload
from m3vit.sim.system.paper_row import Row
from m3vit.sim.system.presets import roofline_ns
from m3vit.sim.system.processor import load_processor
from m3vit.sim.system.shapes import find_shape
from m3vit.sim.system.workload import Step, generated

LAYER_NS = 1e9 * 0.81 / 111 / 12
"""A decoder layer on the A100 at batch 1: Pre-gated MoE reports 111 tokens/s for Switch-Base (12
decoder layers), 81 % of the same GPU with all experts at hand."""

DISPATCH_LAUNCHES = 12
"""Read in release 4.32: mask to bool (1); rows of the mask twice, for gather and for scatter (3
each), the gather (1), two matrix products and the activation between (3), the scatter (1)."""

DISPATCH_WAITS = 2
"""Each list of rows waits for its length to reach the host: one latency of the link."""

_SLOW_VISIT_NS = 140e3
"""For the sensitivity that the notes state."""

BATCHES = (1, 4, 16)
SEQUENCE = 512


def visit_ns() -> float:
    """What the framework spends on visiting one expert."""
    processor = load_processor("a100")
    return DISPATCH_LAUNCHES * processor.start_ns + DISPATCH_WAITS * processor.link_latency_ns


def gain(network: str, tokens: int, *, visit: float | None) -> float:
    """Time of a block with loading on demand over MoNDE's, its split tuned.

    ``visit`` is the framework's time for each expert in ns; None: no framework at all.
    """
    processor = load_processor("a100")
    shape = replace(find_shape(network), weight_bytes=2.0)
    dense = roofline_ns(shape, processor, tokens)
    if visit is not None:
        dense = max(dense, shape.moe_every * LAYER_NS) + shape.experts * visit
    machine = OffloadMachine(
        processor=processor, near=load_unit("monde"), network=shape, slots=2, dense_ns=dense
    )
    steps = list(_steps(shape.experts, shape.top_k, tokens))
    loading, near = (
        run_offload(machine, steps, make_policy(name, steps, machine)).total_ns
        for name in ("on-demand", "monde-tuned")
    )
    return loading / near


@cache
def _steps(experts: int, top_k: int, tokens: int) -> tuple[Step, ...]:
    sizes = {"passes": 4, "blocks": 6, "experts": experts, "top_k": top_k, "tokens": tokens}
    return tuple(generated("zipf", **sizes))


def _gains(tokens: int, visit: float | None) -> list[float]:
    return [
        gain(network, batch * tokens, visit=visit)
        for network in ("switch-large-128", "nllb-moe")
        for batch in BATCHES
    ]


def _note(tokens: int, found: list[float]) -> str:
    small = fmean(gain for number, gain in enumerate(found) if (number + 1) % len(BATCHES))
    slow, plain = _gains(tokens, _SLOW_VISIT_NS), _gains(tokens, None)
    return (
        "the paper's batches, lengths and framework are not known and would close it: ours is "
        f"{small:.2f} without batch 16, {fmean(slow):.2f} if a visit to an expert takes "
        f"{_SLOW_VISIT_NS / 1000:.0f} us instead of {visit_ns() / 1000:.0f}; the expert layers "
        f"alone, without a framework, give {fmean(plain):.1f} on average, {max(plain):.1f} at most"
    )


def rows() -> Iterator[Row]:
    """Averages and maxima of encoder and decoder."""
    for part, tokens, average, most in (("encoder", SEQUENCE, 4.9, 7.5), ("decoder", 1, 1.5, 3.7)):
        found = _gains(tokens, visit_ns())
        note = _note(tokens, found)
        for kind, published, simulated in (
            ("average", average, fmean(found)),
            ("best case", most, max(found)),
        ):
            yield Row(
                source="MoNDE",
                figure=f"MoNDE over GPU with loading, {part}, {kind} (x)",
                published=published,
                simulated=simulated,
                note=note if kind == "average" else "",
            )
