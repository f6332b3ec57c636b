"""The checks of a command list: hw.commands.check as a pipeline, a command a cycle.

The list is checked while it is read, before anything else moves; the verdict on a command is known
LATENCY cycles after its word.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.commands.fields import WORD_BITS, Op
from m3vit.hw.commands.rules import LIST_LIMIT, PRECEDENCE
from m3vit.hw.error_codes import ErrorCode
from m3vit.hw.machine import MachineConfig
from m3vit.rtl.check_rules import add_rules
from m3vit.rtl.check_sizes import SizeRules, heads_width
from m3vit.rtl.check_stages import LAST, Stages
from m3vit.rtl.command import header, operands
from m3vit.rtl.library import register

INDEX_BITS = LIST_LIMIT.bit_length()


class Checks(Component):
    """Ports: ``start`` with ``count`` (``accept`` in the same cycle: the list may be read),
    ``windows`` in units of 64 bytes, ``task``, ``traced``; ``valid`` with ``word``, commands in
    order; then ``passed``, or ``failed`` with ``code`` and ``index``, for one cycle.

    A new start needs a reset, as everything behind the registers gets one.
    """

    LATENCY = LAST + 1

    def __init__(self, machine: MachineConfig) -> None:
        self.machine = machine
        super().__init__(
            {
                "start": In(1),
                "count": In(32),
                "accept": Out(1),
                "windows": In(data.ArrayLayout(32, 4)),
                "task": In(32),
                "traced": In(1),
                "valid": In(1),
                "word": In(WORD_BITS),
                "passed": Out(1),
                "failed": Out(1),
                "code": Out(8),
                "index": Out(INDEX_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Stages, and the verdict behind them."""
        m = Module()
        word, given = register(WORD_BITS, "command"), Signal(LAST)
        m.d.sync += [word.eq(self.word), given.eq(Cat(self.valid, given[:-1]))]
        begun, fields = Signal(), operands(self.word, Op.CONFIG)
        kept = {name: fields[name] for name in ("width", "experts", "top_k")}
        kept["tokens"] = header(self.word)["tokens"]
        config = {name: Signal(len(value), name=name) for name, value in kept.items()}
        with m.If(self.valid & ~begun):
            m.d.sync += [begun.eq(1), *(config[name].eq(value) for name, value in kept.items())]
        stages = Stages(m, word, config)
        heads = heads_width(stages)
        add_rules(stages, self.machine, heads)
        windows = [self.windows[base] for base in range(4)]
        SizeRules(stages, self.machine, windows, self.task, self.traced)
        self._place(m, stages, given)
        self._verdict(m, stages, given[-1])
        return m

    def _place(self, m: Module, stages: Stages, given: Value) -> None:
        """CONFIG first and END last only."""
        first, place = Signal(init=1), Signal(INDEX_BITS)
        last = stages.held(place + 1 == self.count[:INDEX_BITS], "last_command")
        with m.If(given[0]):
            m.d.sync += [first.eq(0), place.eq(place + 1)]
        end = stages.op(Op.END)
        stages.fault(1, ErrorCode.CONFIG_NOT_FIRST, stages.op(Op.CONFIG) != first)
        ends = stages.held(end, "is_end")
        stages.fault(2, ErrorCode.LIST_OVERRUN, ends != last)
        self.last = stages.later(last, LAST - 2, "last_command")
        self.lacks_end = stages.later(last & ~ends, LAST - 2, "lacks_end")

    def _verdict(self, m: Module, stages: Stages, given: Value) -> None:
        """The first refused command ends the check; a list without END fails behind its last."""
        bits, place, over = stages.bits(), Signal(INDEX_BITS), Signal()
        refused = Cat(bits.values()).any()
        code: Value = Value.cast(int(PRECEDENCE[-1]))
        for each in reversed(PRECEDENCE[:-1]):
            code = Mux(bits[each], each, code)
        others = Cat(bits[each] for each in PRECEDENCE[:-1]).any()
        too_long = (self.count == 0) | (self.count > LIST_LIMIT)
        m.d.comb += self.accept.eq(self.start & ~too_long)
        m.d.sync += [self.passed.eq(0), self.failed.eq(0)]
        with m.If(self.start & too_long):
            m.d.sync += [over.eq(1), self.failed.eq(1), self.code.eq(ErrorCode.LIST_OVERRUN)]
            m.d.sync += self.index.eq(Mux(self.count == 0, 0, LIST_LIMIT))
        with m.Elif(given & ~over):
            behind = self.lacks_end & ~others
            m.d.sync += [
                place.eq(place + 1),
                over.eq(refused | self.last),
                self.passed.eq(self.last & ~refused),
                self.failed.eq(refused),
                self.code.eq(code),
                self.index.eq(place + behind),
            ]
