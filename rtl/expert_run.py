"""EXPERTS: jobs of every live expert, or of every chunk of a dense MLP, one behind the other.

The list of an expert is read until its last result has retired, while the jobs of the next are
already being made: the array never waits for a list that exists.
"""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.commands.fields import WORD_BITS, Flag, Op
from m3vit.hw.machine import MachineConfig
from m3vit.rtl.command import assign, header, operands
from m3vit.rtl.jobs import Jobs
from m3vit.rtl.passes import NUMBER_BITS, RING_BITS, TOKEN_BITS, GemmJob
from m3vit.rtl.region_size import PANEL_BITS, WORDS_BITS

EXPERT_BITS = 9


class ExpertRun(Component):
    """``start`` runs the EXPERTS command in ``word``, constant until ``done``, whose first expert
    lies at ``pointer`` in the ring; ``after`` is the first word behind the last.

    Ports: sizes as RegionSize gives them; ``decided``: ``early`` experts were fetched before the
    plan was known, those without tokens lie in the ring too; lists (see ExpertLists), in
    ``token_order`` with the ``list_place`` of their experts in the ring; ``made``
    and ``retired`` numbers of results, ``settled``, ``jobs_idle``; ``gemm`` jobs; ``publish_all``
    when every token is complete; ``skip``: the ring may be reused up to ``after``.
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.machine = machine
        sizes = {"panels0": PANEL_BITS, "panels1": PANEL_BITS, "first": WORDS_BITS}
        super().__init__(
            {
                "start": In(1),
                "word": In(WORD_BITS),
                "tokens": In(TOKEN_BITS),
                "pointer": In(RING_BITS),
                **{name: In(bits) for name, bits in sizes.items()},
                "words": In(WORDS_BITS),
                "fits": In(1),
                "decided": In(1),
                "early": In(EXPERT_BITS),
                "lists_start": Out(1),
                "list_valid": In(1),
                "list_expert": In(EXPERT_BITS),
                "list_count": In(TOKEN_BITS),
                "list_buffer": In(1),
                "token_order": Out(1),
                "list_place": In(RING_BITS),
                "list_ready": Out(1),
                "list_free": Out(1),
                "lists_exhausted": In(1),
                "made": In(NUMBER_BITS),
                "retired": In(NUMBER_BITS),
                "settled": In(1),
                "jobs_idle": In(1),
                "gemm": Out(stream.Signature(GemmJob)),
                "publish_all": Out(1),
                "skip": Out(1),
                "after": Out(RING_BITS),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A state machine; jobs are registered before they are offered."""
        m = Module()
        self.fields = operands(self.word, Op.EXPERTS)
        flags = header(self.word)["flags"]
        self.identity = (flags & Flag.IDENTITY) != 0
        m.d.comb += self.token_order.eq((flags & (Flag.IDENTITY | Flag.REORDER)) == 0)
        self.job: Any = Signal(GemmJob)
        self.second: Any = Signal(GemmJob)
        self.cursor, self.number = Signal(EXPERT_BITS), Signal(EXPERT_BITS)
        self.chunk, self.skipped = Signal(EXPERT_BITS), Signal()
        self.jobs = Jobs(self.machine, self, self.word, self.tokens, self.after)
        m.d.comb += Value.cast(self.gemm.payload).eq(Value.cast(self.job))
        self.rests = Signal()
        self._lists(m)
        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start):
                    m.d.sync += [self.cursor.eq(0), self.chunk.eq(0), self.skipped.eq(0)]
                    m.d.sync += self.after.eq(self.pointer)
                    m.d.comb += self.lists_start.eq(~self.identity)
                    m.next = "LIST"
            with m.State("LIST"):
                m.d.sync += self.number.eq(self.list_expert)
                with m.If(self.token_order):
                    m.d.sync += self.after.eq(self.list_place)
                with m.If(self.identity):
                    m.next = "JOBS"
                with m.Elif(self.list_valid & self.decided):
                    m.next = "SEEK"
                with m.Elif(self.lists_exhausted & self.decided):
                    m.next = "REST"
            with m.State("SEEK"):
                self._drop(m, self.cursor < self.number, "JOBS")
            self._jobs(m)
            with m.State("REST"):
                self._drop(m, self.cursor < self.fields["experts"], "SETTLE")
            with m.State("SETTLE"):
                m.d.comb += self.rests.eq(self.jobs_idle & self.settled)
                with m.If(self.rests & (self.taken == 0)):
                    m.d.comb += [self.publish_all.eq(1), self.skip.eq(self.skipped)]
                    m.next = "DONE"
            with m.State("DONE"):
                m.d.comb += self.done.eq(1)
                m.next = "IDLE"
        return m

    def _drop(self, m: Module, more: Value, following: str) -> None:
        """Pass over experts that were fetched in vain."""
        with m.If(more & (self.cursor < self.early)):
            m.d.sync += [
                self.cursor.eq(self.cursor + 1),
                self.after.eq(self.after + self.words),
                self.skipped.eq(1),
            ]
        with m.Else():
            m.next = following

    def _jobs(self, m: Module) -> None:
        last = self.chunk == self.fields["experts"] - 1
        first, second = self.jobs.expert(self.list_count, self.list_buffer, last)
        with m.State("JOBS"):
            m.d.sync += [*assign(self.job, **first), self.job.skip.eq(self.skipped)]
            m.d.sync += assign(self.second, **second)
            m.d.comb += self.list_ready.eq(~self.identity)
            m.next = "FIRST"
        with m.State("FIRST"):
            m.d.comb += self.gemm.valid.eq(1)
            with m.If(self.gemm.ready):
                m.d.sync += Value.cast(self.job).eq(Value.cast(self.second))
                m.next = "SECOND"
        with m.State("SECOND"):
            m.d.comb += self.gemm.valid.eq(1)
            with m.If(self.gemm.ready):
                m.d.sync += [
                    self.after.eq(self.after + self.words),
                    self.cursor.eq(self.number + 1),
                    self.skipped.eq(0),
                    self.chunk.eq(self.chunk + 1),
                ]
                m.next = "LIST"
                with m.If(self.identity & last):
                    m.next = "DONE"

    def _lists(self, m: Module) -> None:
        """The list before is given back when its expert's last result has retired.

        All passes of an expert are made, so its last number is known, when the next one's first
        job is taken.
        """
        mark, marked = Signal(NUMBER_BITS), Signal()
        self.taken = Signal(2)
        late = (self.retired - mark)[NUMBER_BITS - 1]
        given, free = Signal(), Signal()
        m.d.comb += [
            given.eq(self.gemm.valid & self.gemm.ready & ~self.job.follow),
            free.eq(Mux(self.rests, self.taken != 0, marked & ~late)),
            self.list_free.eq(free),
        ]
        m.d.sync += self.taken.eq(self.taken + self.list_ready - free)
        with m.If(given & (self.taken == 2)):
            m.d.sync += [mark.eq(self.made), marked.eq(1)]
        with m.Elif(free):
            m.d.sync += marked.eq(0)
