"""Our Verilog as an IP core for Vivado's catalogue: calls of the procedures in scripts/package.tcl.

Interfaces are stated, not inferred from names: the tool would guess widths, modes and bursts.
"""

from collections.abc import Iterator

from m3vit.boards.core import ADDRESS_BLOCK, ADDRESS_BLOCK_BYTES, SLAVE, VLNV, Core, core_of
from m3vit.boards.design import Design
from m3vit.boards.hwh_registers import ACCESS, reset_values
from m3vit.boards.tcl import command, listing, pairs
from m3vit.hw.machine import MachineConfig
from m3vit.hw.register_fields import Field, Register
from m3vit.hw.registers import REGISTERS


def package_tcl(design: Design) -> str:
    """A script that packages ``m3vit.v`` beside it into the repository ``ip``."""
    core = core_of(design.machine)
    lines = [
        f"# IP core {VLNV}, machine {design.machine.name}, digest {design.machine.digest[:16]}.",
        command("m3vit::begin_core", *VLNV.split(":")),
        *_interfaces(core),
        *_registers(design.machine),
        "m3vit::end_core",
        "",
    ]
    return "\n".join(lines)


def _interfaces(core: Core) -> Iterator[str]:
    for each in core.interfaces:
        mode = "master" if each.master else "slave"
        head = command("m3vit::interface", each.name, each.bus, mode)
        yield f"{head} {pairs(each.ports)} {pairs(each.parameters)}"
    for each in core.masters:
        yield command("m3vit::address_space", each.name, each.parameters["ADDR_WIDTH"])


def _registers(machine: MachineConfig) -> Iterator[str]:
    yield command("m3vit::address_block", SLAVE, ADDRESS_BLOCK, ADDRESS_BLOCK_BYTES)
    resets = reset_values(machine)
    for register in REGISTERS:
        head = command(
            "m3vit::register",
            register.name,
            f"0x{register.offset:x}",
            ACCESS[register.access],
            f"0x{resets[register.name]:x}",
            register.doc,
        )
        fields = " ".join(_field(register, item) for item in register.fields)
        yield f"{head} {{{fields}}}"


def _field(register: Register, item: Field) -> str:
    access = ACCESS[item.access or register.access]
    return listing([item.name, item.lsb, item.bits, access, item.doc])
