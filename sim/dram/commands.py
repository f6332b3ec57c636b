"""The DRAM commands that every memory table speaks of, as small integers.

LPDDR's split activation is ``ACT`` (its first half, which all timing counts from) and ``ACT2``.
"""

from collections.abc import Mapping
from types import MappingProxyType

ACT, PREPB, PREAB, RD, WR, RDA, WRA, REFAB, REFPB, ACT2, CAS = range(11)
"""Activate, precharge a bank / all, read, write (plain and with auto-precharge), refresh, ..."""

NAMES = (
    "ACT",
    "PREpb",
    "PREab",
    "RD",
    "WR",
    "RDA",
    "WRA",
    "REFab",
    "REFpb",
    "ACT2",
    "CAS",
)
COUNT = len(NAMES)

ALIASES: Mapping[str, str] = MappingProxyType({"ACT1": "ACT", "CAS_RD": "CAS", "CAS_WR": "CAS"})
"""Names that standards use for the same slot."""

BY_NAME: Mapping[str, int] = MappingProxyType(
    {name: index for index, name in enumerate(NAMES)}
    | {alias: NAMES.index(name) for alias, name in ALIASES.items()}
)

COLUMN = frozenset((RD, WR, RDA, WRA))
ALL_BANKS = frozenset((PREAB, REFAB))
"""Commands that address every bank of a rank (or pseudo channel) at once."""
