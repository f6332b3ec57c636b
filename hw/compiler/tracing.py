"""Where trace-only copies of the stores lie relative to the trace base."""

from dataclasses import asdict, dataclass, field

from m3vit.hw.commands.extent import ELEMENT_BYTES
from m3vit.hw.commands.fields import ADDRESS_UNIT, Element
from m3vit.hw.layout.sizes import aligned


@dataclass(frozen=True, kw_only=True)
class TraceRegion:
    """One dumped store: ``tokens`` rows of ``columns`` elements, ``stride`` bytes apart."""

    name: str
    block: int
    element: str
    offset: int
    tokens: int
    columns: int
    stride: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.tokens * self.stride

    def to_dict(self) -> dict[str, object]:
        """Plain values, fit for JSON."""
        return asdict(self)


@dataclass
class TraceMap:
    """All dumps of a program, in order."""

    regions: list[TraceRegion] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes of the whole trace buffer."""
        last = self.regions[-1] if self.regions else None
        return aligned(last.offset + last.size, ADDRESS_UNIT) if last else 0

    def add(
        self, name: str, block: int, element: Element, tokens: int, columns: int
    ) -> TraceRegion:
        """Reserve room for one dump."""
        region = TraceRegion(
            name=name,
            block=block,
            element=element.name,
            offset=self.size,
            tokens=tokens,
            columns=columns,
            stride=columns * ELEMENT_BYTES[element],
        )
        self.regions.append(region)
        return region
