"""Our ``.hwh`` against Vivado's: ours lies beside the bitstream, so it must say the same."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from xml.etree.ElementTree import Element

from m3vit.boards.core import VLNV
from m3vit.hw.errors import ToolError

VENDORS = "system.hwh"
"""Name of Vivado's file among the reports."""
_CLOCK = "PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ"
_PS = "zynq_ultra_ps_e"
_IGNORED = tuple(f"PL{number}_REF_CTRL" for number in (1, 2, 3))
"""Clocks that are off: their divisors are the preset's and mean nothing."""


def differences(ours: Path, vendors: Path) -> list[str]:
    """In what the two differ of all that PYNQ reads; empty if in nothing.

    Raises:
        ToolError: a file is missing or not a hardware description with our core.
    """
    mine, theirs = _read(ours), _read(vendors)
    found = []
    for what, expected, got in (
        ("address", _addresses(mine), _addresses(theirs)),
        ("register", _registers(mine), _registers(theirs)),
        ("parameter of the processing system", _parameters(mine), _parameters(theirs)),
        ("interrupt", _interrupts(mine), _interrupts(theirs)),
    ):
        for name, value in expected.items():
            other = got.get(name)
            if other != value and not (name == _CLOCK and _near(value, other)):
                found.append(f"{what} {name} is {other} in Vivado's metadata, {value} in ours")
    return found


def _read(path: Path) -> Element:
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise ToolError(f"metadata {path} cannot be read: {error}") from error
    if root.find(f".//MODULE[@VLNV='{VLNV}']") is None:
        raise ToolError(f"metadata {path} has no core {VLNV}; it is another design's")
    return root


def _near(value: str, other: str | None) -> bool:
    return other is not None and abs(float(other) - float(value)) <= 1e-3 * float(value)


def _addresses(root: Element) -> dict[str, str]:
    found = {}
    for item in root.findall(f".//MODULE[@MODTYPE='{_PS}']//MEMRANGE"):
        name = f"{item.get('INSTANCE')}/{item.get('SLAVEBUSINTERFACE')}"
        low, high = (int(item.get(key, "0"), 16) for key in ("BASEVALUE", "HIGHVALUE"))
        found[name] = f"0x{low:X} to 0x{high:X}"
    return found


def _registers(root: Element) -> dict[str, str]:
    found = {}
    for item in root.findall(f".//MODULE[@VLNV='{VLNV}']//REGISTER"):
        offset = item.find("PROPERTY[@NAME='ADDRESS_OFFSET']")
        value = offset.get("VALUE", "") if offset is not None else ""
        found[item.get("NAME", "")] = hex(int(value, 0)) if value else ""
    return found


def _parameters(root: Element) -> dict[str, str]:
    items = root.findall(f".//MODULE[@MODTYPE='{_PS}']/PARAMETERS/PARAMETER")
    values = {item.get("NAME", ""): item.get("VALUE", "") for item in items}
    return {
        name: value for name, value in values.items() if not any(part in name for part in _IGNORED)
    }


def _interrupts(root: Element) -> dict[str, str]:
    """What every interrupt input is connected to."""
    found = {}
    for module in root.iter("MODULE"):
        for port in module.iter("PORT"):
            if port.get("SIGIS", "").lower() != "interrupt" or port.get("DIR") != "I":
                continue
            ends = [f"{c.get('INSTANCE')}/{c.get('PORT')}" for c in port.iter("CONNECTION")]
            if ends:
                found[f"{module.get('INSTANCE')}/{port.get('NAME')}"] = " ".join(sorted(ends))
    return found
