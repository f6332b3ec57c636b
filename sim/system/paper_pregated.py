"""Pre-gated MoE on a real A100 at batch 1: block latencies and throughput of Switch in FP32.

A block is one layer with experts.  Its time beside the loads is that of any decoder layer, from the
paper's own throughput (``paper_monde.LAYER_NS``), not from the latencies that are compared here.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from math import prod
from statistics import fmean

from m3vit.sim.system.near_policy import make_policy
from m3vit.sim.system.offload import OffloadMachine, run_offload
from m3vit.sim.system.paper_monde import LAYER_NS
from m3vit.sim.system.paper_row import Row
from m3vit.sim.system.processor import load_processor
from m3vit.sim.system.shapes import find_shape
from m3vit.sim.system.workload import generated

EFFECTIVE_GBPS = 25.0
"""What copies over PCIe 4 x16 reach of the 32 GB/s that are its rate: the usual measured figure,
second-hand, and not from this paper."""

BASE = ("switch-base-8", "switch-base-64", "switch-base-128")
LARGE = "switch-large-128"
_POLICIES = ("pre-gated", "on-demand", "prefetch-all", "resident")


@cache
def block_ns(network: str) -> dict[str, float]:
    """Mean time of a block by policy."""
    shape = find_shape(network)
    machine = OffloadMachine(
        processor=replace(load_processor("a100"), link_gbps=EFFECTIVE_GBPS),
        near=None,
        network=shape,
        slots=2,
        dense_ns=LAYER_NS,
    )
    steps = generated(
        "uniform", passes=4, blocks=6, experts=shape.experts, top_k=shape.top_k, tokens=1
    )
    return {
        name: run_offload(machine, steps, make_policy(name, steps, machine)).mean_block_ns
        for name in _POLICIES
    }


def ratio(network: str, over: str) -> float:
    """Block time under another policy over that of Pre-gated."""
    return block_ns(network)[over] / block_ns(network)["pre-gated"]


def tokens_per_s(network: str) -> float:
    """Decoder of half the layers, every second of them with experts."""
    blocks = find_shape(network).moe_layers / 2
    return 1e9 / blocks / (block_ns(network)["pre-gated"] + LAYER_NS)


_MEAN = (
    "which mean, and of which networks, is not stated: at one block time the ratio goes with the "
    "number of experts (8, 64, 128), so that 125 at most means 65 on arithmetic average; 42 needs "
    "a geometric mean, or Base blocks of 1.2 ms where its own throughput gives 0.8; the paper's "
    "bars would tell"
)
_THROUGHPUT = "the layer time was set by this paper's throughput of the same networks"


def rows() -> Iterator[Row]:
    """Block latencies relative to Pre-gated's, and its throughput."""
    every = (*BASE, LARGE)
    demand = [ratio(name, "on-demand") for name in every]
    all_ahead = [ratio(name, "prefetch-all") for name in every]
    resident = fmean(1 / ratio(name, "resident") for name in BASE)
    over = "block latency, {} over pre-gated"
    base = prod(all_ahead[:3]) ** (1 / 3)
    rate, fast = fmean(map(tokens_per_s, BASE)), tokens_per_s(LARGE)
    for figure, published, simulated, note in (
        (f"{over.format('on-demand')}, average (x)", 1.7, fmean(demand), ""),
        (f"{over.format('on-demand')}, best case (x)", 1.9, max(demand), ""),
        (f"{over.format('prefetch-all')}, best case (x)", 125.0, max(all_ahead), ""),
        (f"{over.format('prefetch-all')}, arithmetic mean (x)", 42.0, fmean(all_ahead), _MEAN),
        (f"{over.format('prefetch-all')}, geometric mean of Base (x)", 42.0, base, _MEAN),
        ("block latency over GPU-only, Base (x)", 1.19, resident, ""),
        ("throughput, Switch-Base average (tokens/s)", 111.0, rate, _THROUGHPUT),
        ("throughput, Switch-Large-128 (tokens/s)", 42.0, fast, ""),
    ):
        yield Row(
            source="Pre-gated",
            figure=figure,
            published=published,
            simulated=simulated,
            note=note,
        )
