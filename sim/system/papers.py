"""Published results beside simulated ones: a table generated from runs.

Duplex serves requests: every sequence brings a prefill of its input, which the processors do at
full arithmetic in every system; a step of the batch then carries ``batch / output`` prefills.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

from m3vit.hw import files
from m3vit.sim.nearmem.unit import load_unit
from m3vit.sim.system.near_policy import make_policy
from m3vit.sim.system.offload import OffloadMachine, run_offload
from m3vit.sim.system.presets import decode_record
from m3vit.sim.system.processor import load_processor
from m3vit.sim.system.shapes import NetworkShape, find_shape
from m3vit.sim.system.workload import generated

_LENGTHS = {"mixtral": (256, 1024, 4096), "glam": (512, 1024, 2048), "grok1": (256, 1024, 4096)}
_BATCHES = (32, 64, 128)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One published figure, ours, and why they differ when they do by more than 10 %."""

    source: str
    figure: str
    published: float
    simulated: float
    note: str

    @property
    def gap(self) -> float:
        """Relative difference."""
        return self.simulated / self.published - 1


def prefill_ms(shape: NetworkShape, devices: int, tokens: int) -> float:
    """Arithmetic of one sequence's input on all devices at their peak (FP16)."""
    attention = 2 * shape.width * (shape.heads + shape.kv_heads) * shape.head_width
    active = attention * shape.layers
    active += shape.expert_elements * (
        shape.top_k * shape.moe_layers + shape.layers - shape.moe_layers
    )
    scores = 2.0 * tokens * tokens * shape.heads * shape.head_width * shape.layers
    peak = load_processor("h100").peak_gflops * devices
    return (2.0 * active * tokens + scores) / peak / 1e6


@cache
def served(
    machine: str, network: str, batch: int, inputs: int, outputs: int
) -> tuple[float, float]:
    """Time a step in ms with its share of prefills, and decoding energy a token in mJ."""
    record = decode_record(machine, network, batch, inputs + outputs / 2)
    shape = find_shape(network)
    prefill = prefill_ms(shape, int(record["devices"]), inputs)
    return record["step_ms"] + batch * prefill / outputs, record["mj_per_token"]


def _grid(network: str) -> Iterator[tuple[int, int, int]]:
    lengths = _LENGTHS[network]
    return ((b, i, o) for b in _BATCHES for i in lengths for o in lengths)


def _gains(machine: str, network: str) -> list[float]:
    return [
        served("gpu", network, *case)[0] / served(machine, network, *case)[0]
        for case in _grid(network)
    ]


def _saving(network: str) -> float:
    return max(
        1 - served("duplex-pe-et", network, *case)[1] / served("gpu", network, *case)[1]
        for case in _grid(network)
    )


_SERVING = (
    "probably: the paper's serving simulation mixes prefill and decoding in one step and batches "
    "by arrival; here prefill only adds its arithmetic at full rate, which favours Duplex"
)


def duplex_rows() -> Iterator[Row]:
    """Throughput and energy ranges of Duplex."""
    best = "Duplex+PE+ET over GPU"
    gains = {name: _gains("duplex-pe-et", name) for name in _LENGTHS}
    every = [gain for found in gains.values() for gain in found]
    yield _row("Duplex", f"{best}, throughput, best case (x)", 2.67, max(every), _SERVING)
    yield _row("Duplex", f"{best}, throughput, average (x)", 2.07, fmean(every), _SERVING)
    plain = served("gpu", "mixtral", 32, 4096, 4096)[0]
    ratio = plain / served("duplex", "mixtral", 32, 4096, 4096)[0]
    yield _row("Duplex", "Duplex alone, Mixtral (4096, 4096), batch 32 (x)", 2.51, ratio, _SERVING)
    for name, percent in (("mixtral", 33.28), ("glam", 42.03), ("grok1", 34.59)):
        yield _row(
            "Duplex",
            f"energy per token saved at most, {name} (%)",
            percent,
            100 * _saving(name),
            "",
        )
    for batch, length, published in ((32, 4096, 2.17), (64, 256, 1.18)):
        case = (batch, length, length)
        ratio = served("gpu", "mixtral", *case)[0] / served("bank-pim", "mixtral", *case)[0]
        yield _row(
            "Duplex", f"Bank-PIM, Mixtral, batch {batch}, length {length} (x)", published, ratio, ""
        )
    ratio = served("gpu", "mixtral", 64, 256, 256)[0] / served("duplex", "mixtral", 64, 256, 256)[0]
    yield _row("Duplex", "Duplex, Mixtral, batch 64, length 256 (x)", 2.05, ratio, "")


