"""The ``.hwh`` metadata: what PYNQ reads beside the bitstream, from the description of the design.

``hwh_text(system_design(board, machine))`` is the file.  ``pynq.Overlay`` finds in it our core by
its VLNV with address, registers, fields and interrupt, the controller behind which the interrupt
lies, the clock's divisors and the widths of the processing system's ports, which it sets when it
loads the bitstream.  AXI signals are listed for our core only.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element, SubElement

from m3vit.boards.core import CLOCK, INTERRUPT, RESET, Core, Port, core_of
from m3vit.boards.design import AddressRange, Design, Instance
from m3vit.boards.hwh_registers import add_registers
from m3vit.boards.system import CORE, PL_CLOCKS, PS, clock_hz

AXI = "xilinx.com:interface:aximm:1.0"
VERSION = "2024.1"
"""Of Vivado, whose format this is and for which the scripts are written; later ones will do."""


def hwh_text(design: Design) -> str:
    """The metadata of ``design`` as XML, reproducibly (no dates, no paths)."""
    root = Element("EDKSYSTEM", EDWVERSION="1.2", VIVADOVERSION=VERSION)
    device, package, grade = _part(design.board.platform.device)
    SubElement(
        root,
        "SYSTEMINFO",
        ARCH="zynquplus",
        BOARD=design.board.platform.board_part,
        DEVICE=device,
        NAME=f"m3vit_{design.board.name}",
        PACKAGE=package,
        SPEEDGRADE=grade,
    )
    SubElement(root, "EXTERNALPORTS")
    SubElement(root, "EXTERNALINTERFACES")
    modules = SubElement(root, "MODULES")
    core = core_of(design.machine)
    for instance in design.instances:
        _module(modules, design, core, instance)
    ElementTree.indent(root)
    head = '<?xml version="1.0" encoding="UTF-8" standalone="no" ?>\n'
    return head + ElementTree.tostring(root, encoding="unicode") + "\n"


def _part(device: str) -> tuple[str, str, str]:
    """Device, package and speed grade of a full part name."""
    name, package, grade = device.split("-", 2)
    return name, package, f"-{grade.split('-')[0]}"


def _module(modules: Element, design: Design, core: Core, instance: Instance) -> None:
    version = instance.vlnv.rsplit(":", 1)[1]
    module = SubElement(
        modules,
        "MODULE",
        FULLNAME=f"/{instance.name}",
        HWVERSION=version,
        INSTANCE=instance.name,
        IPTYPE="PERIPHERAL",
        IS_ENABLE="1",
        IS_PL="FALSE" if instance.name == PS else "TRUE",
        MODTYPE=instance.kind,
        VLNV=instance.vlnv,
    )
    _address_blocks(module, design, instance)
    parameters = SubElement(module, "PARAMETERS")
    for name, value in _parameters(design, instance).items():
        SubElement(parameters, "PARAMETER", NAME=name, VALUE=value)
    _ports(SubElement(module, "PORTS"), design, core, instance)
    _interfaces(SubElement(module, "BUSINTERFACES"), design, core, instance)
    _memory_map(module, design, instance)


def _parameters(design: Design, instance: Instance) -> dict[str, str]:
    known = {**instance.parameters, **instance.derived}
    if instance.name == PS:
        known |= _ps_parameters(design, known)
    for item in design.ranges:
        if item.slave.startswith(f"{instance.name}/") and not item.memory:
            known |= {
                "C_BASEADDR": f"0x{item.base:08X}",
                "C_HIGHADDR": f"0x{item.base + item.size - 1:08X}",
            }
    return known


def _ps_parameters(design: Design, known: Mapping[str, str]) -> dict[str, str]:
    """What PYNQ asks for besides: every clock's divisors, port widths under their HDL names."""
    found = {"PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ": f"{clock_hz(design.board) / 1e6:.6f}"}
    for number in range(1, PL_CLOCKS):  # disabled, so that no value matters
        control = f"PSU__CRL_APB__PL{number}_REF_CTRL"
        found |= {f"{control}__DIVISOR{index}": "1" for index in range(2)}
        found[f"{control}__SRCSEL"] = design.board.platform.pll
    ending = "__DATA_WIDTH"
    for name, value in known.items():
        if name.endswith(ending):
            found[f"C_{name.removeprefix('PSU__').removesuffix(ending)}_DATA_WIDTH"] = value
    return found


