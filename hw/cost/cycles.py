"""Cycles and DRAM bytes of one image through the encoder, pass by pass of the array.

The model places every pass (one weight tile over one block of token pairs) at the earliest cycle
at which the array is free, the tile is in the multipliers, its operand exists and its results can
leave, and charges each wait to its latest cause.  DRAM is one stream in order of use that runs
ahead as far as the weight ring allows.  ``m3vit estimate --assumptions`` prints what it assumes.
"""

import math

from m3vit.hw.config import ModelConfig
from m3vit.hw.cost.assumptions import Assumptions
from m3vit.hw.cost.attention import Operands, run_attention
from m3vit.hw.cost.embedding import image_shares, run_embedding
from m3vit.hw.cost.engine import Engine, split
from m3vit.hw.cost.experts import run_dense_mlp, run_experts, run_gate
from m3vit.hw.cost.linear import (
    LinearLayer,
    run_linear,
    to_buffer,
    to_store,
)
from m3vit.hw.cost.macs import encoder_macs
from m3vit.hw.cost.norm import run_layernorm
from m3vit.hw.cost.report import CycleReport
from m3vit.hw.cost.routing import Counts, checked_counts
from m3vit.hw.formats import Float64, Int64
from m3vit.hw.machine import MachineConfig


def command_count(config: ModelConfig, machine: MachineConfig) -> int:
    """256-bit words of the command list, with the trace-only copies that are always in it."""
    rounds = -(-config.heads // machine.groups)
    fixed = 5  # CONFIG, positions in, copy of the embedding, result out, END
    shares = 2 * len(image_shares(config, machine))
    block = 9 + 2 * rounds  # both NORMs, projection, feed-forward and their five copies
    gates = 2 * len(config.moe_blocks)  # GATE and the copy of its plan
    return fixed + shares + config.blocks * block + gates


def _qkv(engine: Engine, config: ModelConfig, first: bool, ready: Float64) -> Operands:
    """V, K and Q panels of one round: each group makes its own head's columns."""
    machine, pairs = engine.machine, -(-config.tokens // 2)
    count = -(-config.head_dim // machine.columns)
    key_rate = max(1, -(-machine.columns // machine.chains))
    buffer, key = to_buffer(engine), to_store(engine, "key", key_rate)
    value_last, key_last, query_last = count - 1, 2 * count - 1, 3 * count - 1
    times = run_linear(
        engine,
        LinearLayer(
            blocks=split(pairs, engine.narrow if first else engine.wide),
            inner=config.width,
            posts=(buffer,) * count + (key,) * count + (buffer,) * count,
            kind="weights",
            block_outer=first,
            ready=ready if first else None,
            cause="ln",
            watched=(value_last, key_last, query_last),
        ),
    )
    return Operands(
        query=times.done[query_last], key=times.done[key_last], value=times.done[value_last]
    )


def _attention(engine: Engine, config: ModelConfig, block: int, done: Float64) -> Float64:
    """LayerNorm, rounds of heads and projection; returns when the residual is written."""
    ready = run_layernorm(engine, done, config.width)
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
                blocks=split(len(done), engine.narrow),
                inner=config.width,
                posts=(to_store(engine, "residual"),) * panels,
                kind="weights",
                block_outer=True,
                ready=mixed,
                watched=(panels - 1,),
            ),
        )
    return times.done[panels - 1]


def _feed_forward(
    engine: Engine, config: ModelConfig, block: int, done: Float64, counts: Int64
) -> Float64:
    ready = run_layernorm(engine, done, config.width)
    if not config.is_moe(block):
        chunks = config.dense_hidden(block) // config.width
        with engine.phase(block, "mlp"):
            return run_dense_mlp(engine, ready, config.tokens, config.width, chunks)
    with engine.phase(block, "gate"):
        plan_known = run_gate(engine, ready, config.width, config.experts)
    queues = counts[config.moe_blocks.index(block)].tolist()
    with engine.phase(block, "experts"):
        return run_experts(
            engine, queues, plan_known, config.tokens, config.width, config.expert_hidden
        )


def _start(engine: Engine, config: ModelConfig) -> None:
    assumptions, stream = engine.assumptions, engine.stream
    with engine.phase(-1, "start"):
        engine.array.wait_until(assumptions.start_latency, "io")
    commands = command_count(config, engine.machine) * assumptions.command_bytes
    stream.read(commands, "commands", not_before=assumptions.start_latency)
    stream.read(config.tokens * config.width * assumptions.position_bytes, "position")


def _result(engine: Engine, config: ModelConfig, done: Float64) -> None:
    """The int16 view of the residual goes out when its last pair is written."""
    with engine.phase(-1, "result"):
        engine.array.wait_until(float(done.max()), "drain")
        size = 2 * config.tokens * config.width
        written = engine.stream.read(size, "result", not_before=engine.array.time)
        engine.array.wait_until(written, "io")


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
    _start(engine, config)
    with engine.phase(-1, "embedding"):
        done = run_embedding(engine, config)
    for block in range(config.blocks):
        done = _attention(engine, config, block, done)
        done = _feed_forward(engine, config, block, done, routed)
    _result(engine, config, done)
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
