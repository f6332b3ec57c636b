"""Fetch: walks the commands ahead of the array and asks memory for all that streams on chip.

Weights go into the ring; rows that a DMA command reads go to the DMA unit, in their place in the
program.  Experts of a mixture are asked for in index order before the plan is known, if the
command allows it; from then on live ones only.  Experts that were asked for in vain lie in the
ring between the others: ``early`` tells how many were asked for before the plan.
"""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.commands.fields import ADDRESS_UNIT, WORD_BITS, Flag, Op, Post
from m3vit.hw.layout.sizes import gelu_bytes
from m3vit.hw.machine import MachineConfig
from m3vit.rtl.axi_bursts import ADDRESS_BITS, LENGTH_BITS
from m3vit.rtl.command import Sizes, header, operands
from m3vit.rtl.passes import TOKEN_BITS
from m3vit.rtl.product import Product
from m3vit.rtl.region_size import WORDS_BITS, RegionSize
from m3vit.rtl.ring import BEAT_BYTES

_UNIT_SHIFT = (ADDRESS_UNIT - 1).bit_length()
_LINE_SHIFT = (BEAT_BYTES - 1).bit_length()
_STRIDE_BITS = 20
"""Of DMA (bytes) and GATE (units).  A product takes as long as its stride has bits: the same for
every task.
"""


