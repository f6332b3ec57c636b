"""Fetch: walks the commands ahead of the array and asks memory for all that streams into the ring.

Experts of a mixture are asked for once the plan is known, live ones only, ascending.
"""

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.commands.fields import ADDRESS_UNIT, WORD_BITS, Flag, Op, Post
from m3vit.hw.layout.sizes import gelu_bytes
from m3vit.hw.machine import MachineConfig
from m3vit.rtl.axi_bursts import ADDRESS_BITS, LENGTH_BITS
from m3vit.rtl.command import Sizes, header, operands

_UNIT_SHIFT = (ADDRESS_UNIT - 1).bit_length()


class Fetch(Component):
    """Ports: ``start``; ``index`` to ``word`` of the command list one cycle later; ``base``,
    ``task``; regions ``valid``, ``ready``, ``address``, ``beats``; ``plans``: plans completed
    since the start, ``live``: experts of the last one; ``loaded`` counts experts.
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.machine, self.sizes = machine, Sizes(machine)
        super().__init__(
            {
                "start": In(1),
                "index": Out(9),
                "word": In(WORD_BITS),
                "base": In(ADDRESS_BITS),
                "task": In(8),
                "valid": Out(1),
                "ready": In(1),
                "address": Out(ADDRESS_BITS),
                "beats": Out(LENGTH_BITS),
                "plans": In(8),
                "live": In(machine.max_experts),
                "loaded": Out(16),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Read, decode, ask; experts one after the other."""
        m = Module()
        self.place, self.words = Signal(ADDRESS_BITS), Signal(20)
        self.left, self.number = Signal(9), Signal(9)
        self.seen, self.tasks = Signal(8), Signal(8)
        m.d.comb += [
            self.address.eq(self.place),
            self.beats.eq(self.words * self.sizes.beats_a_word),
        ]
        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start):
                    m.d.sync += [self.index.eq(0), self.seen.eq(0), self.loaded.eq(0)]
                    m.next = "READ"
            with m.State("READ"):
                m.next = "DECODE"
            with m.State("DECODE"):
                self._decode(m)
            with m.State("TASK"):
                stride = operands(self.word, Op.GATE)["stride"]
                with m.If(self.tasks == 0):
                    m.next = "ASK"
                with m.Else():
                    m.d.sync += [
                        self.place.eq(self.place + (stride << _UNIT_SHIFT)),
                        self.tasks.eq(self.tasks - 1),
                    ]
            with m.State("ASK"):
                self._ask(m, "NEXT")
            with m.State("GELU"):
                self._ask(m, "EXPERTS")
            with m.State("EXPERTS"):
                self._experts(m)
            with m.State("EXPERT"):
                self._expert(m)
            with m.State("NEXT"):
                m.d.sync += self.index.eq(self.index + 1)
                m.next = "READ"
        return m

    def _ask(self, m: Module, following: str) -> None:
        m.d.comb += self.valid.eq(1)
        with m.If(self.ready):
            m.next = following

    def _region(self, m: Module, address: Value, words: Value) -> None:
        m.d.sync += [
            self.place.eq(self.base + (address << _UNIT_SHIFT)),
            self.words.eq(self.sizes.aligned(words)),
        ]

    def _decode(self, m: Module) -> None:
        sizes, op = self.sizes, header(self.word)["op"]
        m.next = "NEXT"
        with m.Switch(op):
            with m.Case(Op.NORM):
                fields = operands(self.word, Op.NORM)
                self._region(m, fields["table"], sizes.norm(fields["width"]))
                m.next = "ASK"
            with m.Case(Op.GEMM):
                fields = operands(self.word, Op.GEMM)
                panels = gemm_panels(sizes, fields)
                words = sizes.linear(panels, sizes.steps(fields["inner"]))
                self._region(m, fields["weights"], words)
                m.next = "ASK"
            with m.Case(Op.GATE):
                fields = operands(self.word, Op.GATE)
                panels = sizes.panels((fields["experts"] + 7) >> 3)
                words = sizes.linear(panels, sizes.steps(fields["width"] << 4))
                self._region(m, fields["weights"], words)
                m.d.sync += self.tasks.eq(self.task)
                m.next = "TASK"
            with m.Case(Op.EXPERTS):
                fields = operands(self.word, Op.EXPERTS)
                words = gelu_bytes(self.machine) // self.machine.word_bytes
                self._region(m, fields["gelu"], Const(words, 12))
                m.d.sync += self.number.eq(0)
                m.next = "GELU"
            with m.Case(Op.END):
                m.next = "IDLE"

    def _experts(self, m: Module) -> None:
        """Wait for the plan, if there is one, and start at expert 0."""
        fields, flags = operands(self.word, Op.EXPERTS), header(self.word)["flags"]
        identity = (flags & Flag.IDENTITY) != 0
        known = self.plans != self.seen
        first, second = expert_words(self.sizes, fields)
        with m.If(identity | known):
            self._region(m, fields["weights"], first + second)
            m.d.sync += self.seen.eq(self.seen + ~identity)
            m.next = "EXPERT"

    def _expert(self, m: Module) -> None:
        fields, flags = operands(self.word, Op.EXPERTS), header(self.word)["flags"]
        identity = (flags & Flag.IDENTITY) != 0
        wanted = identity | self.live.bit_select(self.number, 1)
        done = self.number == fields["experts"]
        m.d.comb += self.valid.eq(wanted & ~done)
        with m.If(done):
            m.next = "NEXT"
        with m.Elif(~wanted | self.ready):
            m.d.sync += [
                self.number.eq(self.number + 1),
                self.place.eq(self.place + (fields["stride"] << _UNIT_SHIFT)),
                self.loaded.eq(self.loaded + wanted),
            ]


def gemm_panels(sizes: Sizes, fields: dict[str, Value]) -> Value:
    """Panels of a GEMM."""
    groups = sizes.machine.groups
    natural = (fields["outputs"] + 15) >> 4
    heads = fields["head_dim"] * 3 * groups
    return sizes.panels(Mux(fields["post"] == Post.QKV, heads, natural))


def expert_words(sizes: Sizes, fields: dict[str, Value]) -> tuple[Value, Value]:
    """Words of an expert's two layers."""
    hidden, width = fields["hidden"], fields["width"]
    return (
        sizes.linear(sizes.panels(hidden), sizes.steps(width << 4)),
        sizes.linear(sizes.panels(width), sizes.steps(hidden << 4)),
    )
