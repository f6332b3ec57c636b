"""Address mappings: which bits of an address choose rank, stack, group, bank, row and column.

Each mapping lists its fields from the low bits up; ``columns`` count accesses (bursts).
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from m3vit.hw.errors import ConfigurationError
from m3vit.sim.dram.kernel.layout import Ints
from m3vit.sim.dram.table import MemoryTable, Organisation

_BANKS = ("rank", "stack", "group", "bank")

MAPPINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "RoBaRaCoCh": ("column", *_BANKS, "row"),
        "BgBaCoRo": ("channel", "group", "bank", "column", "slow", "stack", "row"),
        "ChRaBaRoCo": ("column", "row", "bank", "group", "stack", "rank"),
        "MOP4CLXOR": ("column:2", *_BANKS, "column", "row"),
    }
)
"""``RoBaRaCoCh`` keeps rows together; ``BgBaCoRo`` goes over groups and banks first;
``MOP4CLXOR`` keeps four accesses together and folds column bits into the banks and the row."""


def split_addresses(table: MemoryTable, name: str, addresses: Ints) -> tuple[Ints, Ints, Ints]:
    """Flat bank, row and column of byte addresses (each wrapped into the channel's capacity).

    Raises:
        ConfigurationError: unknown mapping, or a negative address.
    """
    if name not in MAPPINGS:
        raise ConfigurationError(f"unknown mapping {name!r}; known are {', '.join(MAPPINGS)}")
    if addresses.size and int(addresses.min()) < 0:
        raise ConfigurationError("addresses must not be negative")
    fields = _slice(table, name, addresses // table.access_bytes)
    if name == "MOP4CLXOR":
        _fold(table.organisation, fields)
    size = table.organisation
    bank = fields["rank"]
    for field, count in (("stack", size.stacks), ("group", size.groups), ("bank", size.banks)):
        bank = bank * count + fields[field]
    return bank, fields["row"], fields["column"]


def _widths(table: MemoryTable) -> dict[str, int]:
    """Bits of each field; ``BgBaCoRo`` puts pseudo channels low, but ordinary ranks high."""
    size = table.organisation
    bits = {
        "rank": size.ranks.bit_length() - 1,
        "stack": size.stacks.bit_length() - 1,
        "group": size.groups.bit_length() - 1,
        "bank": size.banks.bit_length() - 1,
        "row": size.rows.bit_length() - 1,
        "column": size.columns.bit_length() - 1,
    }
    pseudo = table.controller.startswith("dual")
    return bits | {
        "channel": bits["rank"] if pseudo else 0,
        "slow": 0 if pseudo else bits["rank"],
    }


def _slice(table: MemoryTable, name: str, lines: Ints) -> dict[str, Ints]:
    widths = _widths(table)
    fields = {field: np.zeros_like(lines) for field in (*_BANKS, "row", "column")}
    taken = dict.fromkeys(fields, 0)
    rest = lines
    for item in MAPPINGS[name]:
        field, _, part = item.partition(":")
        width = int(part) if part else widths[field]
        field = "rank" if field in ("channel", "slow") else field
        width -= 0 if part else taken[field] if field == "column" else 0
        fields[field] = fields[field] + ((rest & ((1 << width) - 1)) << taken[field])
        taken[field] += width
        rest = rest >> width
    return fields


def _fold(size: Organisation, fields: dict[str, Ints]) -> None:
    """Exclusive-or of successive column bits into rank, stack, group, bank and row."""
    shift = 0
    counts = (size.ranks, size.stacks, size.groups, size.banks, size.rows)
    for field, count in zip((*_BANKS, "row"), counts, strict=True):
        width = count.bit_length() - 1
        fields[field] = fields[field] ^ ((fields["column"] >> shift) & (count - 1))
        shift += width
