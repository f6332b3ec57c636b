"""Cycles of a kernel from its loops: trip counts, initiation intervals of 1, stated latencies.

Evidence kind ``modelled``: nothing here was scheduled by a tool.  Every process of a dataflow
region runs at its own pace, so a region lasts as long as its slowest process over all tokens, and
one token's passage through the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from m3vit.hls.layer import HlsLayer, Kind, Parallelism, padded
from m3vit.hw.layout.sizes import GELU_BYTES, PARAMETER_BYTES

BURST_LATENCY = 64
"""Cycles from a read request to its first word, as the m_axi pragma assumes."""
PIPELINE_DEPTH = 12
"""Cycles from entering a loop of products to its result."""
NORM_LATENCY = 30
"""Variance, table and shift behind a token's last channel."""
GATE_LATENCY = 16
"""Sum, reciprocal and product of a gate score."""


@dataclass(frozen=True, kw_only=True)
class CycleEstimate:
    """Cycles of one call, phase by phase; ``total`` is their sum."""

    route: int
    """Tables, LayerNorm of all tokens, and for a mixture the gate and the queues."""
    experts: int
    """From the first weight of the first expert to the last addition."""
    result: int
    """The residual stream leaving."""
    bound: str
    """What the experts wait for: "products", "weights" or another process."""
    weight_bytes: int
    """Read over AXI for weights and tables."""

    @property
    def total(self) -> int:
        """Cycles of the call."""
        return self.route + self.experts + self.result


class _Shape:
    def __init__(self, layer: HlsLayer, parallelism: Parallelism) -> None:
        machine, self.word = layer.machine, parallelism.word_bytes
        self.layer, self.lanes = layer, parallelism.lanes
        self.panel, self.chains = machine.panel, machine.chains
        self.width_steps = padded(layer.width, machine.rows)
        self.hidden_steps = padded(layer.hidden, machine.rows)
        self.width_beats = self.width_steps // parallelism.unroll
        self.hidden_beats = self.hidden_steps // parallelism.unroll
        self.width_panels = -(-layer.width // self.panel)
        self.hidden_panels = -(-layer.hidden // self.panel)
        self.gate_panels = -(-2 * layer.experts // self.panel) if layer.gates else 0
        self.chunks = layer.width // parallelism.lanes

    def panel_bytes(self, steps: int) -> int:
        return self.panel * (PARAMETER_BYTES + steps * self.chains)

    def panel_load(self, steps: int) -> int:
        """A word a cycle, a record a cycle behind them; two bursts behind their latencies."""
        records = self.panel * PARAMETER_BYTES // self.word + self.panel
        return records + steps * self.panel * self.chains // self.word + 2 * BURST_LATENCY

    def expert_bytes(self) -> int:
        return self.hidden_panels * self.panel_bytes(
            self.width_steps
        ) + self.width_panels * self.panel_bytes(self.hidden_steps)

    def expert_load(self) -> int:
        return self.hidden_panels * self.panel_load(
            self.width_steps
        ) + self.width_panels * self.panel_load(self.hidden_steps)

    def expert_processes(self) -> dict[str, int]:
        """Cycles that each process takes for one token."""
        a_panel = self.panel // self.lanes
        return {
            "gather": self.width_beats + 2,
            "products": max(
                self.hidden_panels * self.width_beats, self.width_panels * self.hidden_beats
            ),
            "activation": self.hidden_panels * a_panel + self.hidden_beats,
            "requantisation": self.width_panels * a_panel,
            "combination": self.chunks + 2,
        }

    def route_processes(self) -> dict[str, int]:
        normalise = {
            "statistics": self.chunks + NORM_LATENCY,
            "normalisation": self.chunks + 2,
            "rows": self.chunks + self.width_beats,
        }
        if not self.layer.gates:
            return normalise
        experts = self.layer.experts
        return {
            **normalise,
            "gate": self.gate_panels * self.width_beats,
            "logits": experts,
            "top-k": 2 * experts + self.layer.top_k + GATE_LATENCY,
        }


def estimate(
    layer: HlsLayer, counts: Sequence[int] | None, parallelism: Parallelism | None = None
) -> CycleEstimate:
    """Cycles of one call of a mixture or dense layer.

    Args:
        layer: not a gate alone.
        counts: tokens of every expert [E]; None for a dense MLP, where all get all.
        parallelism: what is built.

    Raises:
        ConfigurationError: the templates cannot build the layer so.
    """
    chosen = parallelism or Parallelism()
    chosen.check(layer)
    shape = _Shape(layer, chosen)
    queues = [layer.tokens] * layer.experts if counts is None else list(counts)
    live = [count for count in queues if count]
    experts, bound = _experts(shape, live)
    return CycleEstimate(
        route=_route(shape),
        experts=experts,
        result=layer.tokens * shape.chunks + PIPELINE_DEPTH,
        bound=bound,
        weight_bytes=len(live) * shape.expert_bytes() + _table_bytes(shape),
    )


def _table_bytes(shape: _Shape) -> int:
    gate = shape.gate_panels * shape.panel_bytes(shape.width_steps)
    return GELU_BYTES + shape.layer.width * PARAMETER_BYTES + gate


def _route(shape: _Shape) -> int:
    layer = shape.layer
    norm = layer.width * PARAMETER_BYTES // shape.word + layer.width
    tables = GELU_BYTES // shape.word + GELU_BYTES + norm + 2 * BURST_LATENCY
    tables += shape.gate_panels * shape.panel_load(shape.width_steps)
    processes = shape.route_processes()
    passage = sum(processes.values()) - max(processes.values())
    sort = layer.tokens * layer.top_k + layer.experts if layer.kind is Kind.MOE else layer.tokens
    return tables + layer.tokens * max(processes.values()) + passage + sort + PIPELINE_DEPTH


def _experts(shape: _Shape, live: Sequence[int]) -> tuple[int, str]:
    """Two buffers: expert n loads when n-1 has loaded and n-2 has computed."""
    processes = shape.expert_processes()
    slowest = max(processes, key=lambda name: processes[name])
    pace = processes[slowest]
    passage = sum(processes.values()) - pace + 2 * PIPELINE_DEPTH
    load, loaded, ended, before, waited = shape.expert_load(), 0, 0, 0, 0
    for count in live:
        loaded = max(loaded, before) + load
        waited += max(0, loaded - ended)
        before, ended = ended, max(ended, loaded) + count * pace + passage
    return ended, "weights" if 2 * waited > ended else slowest