class Fetch(Component):
    """Ports: ``start``; ``index`` to ``word`` of the command list one cycle later; ``bases``,
    ``task``; regions ``valid``, ``ready``, ``address``, ``lines`` of 64 bytes, ``rows``: they are
    the DMA unit's.  ``plans``: plans completed since the start, ``live``: experts of the last one.
    ``decided``: plans that ``early`` has followed.  ``loaded`` and ``dropped`` count experts.
    Without reordering an ``expert`` is fetched at ``want``, until ``last`` (see TokenOrder).
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.machine, self.sizes = machine, Sizes(machine)
        super().__init__(
            {
                "start": In(1),
                "index": Out(9),
                "word": In(WORD_BITS),
                "bases": In(data.ArrayLayout(ADDRESS_BITS, 4)),
                "task": In(8),
                "valid": Out(1),
                "ready": In(1),
                "address": Out(ADDRESS_BITS),
                "lines": Out(LENGTH_BITS),
                "rows": Out(1),
                "plans": In(8),
                "live": In(machine.max_experts),
                "want": In(1),
                "expert": In(max(1, (machine.max_experts - 1).bit_length())),
                "taken": Out(1),
                "last": In(1),
                "decided": Out(8),
                "early": Out(9),
                "loaded": Out(16),
                "dropped": Out(16),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Read, decode, size, ask; experts one after the other."""
        m = Module()
        self.place, self.words = Signal(ADDRESS_BITS), Signal(WORDS_BITS)
        self.number = Signal(9)
        self.known, self.checked = Signal(), Signal(9)
        self.news = Signal()
        """A plan that no experts have followed: noticed a cycle late."""
        m.d.sync += self.news.eq(self.plans != self.decided)
        self.left, self.rest = Signal(9), Signal(self.machine.max_experts)
        """Experts from ``number`` on: how many, and which of them are live."""
        m.submodules.size = self.size = RegionSize(self.machine)
        m.submodules.bytes = self.bytes = Product(TOKEN_BITS, _STRIDE_BITS)
        words = self.sizes.beats(self.words)
        rows = (self.bytes.p + (BEAT_BYTES - 1)) >> _LINE_SHIFT
        m.d.comb += [
            *layers(self.size, self.word),
            self.address.eq(self.place),
            self.lines.eq(Mux(self.rows, rows, words >> 2)),
        ]
        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start):
                    m.d.sync += [self.index.eq(0), self.decided.eq(0), self.loaded.eq(0)]
                    m.d.sync += self.dropped.eq(0)
                    m.next = "READ"
            with m.State("READ"):
                m.d.sync += self.rows.eq(0)
                m.next = "DECODE"
            with m.State("DECODE"):
                self._decode(m)
            with m.State("SIZE"):
                with m.If(~self.size.busy & ~self.bytes.busy):
                    m.d.sync += self.words.eq(self.size.words)
                    m.next = "ASK"
                    with m.If(header(self.word)["op"] == Op.GATE):
                        m.d.sync += self.place.eq(self.place + (self.bytes.p << _UNIT_SHIFT))
            with m.State("ASK"):
                self._ask(m, "NEXT")
            with m.State("GELU"):
                self._ask(m, "EXPERTS")
            with m.State("EXPERTS"):
                self._experts(m)
            with m.State("EXPERT"):
                self._expert(m)
            self._token_order(m)
            with m.State("NEXT"):
                m.d.sync += self.index.eq(self.index + 1)
                m.next = "READ"
        return m

    def _ask(self, m: Module, following: str) -> None:
        m.d.comb += self.valid.eq(1)
        with m.If(self.ready):
            m.next = following

    def _at(self, m: Module, address: Value, base: Value | int = 0) -> None:
        m.d.sync += self.place.eq(self.bases[base] + (address << _UNIT_SHIFT))

    def _decode(self, m: Module) -> None:
        sizes, head = self.sizes, header(self.word)
        m.next = "NEXT"
        with m.Switch(head["op"]):
            with m.Case(Op.NORM):
                fields = operands(self.word, Op.NORM)
                self._at(m, fields["table"])
                m.d.sync += self.words.eq(sizes.aligned(sizes.norm(fields["width"])))
                m.next = "ASK"
            with m.Case(Op.GEMM):
                self._at(m, operands(self.word, Op.GEMM)["weights"])
                m.d.comb += self.size.start.eq(1)
                m.next = "SIZE"
            with m.Case(Op.GATE):
                fields = operands(self.word, Op.GATE)
                self._at(m, fields["weights"])
                m.d.comb += [self.size.start.eq(1), self.bytes.start.eq(1)]
                m.d.comb += [self.bytes.a.eq(self.task), self.bytes.b.eq(fields["stride"])]
                m.next = "SIZE"
            with m.Case(Op.EXPERTS):
                words = gelu_bytes(self.machine) // self.machine.word_bytes
                self._at(m, operands(self.word, Op.EXPERTS)["gelu"])
                m.d.sync += [self.words.eq(sizes.aligned(words)), self.number.eq(0)]
                m.d.sync += self.left.eq(operands(self.word, Op.EXPERTS)["experts"])
                m.d.comb += self.size.start.eq(1)
                m.next = "GELU"
            with m.Case(Op.DMA):
                fields = operands(self.word, Op.DMA)
                with m.If((head["flags"] & Flag.WRITE) == 0):
                    self._at(m, fields["address"], fields["base"])
                    m.d.sync += self.rows.eq(1)
                    m.d.comb += self.bytes.start.eq(1)
                    m.d.comb += [self.bytes.a.eq(head["tokens"]), self.bytes.b.eq(fields["stride"])]
                    m.next = "SIZE"
            with m.Case(Op.END):
                m.next = "IDLE"

    def _flag(self, flag: Flag) -> Value:
        return (header(self.word)["flags"] & flag) != 0

    def _experts(self, m: Module) -> None:
        """Start at expert 0, or wait for the plan where the command does not speculate."""
        identity, decided = self._flag(Flag.IDENTITY), self.news
        reorder = self._flag(Flag.REORDER)
        early = identity | (self._flag(Flag.SPECULATE) & reorder)
        with m.If(~self.size.busy & (early | decided)):
            self._at(m, operands(self.word, Op.EXPERTS)["weights"])
            m.d.sync += [self.words.eq(self.size.words), self.known.eq(identity)]
            m.d.sync += self.checked.eq(0)
            m.next = "EXPERT"
            with m.If(~identity & ~reorder):
                m.d.sync += [self.decided.eq(self.decided + 1), self.early.eq(0)]
                m.next = "WANTED"

    def _expert(self, m: Module) -> None:
        """Ask for the next; when the plan appears, count those in vain and go on with live ones."""
        fields = operands(self.word, Op.EXPERTS)
        identity = self._flag(Flag.IDENTITY)
        appears = ~self.known & self.news
        checks = self.known & ~identity & (self.checked != self.early)
        wanted, done = identity | ~self.known | self.rest[0], self.left == 0
        m.d.comb += self.valid.eq(wanted & ~done & ~appears & ~checks)
        with m.If(appears):
            m.d.sync += [
                self.known.eq(1),
                self.rest.eq(self.live),
                self.early.eq(self.number),
                self.decided.eq(self.decided + 1),
            ]
        with m.Elif(checks):
            m.d.sync += [
                self.checked.eq(self.checked + 1),
                self.dropped.eq(self.dropped + ~self.rest[0]),
                self.rest.eq(self.rest >> 1),
            ]
        with m.Elif(done):
            with m.If(self.known):
                m.next = "NEXT"
        with m.Elif(~wanted | self.ready):
            m.d.sync += [
                self.number.eq(self.number + 1),
                self.left.eq(self.left - 1),
                self.rest.eq(self.rest >> 1),
                self.place.eq(self.place + (fields["stride"] << _UNIT_SHIFT)),
                self.loaded.eq(self.loaded + wanted),
            ]

    def _token_order(self, m: Module) -> None:
        """Experts as they are wanted; each is found by a stride a cycle."""
        fields = operands(self.word, Op.EXPERTS)
        with m.State("WANTED"):
            self._at(m, fields["weights"])
            m.d.sync += self.number.eq(self.expert)
            m.d.comb += self.taken.eq(1)
            with m.If(self.want):
                m.next = "STRIDE"
            with m.Elif(self.last):
                m.next = "NEXT"
        with m.State("STRIDE"):
            with m.If(self.number == 0):
                m.next = "ASK_WANTED"
            with m.Else():
                m.d.sync += [
                    self.number.eq(self.number - 1),
                    self.place.eq(self.place + (fields["stride"] << _UNIT_SHIFT)),
                ]
        with m.State("ASK_WANTED"):
            self._ask(m, "WANTED")
            m.d.sync += self.loaded.eq(self.loaded + self.ready)


def layers(size: Any, word: Value) -> list[Any]:
    """Inputs of a RegionSize: the linear layers of the command in ``word``."""
    sizes, op = size.sizes, header(word)["op"]
    gemm, gate = operands(word, Op.GEMM), operands(word, Op.GATE)
    experts = operands(word, Op.EXPERTS)
    groups = sizes.machine.groups
    heads = (gemm["head_dim"] * 3 * groups)[:8]
    natural = ((gemm["outputs"] + 15) >> 4)[:8]
    of_gate = op == Op.GATE
    units = Mux(of_gate, (gate["experts"] + 7) >> 3, Mux(gemm["post"] == Post.QKV, heads, natural))
    steps = sizes.steps(Mux(of_gate, gate["width"] << 4, gemm["inner"]))
    two = op == Op.EXPERTS
    return [
        size.two.eq(two),
        size.units0.eq(Mux(two, experts["hidden"], units)),
        size.steps0.eq(Mux(two, sizes.steps(experts["width"] << 4), steps)),
        size.units1.eq(experts["width"]),
        size.steps1.eq(sizes.steps(experts["hidden"] << 4)),
    ]
