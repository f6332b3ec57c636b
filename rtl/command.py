"""Commands in hardware: fields of a word, sizes of what they stream."""

from typing import Any

from amaranth.hdl import Array, Const, Value

from m3vit.hw.commands.fields import HEADER, HEADER_BITS, SPECS, WORD_BITS, Op
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.layout.sizes import layernorm_bytes
from m3vit.hw.machine import CASCADE, MachineConfig

UNIT = 16
"""Channels a unit of the command's channel fields."""


def header(word: Value) -> dict[str, Value]:
    """Fields that every command has, in the field's own unit."""
    fields, at = {}, 0
    for field in HEADER:
        fields[field.name] = word[at : at + field.bits]
        at += field.bits
    return fields


def operands(word: Value, op: Op) -> dict[str, Value]:
    """Operand fields of ``op``."""
    fields, at = {}, HEADER_BITS
    for field in SPECS[op].fields:
        fields[field.name] = word[at : at + field.bits]
        at += field.bits
    assert at <= WORD_BITS
    return fields


class Sizes:
    """Formulas of hw.layout.sizes on signals, in ring words."""

    def __init__(self, machine: MachineConfig) -> None:
        if machine.columns != UNIT:
            raise ConfigurationError(f"columns must be {UNIT}, not {machine.columns}")
        self.machine = machine
        self.parameter_words = CASCADE // machine.chains
        self.unit_words = machine.stream_unit // machine.word_bytes
        self.beats_a_word = machine.word_bytes // (machine.port_bits // 8)

    def steps(self, inner: Value) -> Value:
        """Contraction tiles of ``inner`` channels."""
        bits = (self.machine.rows - 1).bit_length()
        return (inner + (self.machine.rows - 1)) >> bits

    def panels(self, units: Value) -> Value:
        """Panels of ``units`` x 16 outputs."""
        groups = self.machine.groups
        most = 3 * groups * UNIT + groups
        table = [Const(-(-u // groups), 8) for u in range(max(most, 2 * self._units()))]
        return Array(table)[units]

    def _units(self) -> int:
        return max(self.machine.max_width, 2 * self.machine.max_experts, 768) // UNIT + 1

    def linear(self, panels: Value, steps: Value) -> Value:
        """Words of ``panels`` panels."""
        return panels * (self.parameter_words + (steps << 3))

    def norm(self, width16: Value) -> Value:
        """Words of a LayerNorm table."""
        machine = self.machine
        count = machine.max_width // UNIT + 1
        words = [layernorm_bytes(machine, UNIT * w) // machine.word_bytes for w in range(count)]
        return Array([Const(w, 12) for w in words])[width16]

    def beats(self, words: Value) -> Value:
        """Beats of memory of ``words``; additions, a multiplication would take a DSP."""
        factor = self.beats_a_word
        terms = [words << bit for bit in range(factor.bit_length()) if factor >> bit & 1]
        return sum(terms[1:], terms[0])

    def aligned(self, words: Value) -> Value:
        """Rounded up to whole stream units."""
        unit = self.unit_words
        return ((words + (unit - 1)) >> (unit - 1).bit_length()) << (unit - 1).bit_length()


def assign(target: Any, **values: Any) -> list[Any]:
    """Assignments to fields of a record."""
    return [getattr(target, name).eq(value) for name, value in values.items()]
