"""MoNDE in an eager framework on an A100: what of its gain is left beside the framework's own time.

The paper's full text could not be had; stated second-hand are the machine, the split and the
figures.  Ours are sequences of 512 tokens, batches of 1, 4 and 16, BF16, and popularity 1/rank,
with which about 100 of NLLB's 128 experts get 0 to 7 of the 1,024 choices of a sequence, as the
paper says of its cold experts.  Nothing is fitted to MoNDE's figures; what is assumed:

- a layer takes at least ``LAYER_NS`` beside its experts, whatever its width: launches decide;
- the framework visits all experts one by one, with tokens or without, as Hugging Face's layers did
  in 2023: ``VISITS`` counts kernels and waits.  MoNDE needs the same visits to gather what it
  sends and to add what comes back.
"""

from collections.abc import Iterator, Mapping
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

VISITS: Mapping[str, tuple[int, int]] = {"switch-large-128": (12, 2), "nllb-moe": (17, 3)}
"""Launches and waits for each expert, read in those sources.  Switch: the mask as bits (1); rows of
the mask for gather and scatter (3 each, and one wait for their number to reach the host), gather
and scatter (2), two products with an activation between (3).  NLLB: rows three times (9, 3 waits),
gathers of weights and states and the scatter (3), the expert (3), two scalings (2)."""

BATCHES = (1, 4, 16)
SEQUENCE = 512


def visit_ns(network: str) -> float:
    """What the framework spends on visiting one expert: launches, and latencies of the link."""
    processor, (launches, waits) = load_processor("a100"), VISITS[network]
    return launches * processor.start_ns + waits * processor.link_latency_ns


def gain(network: str, tokens: int, visits: float = 1.0) -> float:
    """Time of a block with loading on demand over MoNDE's, its split tuned.

    ``visits`` scales the framework's visits; at 0 there is no framework at all.
    """
    processor = load_processor("a100")
    shape = replace(find_shape(network), weight_bytes=2.0)
    dense = roofline_ns(shape, processor, tokens)
    if visits:
        dense = max(dense, shape.moe_every * LAYER_NS)
        dense += visits * shape.experts * visit_ns(network)
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


def _gains(tokens: int, visits: float = 1.0) -> list[float]:
    return [gain(network, batch * tokens, visits) for network in VISITS for batch in BATCHES]


def _note(tokens: int, found: list[float]) -> str:
    small = fmean(gain for number, gain in enumerate(found) if (number + 1) % len(BATCHES))
    slow, quick, plain = (_gains(tokens, visits) for visits in (1.5, 0.5, 0.0))
    return (
        "the paper's batches, lengths and framework are not known and would close it: ours is "
        f"{small:.2f} without batch 16, {fmean(slow):.2f} (best {max(slow):.2f}) with visits of "
        f"1.5 times, {fmean(quick):.2f} (best {max(quick):.2f}) of half the length; the expert "
        f"layers alone, without a framework, give {fmean(plain):.1f} (best {max(plain):.1f})"
    )


def rows() -> Iterator[Row]:
    """Averages and maxima of encoder and decoder."""
    for part, tokens, average, most in (("encoder", SEQUENCE, 4.9, 7.5), ("decoder", 1, 1.5, 3.7)):
        found = _gains(tokens)
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
                note=note,
            )
