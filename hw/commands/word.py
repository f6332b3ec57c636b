"""Commands as values: encoding to and decoding from 256-bit words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from m3vit.hw.commands.fields import (
    HEADER,
    HEADER_BITS,
    SPECS,
    WORD_BITS,
    WORD_BYTES,
    Field,
    Flag,
    Op,
    Store,
)
from m3vit.hw.errors import CommandError

_STORES = frozenset(map(int, Store))


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command; ``operands`` are in natural units (bytes, channels), not in field units."""

    op: Op
    flags: Flag = Flag(0)
    block: int = 0
    src: Store = Store.NONE
    dst: Store = Store.NONE
    tokens: int = 0
    pairs: int = 0
    operands: Mapping[str, int] = field(default_factory=dict)

    def __getitem__(self, name: str) -> int:
        return self.operands[name]


def _pack(fields: Iterable[Field], values: Mapping[str, int], op: Op) -> int:
    word, offset = 0, 0
    for item in fields:
        value = values[item.name]
        units, rest = divmod(value, item.unit)
        if rest or not 0 <= units < 1 << item.bits:
            raise CommandError(
                f"{op.name}: {item.name} is {value}, expected a multiple of {item.unit} "
                f"in 0..{((1 << item.bits) - 1) * item.unit}"
            )
        word |= units << offset
        offset += item.bits
    return word


def _unpack(fields: Iterable[Field], word: int) -> tuple[dict[str, int], int]:
    values = {}
    for item in fields:
        values[item.name] = (word & ((1 << item.bits) - 1)) * item.unit
        word >>= item.bits
    return values, word


def encode(command: Command) -> bytes:
    """The 32 bytes of ``command``, little endian.

    Raises:
        CommandError: an operand is missing, unknown or does not fit its field.
    """
    spec = SPECS[command.op]
    names = [item.name for item in spec.fields]
    if sorted(names) != sorted(command.operands):
        raise CommandError(
            f"{command.op.name}: operands are {sorted(command.operands)}, expected {sorted(names)}"
        )
    header = {
        "op": int(command.op),
        "flags": int(command.flags),
        "block": command.block,
        "src": int(command.src),
        "dst": int(command.dst),
        "tokens": command.tokens,
        "pairs": command.pairs,
        "reserved": 0,
    }
    word = _pack(HEADER, header, command.op)
    word |= _pack(spec.fields, command.operands, command.op) << HEADER_BITS
    return word.to_bytes(WORD_BYTES, "little")


def decode(word: bytes, index: int = 0) -> Command:
    """Inverse of :func:`encode`; ``index`` is named in errors.

    Raises:
        CommandError: unknown operation, flag or store, or a reserved bit is set.
    """
    if len(word) != WORD_BYTES:
        raise CommandError(f"command {index}: {len(word)} bytes, expected {WORD_BYTES}")
    command, malformed = read_word(word)
    if command is None:
        raise CommandError(
            f"command {index}: {word[0] & 63} is not a valid Op, recompile the package"
        )
    if malformed:
        raise CommandError(
            f"command {index} ({command.op.name}): reserved bits are set or a store is unknown, "
            "recompile the package"
        )
    return command


def read_word(word: bytes) -> tuple[Command | None, bool]:
    """What can be read of any 32 bytes: the command, and whether it is malformed.

    No command: its operation is unknown.  Malformed: a reserved bit, flag or store is used (an
    unknown store reads as NONE).
    """
    value = int.from_bytes(word, "little")
    header, _ = _unpack(HEADER, value & ((1 << HEADER_BITS) - 1))
    if header["op"] not in SPECS:
        return None, True
    op = Op(header["op"])
    operands, rest = _unpack(SPECS[op].fields, value >> HEADER_BITS)
    unknown = header["flags"] & ~sum(int(flag) for flag in Flag)
    stores = [Store(n) if n in _STORES else Store.NONE for n in (header["src"], header["dst"])]
    lost = [int(store) for store in stores] != [header["src"], header["dst"]]
    command = Command(
        op=op,
        flags=Flag(header["flags"] & ~unknown),
        block=header["block"],
        src=stores[0],
        dst=stores[1],
        tokens=header["tokens"],
        pairs=header["pairs"],
        operands=operands,
    )
    return command, bool(rest or header["reserved"] or unknown or lost)


def decode_all(data: bytes) -> tuple[Command, ...]:
    """Decode a command list.

    Raises:
        CommandError: its length is no multiple of 32 bytes, or a word is malformed.
    """
    if len(data) % WORD_BYTES:
        raise CommandError(
            f"command list has {len(data)} bytes, expected a multiple of {WORD_BYTES}"
        )
    words = [data[at : at + WORD_BYTES] for at in range(0, len(data), WORD_BYTES)]
    return tuple(decode(word, index) for index, word in enumerate(words))


def used_bits(op: Op) -> int:
    """Bits of a word that ``op`` uses, header included."""
    total = HEADER_BITS + sum(item.bits for item in SPECS[op].fields)
    assert total <= WORD_BITS
    return total