def _pins(design: Design, core: Core, instance: Instance) -> Iterator[Port]:
    """Every pin of our core, of the others those on a net."""
    if instance.name == CORE:
        yield from core.ports
        return
    for net in design.nets:
        for pin in (net.source, *net.sinks):
            name, _, port = pin.partition("/")
            if name == instance.name:
                yield Port(name=port, output=pin == net.source, bits=1)


def _signal_kind(name: str) -> str:
    if name == CLOCK or name.endswith(("_clk", "aclk", "pl_clk0")):
        return "clk"
    if name == RESET or "reset" in name:
        return "rst"
    return "INTERRUPT" if name in (INTERRUPT, "intr", "irq", "pl_ps_irq0") else "undef"


def _ports(parent: Element, design: Design, core: Core, instance: Instance) -> None:
    for pin in _pins(design, core, instance):
        kind = _signal_kind(pin.name)
        port = SubElement(parent, "PORT", DIR="O" if pin.output else "I", NAME=pin.name, SIGIS=kind)
        if kind == "clk":
            port.set("CLKFREQUENCY", str(clock_hz(design.board)))
        if pin.bits > 1:
            port.set("LEFT", str(pin.bits - 1))
            port.set("RIGHT", "0")
        net = design.net_of(f"{instance.name}/{pin.name}")
        if net is None:
            continue
        port.set("SIGNAME", net.source.replace("/", "_"))
        connections = SubElement(port, "CONNECTIONS")
        others = net.sinks if pin.output else (net.source,)
        for other in others:
            name, _, there = other.partition("/")
            SubElement(connections, "CONNECTION", INSTANCE=name, PORT=there)


def _interfaces(parent: Element, design: Design, core: Core, instance: Instance) -> None:
    ours = {each.name: each for each in core.interfaces} if instance.name == CORE else {}
    for link in design.links:
        for end, kind in ((link.master, "MASTER"), (link.slave, "SLAVE")):
            name, _, interface = end.partition("/")
            if name != instance.name:
                continue
            bus = SubElement(
                parent,
                "BUSINTERFACE",
                BUSNAME=link.master.replace("/", "_"),
                NAME=interface,
                TYPE=kind,
                VLNV=AXI,
            )
            if interface not in ours:
                continue
            known = {**ours[interface].parameters, "FREQ_HZ": str(clock_hz(design.board))}
            for key, value in known.items():
                SubElement(bus, "PARAMETER", NAME=key, VALUE=value)
            maps = SubElement(bus, "PORTMAPS")
            for logical, physical in ours[interface].ports.items():
                SubElement(maps, "PORTMAP", LOGICAL=logical, PHYSICAL=physical)


def _address_blocks(module: Element, design: Design, instance: Instance) -> None:
    for item in design.ranges:
        if not item.segment.startswith(f"{instance.name}/"):
            continue
        block = SubElement(
            SubElement(module, "ADDRESSBLOCKS"),
            "ADDRESSBLOCK",
            ACCESS="" if item.memory else "read-write",
            INTERFACE=item.segment.split("/")[1],
            NAME=item.block,
            RANGE=str(item.size),
            USAGE="memory" if item.memory else "register",
        )
        if instance.name == CORE:
            add_registers(block, design.machine)


def _memory_map(module: Element, design: Design, instance: Instance) -> None:
    seen = [item for item in design.ranges if item.space.startswith(f"{instance.name}/")]
    if not seen:
        return
    memory_map = SubElement(module, "MEMORYMAP")
    for item in seen:
        SubElement(memory_map, "MEMRANGE", _range(item))
    peripherals = SubElement(module, "PERIPHERALS")
    for name in dict.fromkeys(item.slave.split("/")[0] for item in seen):
        SubElement(peripherals, "PERIPHERAL", INSTANCE=name)


def _range(item: AddressRange) -> dict[str, str]:
    target, _, interface = item.slave.partition("/")
    return {
        "ADDRESSBLOCK": item.block,
        "BASENAME": "C_BASEADDR",
        "BASEVALUE": f"0x{item.base:08X}",
        "HIGHNAME": "C_HIGHADDR",
        "HIGHVALUE": f"0x{item.base + item.size - 1:08X}",
        "INSTANCE": target,
        "IS_DATA": "TRUE",
        "IS_INSTRUCTION": "TRUE",
        "MASTERBUSINTERFACE": item.master.split("/")[1],
        "MEMTYPE": "MEMORY" if item.memory else "REGISTER",
        "SLAVEBUSINTERFACE": interface,
    }
