"""Words and commands of Tcl, quoted so that the interpreter reads back what was meant."""

import re
from collections.abc import Iterable, Mapping

_PLAIN = re.compile(r"[A-Za-z0-9_./:%+=,@<>-]+")


def word(text: object) -> str:
    """``text`` as one word: plain if it can be, else in braces or with backslashes."""
    plain = str(text)
    if _PLAIN.fullmatch(plain):
        return plain
    if "\\" not in plain and plain.count("{") == plain.count("}") == 0:
        return f"{{{plain}}}"
    return "".join(each if _PLAIN.fullmatch(each) else f"\\{each}" for each in plain) or "{}"


def listing(values: Iterable[object]) -> str:
    """A list as one word."""
    return f"{{{' '.join(word(value) for value in values)}}}"


def pairs(values: Mapping[str, object]) -> str:
    """Names and values as one list of even length."""
    return listing(item for pair in values.items() for item in pair)


def command(*words: object) -> str:
    """One command of quoted words."""
    return " ".join(map(word, words))
