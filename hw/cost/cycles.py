"""Cycles and DRAM bytes of one image through the encoder, pass by pass of the array.

The model places every pass (one weight tile over one block of token pairs) at the earliest cycle
at which the array is free, the tile is in the multipliers, its operand exists and its results have
room, and charges each wait as the machine's own counters do.  DRAM is one stream in order of use
that runs ahead as far as the weight ring and the ports' queues allow.  Against cycles counted in
RTL: tests/hw/cost/test_counted.py.  ``m3vit estimate --assumptions`` prints what it assumes.
"""

import math
from typing import NamedTuple

from m3vit.hw.config import ModelConfig
from m3vit.hw.cost.assumptions import Assumptions
from m3vit.hw.cost.attention import Operands, run_attention
from m3vit.hw.cost.embedding import image_shares, run_embedding
from m3vit.hw.cost.engine import UNIT, Engine
from m3vit.hw.cost.experts import run_dense_mlp, run_experts, run_gate
from m3vit.hw.cost.linear import LinearLayer, fitting_panels, run_linear
from m3vit.hw.cost.macs import encoder_macs
from m3vit.hw.cost.norm import run_layernorm
from m3vit.hw.cost.report import CycleReport
from m3vit.hw.cost.routing import Counts, checked_counts
from m3vit.hw.formats import Float64, Int64
from m3vit.hw.layout.blocks import spans
from m3vit.hw.machine import MachineConfig


def command_count(config: ModelConfig, machine: MachineConfig) -> int:
    """256-bit words of the command list, with the trace-only copies that are always in it."""
    rounds = -(-config.heads // machine.groups)
    fixed = 5  # CONFIG, positions in, copy of the embedding, result out, END
    shares = 2 * len(image_shares(config, machine))
    block = 9 + 2 * rounds  # both NORMs, projection, feed-forward and their five copies
    gates = 2 * len(config.moe_blocks)  # GATE and the copy of its plan
    return fixed + shares + config.blocks * block + gates


class Norm(NamedTuple):
    """What LayerNorm waits for: [pairs] ``published``, and that its command is reached."""

    published: Float64
    begins: float


def _qkv(engine: Engine, config: ModelConfig, first: bool, ready: Float64) -> Operands:
    """V, K and Q panels of one round: each group makes its own head's columns."""
    machine, rates = engine.machine, engine.rates
    count = -(-config.head_dim // machine.columns)
    limit = machine.normal_block_pairs if first else machine.accumulator_pairs
    query = rates.hidden(config.head_dim // UNIT)
    times = run_linear(
        engine,
        LinearLayer(
            blocks=spans(config.tokens, limit, first),
            inner=config.width,
            rates=(rates.value,) * count + (rates.key,) * count + (query,) * count,
            kind="weights",
            group=fitting_panels(engine, config.width, 3 * count) if first else 1,
            ready=ready,
            cause="norm",
        ),
    )
    return Operands(query=times.readable(), key=float(times.retired[-1, 2 * count - 1]))


def _attention(engine: Engine, config: ModelConfig, block: int, norm: Norm) -> Float64:
    """LayerNorm, rounds of heads and projection; returns when the residual is published."""
    ready = run_layernorm(engine, norm.published, config.width, norm.begins)
    mixed = ready
    for number in range(-(-config.heads // engine.machine.groups)):
        with engine.phase(block, "qkv"):
            operands = _qkv(engine, config, number == 0, ready)
        with engine.phase(block, "attention"):
            mixed = run_attention(engine, operands, config.tokens, config.head_dim)
    panels = -(-config.width // engine.machine.panel)
    with engine.phase(block, "projection"):
        times = run_linear(
            engine,
            LinearLayer(
                blocks=spans(config.tokens, engine.machine.normal_block_pairs, True),
                inner=config.width,
                rates=(engine.rates.residual,) * panels,
                kind="weights",
                group=fitting_panels(engine, config.width, panels),
                ready=mixed,
            ),
        )
    return times.published(engine.assumptions.write_latency)


def _feed_forward(
    engine: Engine, config: ModelConfig, block: int, published: Float64, counts: Int64
) -> Norm:
    ready = run_layernorm(engine, published, config.width)
    if not config.is_moe(block):
        chunks = config.dense_hidden(block) // config.width
        with engine.phase(block, "mlp"):
            return Norm(run_dense_mlp(engine, ready, config.tokens, config.width, chunks), 0.0)
    with engine.phase(block, "gate"):
        plan_known = run_gate(engine, ready, config.width, config.experts, config.top_k)
    queues = counts[config.moe_blocks.index(block)].tolist()
    with engine.phase(block, "experts"):
        written = run_experts(
            engine, queues, plan_known, config.tokens, config.width, config.expert_hidden
        )
    return Norm(written, float(written[0]))


def _start(engine: Engine, config: ModelConfig) -> float:
    """The command list, then positions; returns when the residual holds them."""
    assumptions, stream = engine.assumptions, engine.stream
    count = command_count(config, engine.machine)
    size = count * assumptions.command_bytes
    port = engine.machine.port_bits / 8
    with engine.phase(-1, "start"):
        engine.array.wait_until(assumptions.start_latency + size / port, "command")
        stream.read(size, "commands")
        stream.channel = max(stream.channel, engine.array.time)
        rows = config.tokens * config.width * assumptions.position_bytes
        placed = stream.rows(rows, "position", assumptions.row_bytes_per_cycle, engine.array.time)
        placed += assumptions.row_latency
        engine.array.wait_until(placed, "operand")
    return placed


def _result(engine: Engine, config: ModelConfig) -> None:
    """The int16 view of the residual goes out when its last pair is written."""
    assumptions = engine.assumptions
    with engine.phase(-1, "result"):
        engine.array.wait_until(engine.written, "command")
        size = 2 * config.tokens * config.width
        engine.stream.read(size, "result", not_before=engine.array.time)
        sent = size / assumptions.result_bytes_per_cycle + assumptions.result_row_latency
        engine.array.wait_until(engine.array.time + sent, "operand")


def estimate_cycles(
    config: ModelConfig,
    machine: MachineConfig,
    counts: Counts | None = None,
    assumptions: Assumptions | None = None,
) -> CycleReport:
    """Cycles and DRAM bytes of one image of ``config`` on ``machine``.

    ``counts`` [blocks of experts, experts] holds the tokens of each expert's queue; without it
    queues are as equal as they can be.  Limits of the machine's stores are not checked here (see
    ``m3vit.hw.cost.limits``).

    Raises:
        ConfigurationError: the counts do not fit the model, or one panel exceeds the weight ring.
    """
    routed = checked_counts(config, counts)
    engine = Engine(machine, assumptions or Assumptions())
    placed = _start(engine, config)
    with engine.phase(-1, "embedding"):
        norm = Norm(run_embedding(engine, config, placed), 0.0)
    for block in range(config.blocks):
        published = _attention(engine, config, block, norm)
        norm = _feed_forward(engine, config, block, published, routed)
    _result(engine, config)
    return CycleReport(
        total=math.ceil(engine.array.time),
        busy=engine.array.busy,
        lost=dict(engine.array.lost),
        phases=tuple(engine.phases),
        dram_bytes=dict(engine.stream.bytes_by_kind),
        wasted_bytes=round(engine.wasted_bytes),
        experts_used=tuple(int(n) for n in (routed > 0).sum(1)),
        macs=encoder_macs(config),
        multipliers=machine.multipliers,
        clock_mhz=machine.clock_mhz,
        bytes_per_cycle=engine.stream.rate,
    )
