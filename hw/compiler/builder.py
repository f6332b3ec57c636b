"""What the compiler builds: a command list, the memory it addresses, the trace it can write."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from m3vit.hw.commands.fields import Base, Element, Flag, Op, Store
from m3vit.hw.commands.word import Command
from m3vit.hw.compiler.memory import MemoryImage
from m3vit.hw.compiler.tracing import TraceMap
from m3vit.hw.machine import MachineConfig
from m3vit.hw.quantised import QuantisedModel

_NONE = Flag(0)


@dataclass
class Program:
    """A program in the making; emitters append to it."""

    model: QuantisedModel
    machine: MachineConfig
    memory: MemoryImage = field(init=False)
    trace: TraceMap = field(default_factory=TraceMap)
    commands: list[Command] = field(default_factory=list)
    heads: list[dict[str, object]] = field(default_factory=list)
    """Entries of the manifest that locate the heads' tensors."""

    def __post_init__(self) -> None:
        self.memory = MemoryImage(unit=self.machine.stream_unit)

    @property
    def tokens(self) -> int:
        """Tokens of the image."""
        return self.model.config.tokens

    @property
    def width(self) -> int:
        """Channels of the residual."""
        return self.model.config.width

    def emit(
        self,
        op: Op,
        src: Store = Store.NONE,
        dst: Store = Store.NONE,
        flags: Flag = _NONE,
        block: int = 0,
        tokens: int | None = None,
        **operands: int,
    ) -> None:
        """Append one command; the loop nest's block size follows from its order."""
        self.emit_operands(op, operands, src, dst, flags, block, tokens)

    def emit_operands(
        self,
        op: Op,
        operands: Mapping[str, int],
        src: Store = Store.NONE,
        dst: Store = Store.NONE,
        flags: Flag = _NONE,
        block: int = 0,
        tokens: int | None = None,
    ) -> None:
        """The same with the operands as a mapping."""
        self.commands.append(
            Command(
                op=op,
                flags=flags,
                block=block,
                src=src,
                dst=dst,
                tokens=self.tokens if tokens is None else tokens,
                pairs=self._block_pairs(op, flags),
                operands=operands,
            )
        )

    def _block_pairs(self, op: Op, flags: Flag) -> int:
        machine = self.machine
        if op not in (Op.GEMM, Op.ATTN, Op.EXPERTS, Op.GATE):
            return 0
        if flags & Flag.BLOCK_ORDER:
            return machine.normal_block_pairs
        attention = op is Op.ATTN
        return machine.attention_pairs(self.tokens) if attention else machine.accumulator_pairs

    def dump(self, name: str, store: Store, block: int, element: Element, columns: int) -> None:
        """Append the trace-only copy of a store to DRAM."""
        region = self.trace.add(name, block, element, self.tokens, columns)
        self.emit(
            Op.DMA,
            src=store,
            flags=Flag.WRITE | Flag.TRACE_ONLY,
            block=block,
            base=Base.TRACE,
            address=region.offset,
            elements=columns,
            stride=region.stride,
            element=element,
            first_token=0,
            first_channel=0,
        )
