"""The block design as data: what the Tcl, the ``.hwh`` metadata and the driver's address tell."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from m3vit.boards.board import BoardConfig
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.machine import MachineConfig


@dataclass(frozen=True, kw_only=True)
class Instance:
    """A cell of the block design."""

    name: str
    vlnv: str
    """Vendor, library, name and version of the IP."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """What we set."""
    derived: Mapping[str, str] = field(default_factory=dict)
    """What else is known of it; a build checks that the vendor's tool made the same of its IP."""

    @property
    def kind(self) -> str:
        """The IP's name without vendor and version."""
        return self.vlnv.split(":")[2]


@dataclass(frozen=True, kw_only=True)
class Link:
    """An AXI connection between two interfaces, each ``instance/interface``."""

    master: str
    slave: str


@dataclass(frozen=True, kw_only=True)
class Net:
    """A wire from a pin to others, each ``instance/pin``."""

    source: str
    sinks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AddressRange:
    """Where a master sees a slave."""

    space: str
    """Address space, ``instance/space``."""
    segment: str
    """Slave segment, ``instance/.../segment``."""
    master: str
    """Interface of the instance that owns the space."""
    slave: str
    """Interface of the instance that owns the segment."""
    base: int
    size: int
    memory: bool

    @property
    def block(self) -> str:
        """The segment's own name."""
        return self.segment.rsplit("/", 1)[1]


@dataclass(frozen=True, kw_only=True)
class Design:
    """A board, a machine and everything around it."""

    board: BoardConfig
    machine: MachineConfig
    instances: tuple[Instance, ...]
    links: tuple[Link, ...]
    nets: tuple[Net, ...]
    ranges: tuple[AddressRange, ...]

    def instance(self, name: str) -> Instance:
        """The instance called ``name``.

        Raises:
            ConfigurationError: there is none.
        """
        for item in self.instances:
            if item.name == name:
                return item
        raise ConfigurationError(
            f"the block design has no instance {name!r}, it has "
            f"{', '.join(item.name for item in self.instances)}"
        )

    def reaching(self, space: str) -> Iterator[AddressRange]:
        """The ranges that a master sees through address space ``space``."""
        return (item for item in self.ranges if item.space == space)

    def net_of(self, pin: str) -> Net | None:
        """The net that ``pin`` belongs to."""
        return next((net for net in self.nets if pin in (net.source, *net.sinks)), None)
