"""The register table in the words of ``.hwh`` and of IP-XACT."""

from xml.etree.ElementTree import Element, SubElement

from m3vit.hw.machine import MachineConfig
from m3vit.hw.register_fields import WORD_BITS, Access, Field, Register
from m3vit.hw.registers import REGISTERS, identity_values

ACCESS = {
    Access.READ: "read-only",
    Access.READ_WRITE: "read-write",
    Access.PULSE: "write-only",
    Access.CLEAR: "read-write",
}


def reset_values(machine: MachineConfig) -> dict[str, int]:
    """What every register reads after reset, identity included."""
    return {register.name: register.reset for register in REGISTERS} | identity_values(machine)


def add_registers(block: Element, machine: MachineConfig) -> None:
    """Add every register of ``machine`` with its fields to an ADDRESSBLOCK."""
    resets = reset_values(machine)
    parent = SubElement(block, "REGISTERS")
    for register in REGISTERS:
        element = SubElement(parent, "REGISTER", NAME=register.name)
        _properties(
            element,
            DESCRIPTION=register.doc,
            ADDRESS_OFFSET=f"0x{register.offset:x}",
            SIZE=str(WORD_BITS),
            ACCESS=ACCESS[register.access],
            IS_ENABLED="true",
            RESET_VALUE=f"0x{resets[register.name]:x}",
        )
        if register.fields:
            fields = SubElement(element, "FIELDS")
            for item in register.fields:
                _field(fields, register, item)


def _field(parent: Element, register: Register, item: Field) -> None:
    access = item.access or register.access
    element = SubElement(parent, "FIELD", NAME=item.name)
    _properties(
        element,
        DESCRIPTION=item.doc,
        ADDRESS_OFFSET=str(item.lsb),
        ACCESS=ACCESS[access],
        MODIFIED_WRITE_VALUES="oneToClear" if access is Access.CLEAR else "",
        BIT_OFFSET=str(item.lsb),
        BIT_WIDTH=str(item.bits),
    )


def _properties(parent: Element, **values: str) -> None:
    for name, value in values.items():
        SubElement(parent, "PROPERTY", NAME=name, VALUE=value)