def _row(source: str, figure: str, published: float, simulated: float, note: str) -> Row:
    return Row(source=source, figure=figure, published=published, simulated=simulated, note=note)


def dense_ns(shape: NetworkShape, processor: str, tokens: int) -> float:
    """What lies between two expert layers on the processor: attention and plain layers."""
    unit = load_processor(processor)
    projections = 4 * shape.width * shape.heads * shape.head_width * shape.moe_every
    elements = projections + shape.expert_elements * (shape.moe_every - 1)
    return unit.time_ns(2.0 * elements * tokens, elements * shape.weight_bytes)


def _blocks(
    network: str, tokens: int, policies: tuple[str, ...], *, near: bool, dense: float | None
) -> dict[str, float]:
    """Mean block time in ns of each policy on the A100 with PCIe 4."""
    shape = find_shape(network)
    machine = OffloadMachine(
        processor=load_processor("a100"),
        near=load_unit("monde") if near else None,
        network=shape,
        slots=2,
        dense_ns=dense_ns(shape, "a100", tokens) if dense is None else dense,
    )
    steps = generated(
        "uniform", passes=4, blocks=6, experts=shape.experts, top_k=shape.top_k, tokens=tokens
    )
    return {
        name: run_offload(machine, steps, make_policy(name, steps, machine)).mean_block_ns
        for name in policies
    }


_SECOND_HAND = (
    "batch sizes, expert popularity and the baseline's cache are not known (full text not "
    "available, figures second-hand); uniform routing without a cache is the baseline's worst case"
)


def monde_rows() -> Iterator[Row]:
    """MoNDE's averages; encoder: 512 to 2048 tokens a block, decoder: 1 to 16."""
    for part, published, sizes in (
        ("encoder", 4.9, (512, 1024, 2048)),
        ("decoder", 1.5, (1, 4, 16)),
    ):
        ratios = []
        for network in ("switch-large-128", "nllb-moe"):
            for tokens in sizes:
                found = _blocks(network, tokens, ("on-demand", "monde"), near=True, dense=None)
                ratios.append(found["on-demand"] / found["monde"])
        figure = f"MoNDE over GPU with loading, {part}, average (x)"
        yield _row("MoNDE", figure, published, fmean(ratios), _SECOND_HAND)


_BLOCK_NS = {"switch-base-128": 0.57e6, "switch-large-128": 0.75e6}
"""Time of a block beside its experts at batch 1: launches of an eager framework, not arithmetic.
Base follows from Pre-gated's own +19 % over GPU-only and 1.7x under on-demand; Large is Base times
the wider layers' share, an assumption."""


def pregated_rows() -> Iterator[Row]:
    """Pre-gated MoE at batch 1, one token a block, FP32 Switch."""
    names = ("pre-gated", "on-demand", "prefetch-all", "resident")
    runs = [_blocks(name, 1, names, near=False, dense=block) for name, block in _BLOCK_NS.items()]
    for other, published, note in (
        ("on-demand", 1.7, _FITTED),
        (
            "prefetch-all",
            125.0,
            "compared with the published maximum (42x is an average that includes networks of 8 "
            "and 64 experts, where all experts are loaded sooner)",
        ),
    ):
        ratio = fmean(run[other] / run["pre-gated"] for run in runs)
        yield _row(
            "Pre-gated", f"block latency, {other} over pre-gated (x)", published, ratio, note
        )
    over = fmean(run["pre-gated"] / run["resident"] for run in runs)
    yield _row("Pre-gated", "block latency over GPU-only (x)", 1.19, over, _FITTED)


_FITTED = "no independent check: the block time of Base was set by this paper's own ratios"


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    lines = [
        "# Published results beside simulated ones (generated by `make sim-memory`)",
        "",
        "Evidence: simulated. Decoding energies; uniform routing; fixed batch; efficiencies as in",
        "the processor tables.",
        "",
        "| paper | figure | published | simulated | gap | note |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.source} | {r.figure} | {r.published:g} | {r.simulated:.2f} | {r.gap:+.1%} "
        f"| {r.note} |"
        for r in rows
    ]
    return "\n".join(lines) + "\n"


def all_rows() -> list[Row]:
    """Every comparison."""
    return [*duplex_rows(), *monde_rows(), *pregated_rows()]


def main() -> int:
    """Write results/sim_papers.md."""
    rows = all_rows()
    print(f"wrote {files.write_text(Path('results') / 'sim_papers.md', table(rows))}")
    records: list[dict[str, Any]] = [
        {"source": r.source, "figure": r.figure, "published": r.published, "simulated": r.simulated}
        for r in rows
    ]
    files.write_json(Path("results") / "sim_papers.json", records)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
