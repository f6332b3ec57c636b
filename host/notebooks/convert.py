"""Percent-format Python to .ipynb: the module's docstring and ``# %%`` cells, no outputs.

Sources are what people edit and what the checkers read; the .ipynb are made from them:
``m3vit notebooks --write``.
"""

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.files import write_json

NAMES = ("quick_look", "layer_by_layer", "task_switching", "side_by_side")
HERE = Path(__file__).parent
CODE, TEXT = "# %%", "# %% [markdown]"


def source_of(name: str) -> Path:
    """The percent-format file.

    Raises:
        ConfigurationError: there is no such notebook.
    """
    if name not in NAMES:
        raise ConfigurationError(f"unknown notebook {name!r}; notebooks are {', '.join(NAMES)}")
    return HERE / f"{name}.py"


def cells_of(text: str) -> Iterator[tuple[str, str]]:
    """(kind, source) of every cell: "markdown" or "code"."""
    docstring = ast.get_docstring(ast.parse(text))
    if docstring:
        yield "markdown", docstring
    cell: list[str] | None = None
    kind = CODE
    for line in text.splitlines():
        if line in (CODE, TEXT):
            if cell is not None:
                yield _finished(kind, cell)
            cell, kind = [], line
        elif cell is not None:
            cell.append(line)
    if cell is not None:
        yield _finished(kind, cell)


def _finished(kind: str, lines: list[str]) -> tuple[str, str]:
    if kind == TEXT:
        return "markdown", "\n".join(
            line.removeprefix("#").removeprefix(" ") for line in lines
        ).strip()
    return "code", "\n".join(lines).strip("\n")


def notebook_of(text: str) -> dict[str, Any]:
    """The notebook (nbformat 4.5) of a percent-format ``text``; equal for equal texts."""
    cells = [
        _cell(kind, source, number)
        for number, (kind, source) in enumerate(cells_of(text))
        if source
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _cell(kind: str, source: str, number: int) -> dict[str, Any]:
    identity = hashlib.sha256(f"{number} {source}".encode()).hexdigest()[:8]
    lines = source.splitlines(keepends=True)
    cell: dict[str, Any] = {"cell_type": kind, "id": identity, "metadata": {}, "source": lines}
    return cell if kind == "markdown" else {**cell, "execution_count": None, "outputs": []}


def write_all() -> list[Path]:
    """Make every .ipynb anew, beside its source."""
    return [
        write_json(HERE / f"{name}.ipynb", notebook_of(source_of(name).read_text()))
        for name in NAMES
    ]
