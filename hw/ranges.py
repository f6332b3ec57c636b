"""Ranges of configuration fields, checked before anything computes with values from a file."""

import math
import re
from collections.abc import Mapping

from m3vit.hw.errors import ConfigurationError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")
"""Names of models, machines and tasks: they become parts of file names and of one-line messages."""


def require_name(what: str, value: object) -> None:
    """Refuse what is no name.

    Raises:
        ConfigurationError: saying so.
    """
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise ConfigurationError(
            f"{what} is {shown(value)}, expected up to 64 letters, digits, '_', '.', '+' or '-'"
        )


def require_integers(what: str, owner: object, ranges: Mapping[str, tuple[int, int]]) -> None:
    """Refuse fields of ``owner`` that are no integers within their lowest and highest value.

    Raises:
        ConfigurationError: naming the first.
    """
    for name, (low, high) in ranges.items():
        value = getattr(owner, name)
        if type(value) is not int or not low <= value <= high:
            raise ConfigurationError(f"{what}{name} is {shown(value)}, expected {low} to {high}")


def require_positive(what: str, owner: object, names: tuple[str, ...]) -> None:
    """Refuse fields of ``owner`` that are no positive finite numbers.

    Raises:
        ConfigurationError: naming the first.
    """
    for name in names:
        value = getattr(owner, name)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or not 0 < value <= 1e9:
            raise ConfigurationError(
                f"{what}{name} is {shown(value)}, expected a positive number up to 1e9"
            )


def shown(value: object) -> str:
    """``value`` in one short line."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:76]} ..."
