"""A decoding step to simulate: network, processors, near memory, devices and their nodes."""

from dataclasses import dataclass

from m3vit.hw.errors import ConfigurationError
from m3vit.sim.nearmem.unit import NearUnit
from m3vit.sim.system.processor import Processor
from m3vit.sim.system.shapes import NetworkShape

ACTIVATION_BYTES = 2.0
"""FP16 hidden states, keys and values."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """A link between nodes."""

    gbps: float
    latency_ns: float


INFINIBAND = Network(gbps=50.0, latency_ns=130.0)
"""Between nodes, as in the code that Duplex's authors released."""


@dataclass(frozen=True, kw_only=True)
class DecodeCase:
    """What is run: a batch of sequences of ``context`` tokens each, one new token apiece.

    ``prefill`` tokens of one further sequence may join the step (continuous batching); they share
    every linear layer with the batch, and attend to themselves on the processors.  ``nodes`` are
    joined by ``network``; a ring over them waits for its slowest hop.
    """

    shape: NetworkShape
    processor: Processor
    near: NearUnit | None
    devices: int
    batch: int
    context: float
    placement: str
    split_experts: bool = False
    lockstep_attention: bool = False
    prefill: int = 0
    nodes: int = 1
    network: Network = INFINIBAND
    seed: int = 777

    @property
    def rows(self) -> int:
        """Tokens that pass every linear layer."""
        return self.batch + self.prefill

    def all_reduce_ns(self) -> float:
        """Ring all-reduce of the hidden states of every row: 2 (n - 1) hops of an n-th."""
        if self.devices == 1:
            return 0.0
        part = self.rows * self.shape.width * ACTIVATION_BYTES / self.devices
        hop = self.processor.transfer_ns(part)
        if self.nodes > 1:
            hop = max(hop, self.network.latency_ns + part / self.network.gbps)
        return 2 * (self.devices - 1) * hop

    def __post_init__(self) -> None:
        """Raise ConfigurationError for sizes that cannot be run."""
        if min(self.batch, self.devices, self.nodes) < 1 or self.context <= 0 or self.prefill < 0:
            raise ConfigurationError(
                "batch, devices, nodes and context must be positive and prefill not negative, got "
                f"{self.batch}, {self.devices}, {self.nodes}, {self.context}, {self.prefill}"
            )
        if self.near is None and self.placement != "processor":
            raise ConfigurationError(f"placement {self.placement!r} needs a near-memory unit")
