"""A command on its way through the checks: what is known of it by stage, and what is wrong."""

from collections import defaultdict
from collections.abc import Mapping

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from m3vit.hw.commands.fields import HEADER_BITS, SPECS, WORD_BITS, Op
from m3vit.hw.commands.rules import PRECEDENCE
from m3vit.hw.error_codes import ErrorCode
from m3vit.rtl.command import header, operands
from m3vit.rtl.library import delayed, register

LAST = 10
"""Stage in which everything about a command is known."""


class Stages:
    """Values of stage 1 are the command's word; stage s comes s - 1 cycles after it.

    ``config``: tokens, width, experts and top_k of the list's CONFIG, the same in all stages.
    """

    def __init__(self, m: Module, word: Value, config: Mapping[str, Value]) -> None:
        self.m, self.word, self.config = m, word, config
        self.head = header(word)
        self._found: dict[int, list[tuple[ErrorCode, Value]]] = defaultdict(list)
        self._late: dict[tuple[str, int], Value] = {}

    def op(self, *ops: Op) -> Value:
        """Whether the command is one of ``ops``."""
        return Cat(self.head["op"] == op for op in ops).any()

    def field(self, op: Op, name: str) -> Value:
        """An operand in the field's own unit."""
        return operands(self.word, op)[name]

    def flag(self, flag: int) -> Value:
        """Whether the command carries ``flag``."""
        return (self.head["flags"] & flag) != 0

    def reserved(self) -> Value:
        """Whether a bit is set that no field of the operation covers."""
        used = {op: HEADER_BITS + sum(f.bits for f in SPECS[op].fields) for op in Op}
        spare = Cat(
            (self.head["op"] == op) & self.word[used[op] :].any()
            for op in Op
            if used[op] < WORD_BITS
        )
        return spare.any() | self.head["reserved"].any()

    def chosen(self, width: int, name: str, **cases: Value) -> Signal:
        """In stage 2: the value of the operation in stage 1, zero for the others."""
        held = register(width, name)
        value: Value = Const(0, width)
        for op, case in cases.items():
            value = value | Mux(self.op(Op[op]), case, 0)
        self.m.d.sync += held.eq(value)
        return held

    def later(self, value: Value, stages: int, name: str) -> Value:
        """``value`` that many stages on."""
        return delayed(self.m, value, stages, name)

    def held(self, value: Value, name: str) -> Signal:
        """``value`` one stage on."""
        held = register(len(value), name)
        self.m.d.sync += held.eq(value)
        return held

    def fault(self, stage: int, code: ErrorCode, found: Value) -> None:
        """``found`` in ``stage`` is a reason to refuse the command."""
        self._found[stage].append((code, found))

    def bits(self) -> dict[ErrorCode, Value]:
        """By code, in stage LAST: whether the command is refused for it."""
        return {code: self._gather(code) for code in PRECEDENCE}

    def _gather(self, code: ErrorCode) -> Value:
        known: Value = Const(0, 1)
        for stage in range(1, LAST):
            new = [
                self.held(found, f"{code.name.lower()}_{stage}_{number}")
                for number, (own, found) in enumerate(self._found[stage])
                if own is code
            ]
            if not isinstance(known, Const):
                known = self.held(known, f"{code.name.lower()}_{stage}")
            known = Cat(known, *new).any() if new else known
        return known
