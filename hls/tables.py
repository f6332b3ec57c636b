"""templates/tables.h: the contract's constant tables as C++."""

from pathlib import Path

from m3vit.hls.headers import TEMPLATES
from m3vit.hw.files import write_text
from m3vit.hw.formats import (
    Int32,
    gate_exponential_table,
    reciprocal_root_table,
    reciprocal_table,
)

TABLES = TEMPLATES / "tables.h"
_PER_LINE = 16


def _array(name: str, values: Int32) -> str:
    numbers = [str(int(value)) for value in values]
    rows = [numbers[at : at + _PER_LINE] for at in range(0, len(numbers), _PER_LINE)]
    body = ",\n".join("    " + ", ".join(row) for row in rows)
    return f"static const ap_uint<16> {name}[{len(numbers)}] = {{\n{body}}};\n"


def tables_text() -> str:
    """The header's content, from ``m3vit.hw.formats``."""
    return "\n".join(
        [
            "// Constant tables of the contract; written by `m3vit hls tables`, do not edit.",
            "#ifndef M3VIT_TABLES_H_",
            "#define M3VIT_TABLES_H_",
            "",
            '#include "ap_int.h"',
            "",
            "namespace m3vit {",
            "",
            _array("RECIPROCAL", reciprocal_table()),
            _array("RECIPROCAL_ROOT", reciprocal_root_table()),
            _array("GATE_EXPONENTIAL", gate_exponential_table()),
            "} // namespace m3vit",
            "",
            "#endif",
            "",
        ]
    )


def write_tables() -> Path:
    """Write the header beside the other templates."""
    return write_text(TABLES, tables_text())
