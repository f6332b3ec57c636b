"""Error codes of the machine and the sentence that a driver shows for each."""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType


class ErrorCode(IntEnum):
    """What the ERROR register holds; the machine stops with the first error and keeps it."""

    NONE = 0
    UNKNOWN_OPERATION = 1
    MALFORMED_COMMAND = 2
    CONFIG_NOT_FIRST = 3
    CONTRACT_MISMATCH = 4
    MACHINE_MISMATCH = 5
    TOKEN_LIMIT = 6
    WIDTH_LIMIT = 7
    HEAD_LIMIT = 8
    EXPERT_LIMIT = 9
    TOP_K_LIMIT = 10
    STORE_LIMIT = 11
    RING_LIMIT = 12
    ADDRESS_WINDOW = 13
    LIST_OVERRUN = 14
    READ_ERROR = 15
    WRITE_ERROR = 16
    START_WHILE_BUSY = 17


SENTENCES: Mapping[ErrorCode, str] = MappingProxyType(
    {
        ErrorCode.NONE: "no error",
        ErrorCode.UNKNOWN_OPERATION: "the command's operation is unknown or reserved for later",
        ErrorCode.MALFORMED_COMMAND: "a reserved field is not zero, or an operand or route of the "
        "command is not allowed",
        ErrorCode.CONFIG_NOT_FIRST: "the list does not start with CONFIG, or holds it twice",
        ErrorCode.CONTRACT_MISMATCH: "the package was compiled for another contract version",
        ErrorCode.MACHINE_MISMATCH: "the package was compiled for another machine",
        ErrorCode.TOKEN_LIMIT: "the command has more tokens than CONFIG or the machine allows",
        ErrorCode.WIDTH_LIMIT: "the command's width is above the machine's, or not CONFIG's",
        ErrorCode.HEAD_LIMIT: "the command has more heads than the array has groups, or longer "
        "ones than its stores hold",
        ErrorCode.EXPERT_LIMIT: "the command has more experts than the machine allows",
        ErrorCode.TOP_K_LIMIT: "the command asks for more experts a token than the machine allows",
        ErrorCode.STORE_LIMIT: "tokens times width, or the scores of one pair, exceed a store",
        ErrorCode.RING_LIMIT: "the panels that one token block uses are larger than the "
        "weight ring",
        ErrorCode.ADDRESS_WINDOW: "the command touches memory outside its base's window",
        ErrorCode.LIST_OVERRUN: "the list has no END, one that is not last, or more commands than "
        "the machine keeps",
        ErrorCode.READ_ERROR: "the memory answered a read with an error",
        ErrorCode.WRITE_ERROR: "the memory answered a write with an error",
        ErrorCode.START_WHILE_BUSY: "start was written while the machine was busy; it stopped",
    }
)
"""One sentence for each code."""
