"""The static memory image: named regions, one behind the other, each aligned."""

import math
from dataclasses import asdict, dataclass, field

from m3vit.hw.layout.sizes import aligned


@dataclass(frozen=True, kw_only=True)
class Region:
    """A named range of weights.bin; ``kind`` groups regions in reports of DRAM bytes."""

    name: str
    kind: str
    offset: int
    size: int

    def to_dict(self) -> dict[str, object]:
        """Plain values, fit for JSON."""
        return asdict(self)


@dataclass
class MemoryImage:
    """Collects regions while the program is emitted."""

    unit: int
    """Regions start at multiples of this and are padded to it."""
    regions: list[Region] = field(default_factory=list)
    _chunks: list[bytes] = field(default_factory=list)
    _size: int = 0

    def place(self, name: str, kind: str, data: bytes) -> int:
        """Append ``data`` as a region and return its address."""
        offset = self._size
        self.regions.append(Region(name=name, kind=kind, offset=offset, size=len(data)))
        self._chunks += [data, bytes(aligned(len(data), self.unit) - len(data))]
        self._size += aligned(len(data), self.unit)
        return offset

    def place_many(
        self, name: str, kind: str, parts: list[bytes], multiple: int = 1
    ) -> tuple[int, int]:
        """Append equally long ``parts`` at a common stride, one of ``multiple``; return address
        and stride.
        """
        stride = aligned(max(map(len, parts)), math.lcm(self.unit, multiple))
        data = b"".join(part + bytes(stride - len(part)) for part in parts)
        return self.place(name, kind, data), stride

    @property
    def data(self) -> bytes:
        """The image."""
        return b"".join(self._chunks)
