"""The Verilog of a whole machine, cut at its blocks.

Every module of the text belongs to one piece: modules that stand for a block are cut off their
parents, all others go into the piece that holds them.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from m3vit.hw.errors import ToolError

_MODULE = re.compile(r"^(?:\(\*.*\*\)\n)*module (\\\S+|\w+).*?^endmodule\n", re.M | re.S)
_INSTANCE = re.compile(r"^  (\\\S+|\w+) +(?:\\\S+ |[\w$]+) *\($", re.M)
_PORTS = re.compile(r"^  (?:input|output|inout)\b.*;$", re.M)
_NUMBERED = re.compile(r"(?:port|\w+\.cc:\d+:\w+)\$\d+(?:\$\d+)?|read__addr\$\d+|rd\d\$\d+")
"""Names that count through the whole machine: they change with any block."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A module and all that is not cut off, and stubs of what is."""

    name: str
    text: str
    stubs: str

    @cached_property
    def digest(self) -> str:
        """Equal for equal pieces, wherever the names that Amaranth numbers have come to."""
        known: dict[str, str] = {}

        def renamed(match: re.Match[str]) -> str:
            return known.setdefault(match[0], f"n{len(known)}")

        content = "\0".join((self.name, self.text, self.stubs))
        return hashlib.sha256(_NUMBERED.sub(renamed, content).encode()).hexdigest()


def cut(text: str, top: str, is_block: Callable[[str], bool]) -> dict[str, Piece]:
    """The pieces of ``text`` by their modules' names, the one of ``top`` first.

    Args:
        text: Verilog of all modules.
        top: name of the outermost.
        is_block: whether a module of that name is cut off its parent.

    Raises:
        ToolError: ``top`` is not in the text.
    """
    modules = {match[1].lstrip("\\"): match[0] for match in _MODULE.finditer(text)}
    if top not in modules:
        raise ToolError(f"the Verilog has no module {top}, expected the machine's top")
    pieces: dict[str, Piece] = {}
    pending = [top]
    while pending:
        name = pending.pop()
        if name not in pieces:
            own, cuts = _gather(modules, name, is_block)
            stubs = "".join(_stub(modules[child]) for child in sorted(cuts))
            body = "".join(modules[module] for module in own)
            pieces[name] = Piece(name=name, text=body, stubs=stubs)
            pending += sorted(cuts, reverse=True)
    return pieces


def _gather(
    modules: Mapping[str, str], top: str, is_block: Callable[[str], bool]
) -> tuple[list[str], set[str]]:
    """Modules that stay inside ``top``, and those that are cut off."""
    own, cuts = [top], set()
    for name in own:
        for match in _INSTANCE.finditer(modules[name]):
            child = match[1].lstrip("\\")
            if child not in modules:
                continue
            if is_block(child):
                cuts.add(child)
            elif child not in own:
                own.append(child)
    return own, cuts


def _stub(module: str) -> str:
    """Name and ports alone."""
    head = module[: module.index(");") + 2]
    return "\n".join([head, *_PORTS.findall(module), "endmodule", ""])
