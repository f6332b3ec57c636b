"""Our accelerator as an IP core: the ports of its Verilog and the interfaces that they form."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from amaranth.hdl import UnusedElaboratable

from m3vit.hw.machine import MachineConfig
from m3vit.hw.register_fields import SPACE_BYTES
from m3vit.rtl.axi_read import AxiRead
from m3vit.rtl.axi_write import AxiWrite
from m3vit.rtl.top import NAME, Top

VLNV = f"{NAME}:{NAME}:{NAME}:1.0"
SLAVE = "s_axi"
CLOCK, RESET, INTERRUPT = "clk", "rst", "interrupt"
ADDRESS_BLOCK = "registers"
ADDRESS_BLOCK_BYTES = SPACE_BYTES

# Declarations are read off components that are never built, here and all over the generators.
warnings.filterwarnings("ignore", category=UnusedElaboratable)


@dataclass(frozen=True, kw_only=True)
class Port:
    """A port of the top module."""

    name: str
    output: bool
    bits: int


@dataclass(frozen=True, kw_only=True)
class BusInterface:
    """Ports that belong together: ``ports`` maps the standard's names to ours."""

    name: str
    bus: str
    """``aximm``, ``clock``, ``reset`` or ``interrupt``."""
    master: bool
    ports: Mapping[str, str]
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Core:
    """All that a packager, a block design and a driver have to know."""

    ports: tuple[Port, ...]
    interfaces: tuple[BusInterface, ...]

    @property
    def masters(self) -> tuple[BusInterface, ...]:
        """The AXI4 masters, ascending."""
        return tuple(each for each in self.interfaces if each.bus == "aximm" and each.master)

    def interface(self, name: str) -> BusInterface:
        """The interface called ``name``; KeyError if there is none."""
        return {each.name: each for each in self.interfaces}[name]


def module_ports(machine: MachineConfig) -> tuple[Port, ...]:
    """The ports of the generated Verilog: clock, reset and what the top component declares."""
    members = Top(machine).signature.members
    declared = (
        Port(name=name, output=member.flow.name == "Out", bits=member.shape)
        for name, member in members.items()
    )
    return (
        Port(name=CLOCK, output=False, bits=1),
        Port(name=RESET, output=False, bits=1),
        *declared,
    )


def core_of(machine: MachineConfig) -> Core:
    """The core of ``machine``; every port belongs to exactly one interface."""
    ports = module_ports(machine)
    groups: dict[str, list[Port]] = {}
    for port in ports:
        head, found, _ = port.name.partition("_axi_")
        groups.setdefault(f"{head}_axi" if found else port.name, []).append(port)
    buses = [name for name in groups if name.endswith("_axi")]
    wires = {
        CLOCK: _clock(buses),
        RESET: BusInterface(
            name=RESET,
            bus="reset",
            master=False,
            ports={"RST": RESET},
            parameters={"POLARITY": "ACTIVE_HIGH"},
        ),
        INTERRUPT: BusInterface(
            name=INTERRUPT,
            bus="interrupt",
            master=True,
            ports={"INTERRUPT": INTERRUPT},
            parameters={"SENSITIVITY": "LEVEL_HIGH"},
        ),
    }
    interfaces = tuple(
        wires[name] if name in wires else _axi(name, groups[name]) for name in groups
    )
    return Core(ports=ports, interfaces=interfaces)


def _clock(buses: Sequence[str]) -> BusInterface:
    """Without a rate: the tool takes that of the net and would refuse another by a hertz."""
    return BusInterface(
        name=CLOCK,
        bus="clock",
        master=False,
        ports={"CLK": CLOCK},
        parameters={
            "ASSOCIATED_BUSIF": ":".join(buses),
            "ASSOCIATED_RESET": RESET,
        },
    )


def _axi(name: str, ports: Sequence[Port]) -> BusInterface:
    signals = {port.name.removeprefix(f"{name}_").upper(): port for port in ports}
    lite = name == SLAVE
    fixed = {"PROTOCOL": "AXI4LITE", "READ_WRITE_MODE": "READ_WRITE"}
    return BusInterface(
        name=name,
        bus="aximm",
        master=not lite,
        ports={signal: port.name for signal, port in signals.items()},
        parameters={
            "DATA_WIDTH": str(signals["RDATA"].bits),
            "ADDR_WIDTH": str(signals["ARADDR"].bits),
            **(fixed if lite else _full(signals)),
        },
    )


def _full(signals: Mapping[str, Port]) -> dict[str, str]:
    """What AXI4 has over AXI4-Lite, as our masters use it."""
    writes = "AWADDR" in signals
    read = AxiRead(data_bits=signals["RDATA"].bits)
    write = AxiWrite(data_bits=signals["RDATA"].bits)
    present = {
        f"HAS_{kind}": str(int(any(f"A{way}{kind}" in signals for way in "RW")))
        for kind in ("LOCK", "CACHE", "PROT", "QOS", "REGION")
    }
    return {
        "PROTOCOL": "AXI4",
        "READ_WRITE_MODE": "READ_WRITE" if writes else "READ_ONLY",
        "ID_WIDTH": str(signals["ARID"].bits),
        "MAX_BURST_LENGTH": str(read.splitter.burst_beats),
        "NUM_READ_OUTSTANDING": str(read.outstanding),
        "NUM_WRITE_OUTSTANDING": str(write.outstanding if writes else 0),
        "SUPPORTS_NARROW_BURST": "0",
        "HAS_BURST": "1",
        **present,
        "HAS_WSTRB": str(int("WSTRB" in signals)),
        "HAS_BRESP": str(int("BRESP" in signals)),
        "HAS_RRESP": str(int("RRESP" in signals)),
    }
