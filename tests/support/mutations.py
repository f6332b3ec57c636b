"""Packages damaged on purpose, their digests made good again so that deeper checks are reached."""

import copy
import hashlib
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from m3vit.hw.commands.fields import HEADER, SPECS, WORD_BITS, WORD_BYTES, Op
from m3vit.hw.config import digest_of
from m3vit.hw.package import COMMANDS, GOLDEN, MANIFEST, WEIGHTS

BLOBS = (WEIGHTS, COMMANDS, GOLDEN)

STRANGE: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2, 3, 16, 17, 255, 256, 2**31, 2**63, 2**64, 10**40, -(2**63),
    0.5, 1e308, -0.0, float("nan"), float("inf"), "", "32", "../../x", "/etc/passwd", "a\nb",
    "\x00", "\ud800", "x" * 5000, [], {}, [[]], [0], [1, 1, 1, 1], [2**40, 2**40], {"a": 1},
)  # fmt: skip
"""Values that stand for any other in a manifest."""


def seal(manifest: dict[str, Any], folder: Path) -> None:
    """Write ``manifest`` with sizes and digests of the files as they are now."""
    for name in BLOBS:
        entry, data = manifest.get("files"), (folder / name).read_bytes()
        if isinstance(entry, dict):
            entry[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    write_sealed(manifest, folder)


def write_sealed(manifest: dict[str, Any], folder: Path) -> None:
    """Write ``manifest`` with its own digest."""
    body = {key: value for key, value in manifest.items() if key != "digest"}
    text = json.dumps({**body, "digest": digest_of(body)})
    (folder / MANIFEST).write_text(text)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest as plain values."""
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    return manifest


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of a tree."""
    items: Any = ()
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, inner in items:
        yield value, key
        yield from _places(inner)


def mutate_manifest(folder: Path, rng: random.Random) -> None:
    """Change, remove, swap or copy values anywhere; the machine's digest is made good as well."""
    manifest = read_manifest(folder)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        # A long list must not hide the rest: choose the part first.
        key = rng.choice(sorted(manifest))
        places = [(manifest, key), *_places(manifest[key])]
        holder, name = rng.choice(places)
        action = rng.random()
        if action < 0.65:
            holder[name] = _strange(holder[name], rng)
        elif action < 0.75 and len(manifest) > 4:
            del holder[name]
        else:
            other, second = rng.choice(places)
            holder[name] = json.loads(json.dumps(other[second]))
    if rng.random() < 0.8:
        _reseal_machine(manifest)
    if rng.random() < 0.8:
        seal(manifest, folder)
    else:
        write_sealed(manifest, folder)


def _reseal_machine(manifest: dict[str, Any]) -> None:
    value = {"contract": manifest.get("contract"), "machine": manifest.get("machine")}
    manifest["machine_digest"] = digest_of(value)


def _strange(value: Any, rng: random.Random) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and rng.random() < 0.5:
        return rng.choice((value + 1, value - 1, -value, 2 * value, value << 20, float(value)))
    return copy.deepcopy(rng.choice(STRANGE))


def mutate_blob(folder: Path, rng: random.Random) -> None:
    """Flip, cut, lengthen, empty or swap the files; sealed again."""
    name = rng.choice(BLOBS)
    data = bytearray((folder / name).read_bytes())
    action = rng.randrange(6)
    if action == 0:
        for _ in range(rng.choice((1, 4, 64))):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif action == 1:
        del data[rng.randrange(len(data)) :]
    elif action == 2:
        data += rng.randbytes(rng.choice((1, 32, 4096)))
    elif action == 3:
        data = bytearray()
    elif action == 4:
        data = bytearray((folder / rng.choice(BLOBS)).read_bytes())
    else:
        start = rng.randrange(len(data))
        data[start : start + 4096] = rng.randbytes(4096)
    (folder / name).write_bytes(data)
    seal(read_manifest(folder), folder)


def mutate_commands(folder: Path, rng: random.Random) -> None:
    """Change fields of words, or the order and number of words; sealed again."""
    data = (folder / COMMANDS).read_bytes()
    words = [data[at : at + WORD_BYTES] for at in range(0, len(data), WORD_BYTES)]
    for _ in range(rng.choice((1, 1, 2, 6))):
        at = rng.randrange(len(words))
        action = rng.random()
        if action < 0.75:
            words[at] = change_field(words[at], rng)
        elif action < 0.85:
            words[at] = words[rng.randrange(len(words))]
        elif action < 0.92:
            del words[at]
        else:
            words.insert(at, words[rng.randrange(len(words))])
    (folder / COMMANDS).write_bytes(b"".join(words))
    seal(read_manifest(folder), folder)


def change_field(word: bytes, rng: random.Random) -> bytes:
    """One field of a command set to an extreme, a neighbour or anything."""
    value = int.from_bytes(word, "little")
    op = value & 63
    fields = [*HEADER, *(SPECS[Op(op)].fields if op in set(Op) else ())]
    chosen = rng.randrange(len(fields))
    offset = sum(item.bits for item in fields[:chosen])
    top = (1 << fields[chosen].bits) - 1
    old = value >> offset & top
    new = rng.choice((0, 1, top, top >> 1, old + 1, old - 1, 2 * old, rng.getrandbits(64))) & top
    changed = value ^ (old ^ new) << offset
    return (changed & (1 << WORD_BITS) - 1).to_bytes(WORD_BYTES, "little")


Mutation = Callable[[Path, random.Random], None]
MUTATIONS: dict[str, Mutation] = {
    "manifest": mutate_manifest,
    "blob": mutate_blob,
    "commands": mutate_commands,
}
