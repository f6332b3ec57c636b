"""JSON from files that may be damaged: one meaning or none."""

import json
from typing import Any, NoReturn


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{ascii(twice)[:60]} stands twice in one object")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if value - value != 0:
        _no_number(text[:60])
    return value


def loads(text: str) -> Any:
    """The value of ``text``.

    Raises:
        ValueError: it is no JSON, names a key twice, holds NaN or an infinity, or is nested too
            deeply.
    """
    try:
        return json.loads(
            text, object_pairs_hook=_pairs, parse_constant=_no_number, parse_float=_finite
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
