"""Sequencer: commands to jobs of the matrix engine and of the other units, in program order."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.commands.fields import WORD_BITS, Flag, Op, Post, Store
from m3vit.hw.layout.sizes import gelu_bytes
from m3vit.hw.machine import MachineConfig
from m3vit.rtl.command import Sizes, assign, header, operands
from m3vit.rtl.expert_run import ExpertRun
from m3vit.rtl.fetch import layers
from m3vit.rtl.jobs import Jobs
from m3vit.rtl.passes import RING_BITS, TOKEN_BITS, AttentionJob, GemmJob
from m3vit.rtl.region_size import WORDS_BITS, RegionSize

CONSTANTS = {"tokens": 12, "half_tokens": 12, "query_steps": 4, "value_columns": 4}

_OUTER = (
    *("decided", "early", "lists_start", "list_valid", "list_expert", "list_count"),
    *("list_buffer", "list_ready", "list_free", "lists_exhausted", "publish_all", "skip"),
    *("token_order", "list_place"),
    *("made", "retired", "settled", "jobs_idle"),
)
"""Ports of ExpertRun that are the sequencer's too."""

_SIZED = (Op.GEMM, Op.GATE, Op.EXPERTS)
"""Operations that stream weights whose number of words must be found."""


class Sequencer(Component):
    """Ports: ``start``, ``trace``; ``index`` to ``word`` one cycle later; jobs; state of the engine
    (see Core); ``skip`` with ``skip_to``: the ring may be reused up to there; ``pointer`` to the
    command's weights and the ``words`` of an expert; constants for the engine; start and state of
    the other units; lists and the fetch engine's decision (see ExpertRun); ``finished``.
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.machine, self.sizes = machine, Sizes(machine)
        self.run = ExpertRun(machine)
        groups = machine.groups
        outer = {name: self.run.signature.members[name] for name in _OUTER}
        super().__init__(
            {
                "start": In(1),
                "trace": In(1),
                "index": Out(9),
                "word": In(WORD_BITS),
                "gemm": Out(stream.Signature(GemmJob)),
                "attention": Out(stream.Signature(AttentionJob)),
                **outer,
                "skip_to": Out(RING_BITS),
                "pointer": Out(RING_BITS),
                "words": Out(WORDS_BITS),
                **{name: Out(bits) for name, bits in CONSTANTS.items()},
                "score_shift": Out(4 * groups),
                "gain": Out(16 * groups),
                "gain_shift": Out(3 * groups),
                "table_start": Out(1),
                "table_gelu": Out(1),
                "table_address": Out(RING_BITS),
                "table_channels": Out(12),
                "table_busy": In(1),
                "norm_start": Out(1),
                "norm_busy": In(1),
                "published": In(TOKEN_BITS),
                "norm_width": Out(7),
                "norm_epsilon": Out(32),
                "norm_shift": Out(6),
                "dma_start": Out(1),
                "dma_busy": In(1),
                "gate_start": Out(1),
                "gate_experts": Out(9),
                "gate_top_k": Out(4),
                "gate_done": In(1),
                "plans": Out(8),
                "finished": Out(1),
                "interrupt": Out(1),
                "end_status": Out(8),
                "block": Out(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One state machine; jobs are registered before they are offered."""
        m = Module()
        self.quiet = Signal()
        self.job: Any = Signal(GemmJob)
        self.from_xn, self.tabled = Signal(), Signal()
        self.gelu_words = gelu_bytes(self.machine) // self.machine.word_bytes
        self.head = header(self.word)
        m.submodules.size = self.size = RegionSize(self.machine)
        m.submodules.run = self.run
        self.jobs = Jobs(self.machine, self.size, self.word, self.tokens, self.pointer)
        m.d.comb += [
            self.block.eq(self.head["block"]),
            self.words.eq(self.size.words),
            *layers(self.size, self.word),
        ]
        # Nothing is under way: stores may be read and overwritten.  Known a cycle late: what a
        # command begins is busy long before the next one is decoded.
        m.d.sync += self.quiet.eq(self.jobs_idle & self.settled & ~self.norm_busy & ~self.dma_busy)
        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start):
                    m.d.sync += [self.index.eq(0), self.pointer.eq(0), self.plans.eq(0)]
                    m.d.sync += self.tabled.eq(0)
                    m.next = "READ"
            with m.State("READ"):
                m.next = "DECODE"
            with m.State("DECODE"):
                self._decode(m)
            with m.State("SIZE"):
                with m.If(~self.size.busy):
                    self._dispatch(m, _SIZED)
            with m.State("NEXT"):
                m.d.sync += self.index.eq(self.index + 1)
                m.next = "READ"
            self._norm(m)
            self._gemm(m)
            self._attention(m)
            self._gate(m)
            self._experts(m)
            self._dma(m)
            self._end(m)
        return m

    def _decode(self, m: Module) -> None:
        skipped = ((self.head["flags"] & Flag.TRACE_ONLY) != 0) & ~self.trace
        with m.If(skipped):
            m.next = "NEXT"
        with m.Else():
            self._dispatch(m, [op for op in Op if op not in _SIZED])
            for op in _SIZED:
                with m.If(self.head["op"] == op):
                    m.d.comb += self.size.start.eq(1)
                    m.next = "SIZE"

    def _dispatch(self, m: Module, operations: Any) -> None:
        with m.Switch(self.head["op"]):
            for op in operations:
                with m.Case(op):
                    if op is Op.CONFIG:
                        self._config(m)
                    else:
                        m.next = op.name

    def _config(self, m: Module) -> None:
        tokens = self.head["tokens"]
        m.d.sync += [self.tokens.eq(tokens), self.half_tokens.eq((tokens + 1) >> 1)]
        m.next = "NEXT"

    def _norm(self, m: Module) -> None:
        fields = operands(self.word, Op.NORM)
        with m.State("NORM"):
            with m.If(~self.norm_busy & ~self.table_busy):
                m.d.comb += self.table_start.eq(1)
                m.d.sync += [
                    self.norm_width.eq(fields["width"]),
                    self.norm_epsilon.eq(fields["epsilon"]),
                    self.norm_shift.eq(fields["shift"]),
                    self.pointer.eq(self.pointer + self.sizes.norm(fields["width"])),
                ]
                m.next = "NORM_TABLE"
        m.d.comb += [
            self.table_address.eq(self.pointer),
            self.table_channels.eq(fields["width"] << 4),
        ]
        with m.State("NORM_TABLE"):
            m.next = "NORM_START"
        # The first token that is complete shows that nobody reads XN any more, unless its
        # producer reads XN itself, block by block.
        published = Signal()
        m.d.sync += published.eq(self.published != 0)
        free = published & (~self.from_xn | (self.jobs_idle & self.settled))
        with m.State("NORM_START"):
            with m.If(~self.table_busy & free):
                m.d.comb += self.norm_start.eq(1)
                m.next = "NEXT"

    def _gemm(self, m: Module) -> None:
        fields, job = operands(self.word, Op.GEMM), self.jobs.gemm()
        writes_residual = fields["post"] == Post.RESIDUAL
        with m.State("GEMM"):
            m.d.sync += assign(self.job, **job)
            m.d.sync += self.from_xn.eq(writes_residual & (self.head["src"] == Store.XN))
            with m.If(fields["post"] == Post.QKV):
                m.d.sync += [
                    self.query_steps.eq(self.sizes.steps(fields["head_dim"] << 4)),
                    self.value_columns.eq(fields["head_dim"]),
                ]
            m.next = "GIVE"
        m.d.comb += Value.cast(self.gemm.payload).eq(Value.cast(self.job))
        with m.State("GIVE"):
            self._give(m, "NEXT")

    def _give(self, m: Module, following: str) -> None:
        m.d.comb += self.gemm.valid.eq(1)
        with m.If(self.gemm.ready):
            m.d.sync += self.pointer.eq(self.pointer + self.size.words)
            m.next = following

    def _attention(self, m: Module) -> None:
        fields, groups = operands(self.word, Op.ATTN), self.machine.groups
        with m.State("ATTN"):
            m.d.comb += self.attention.valid.eq(1)
            m.d.comb += assign(self.attention.payload, **self.jobs.attention())
            with m.If(self.attention.ready):
                m.d.sync += [
                    self.score_shift.eq(Cat(fields[f"score_shift{g}"] for g in range(groups))),
                    self.gain.eq(Cat(fields[f"gain{g}"] for g in range(groups))),
                    self.gain_shift.eq(Cat(fields[f"gain_shift{g}"] for g in range(groups))),
                ]
                m.next = "NEXT"

    def _gate(self, m: Module) -> None:
        fields, job = operands(self.word, Op.GATE), self.jobs.gate()
        with m.State("GATE"):
            m.d.comb += self.gate_start.eq(1)
            m.d.sync += assign(self.job, **job)
            m.d.sync += [
                self.gate_experts.eq(fields["experts"]),
                self.gate_top_k.eq(fields["top_k"]),
            ]
            m.next = "GATE_GIVE"
        with m.State("GATE_GIVE"):
            self._give(m, "GATE_TABLE")
        # The tables of the experts lie behind the gate and are loaded while it decides.
        with m.State("GATE_TABLE"):
            self._gelu_table(m, "GATE_WAIT")
        with m.State("GATE_WAIT"):
            with m.If(self.gate_done):
                m.d.sync += [self.plans.eq(self.plans + 1), self.tabled.eq(1)]
                m.next = "NEXT"

    def _gelu_table(self, m: Module, following: str) -> None:
        with m.If(~self.table_busy):
            m.d.comb += [self.table_start.eq(1), self.table_gelu.eq(1)]
            m.d.sync += self.pointer.eq(self.pointer + self.gelu_words)
            m.next = following

    def _experts(self, m: Module) -> None:
        run = self.run
        for name in _OUTER:
            mine, its = getattr(self, name), getattr(run, name)
            inward = run.signature.members[name].flow == In
            m.d.comb += its.eq(mine) if inward else mine.eq(its)
        for name in ("panels0", "panels1", "first", "words", "fits"):
            m.d.comb += getattr(run, name).eq(getattr(self.size, name))
        m.d.comb += [
            run.word.eq(self.word),
            run.tokens.eq(self.tokens),
            run.pointer.eq(self.pointer),
            self.skip_to.eq(run.after),
        ]
        with m.State("EXPERTS"):
            m.d.sync += self.tabled.eq(0)
            with m.If(self.tabled):
                m.next = "EXPERTS_START"
            with m.Else():
                self._gelu_table(m, "EXPERTS_TABLE")
        with m.State("EXPERTS_TABLE"):
            m.next = "EXPERTS_START"
        with m.State("EXPERTS_START"):
            with m.If(~self.table_busy):
                m.d.comb += run.start.eq(1)
                m.next = "EXPERTS_RUN"
        with m.State("EXPERTS_RUN"):
            m.d.comb += [
                self.gemm.valid.eq(run.gemm.valid),
                Value.cast(self.gemm.payload).eq(Value.cast(run.gemm.payload)),
                run.gemm.ready.eq(self.gemm.ready),
            ]
            m.d.sync += self.from_xn.eq(0)
            with m.If(run.done):
                m.d.sync += self.pointer.eq(run.after)
                m.next = "NEXT"

    def _dma(self, m: Module) -> None:
        """Rows into XN are read by the next command while they come."""
        to_xn = self.head["dst"] == Store.XN
        with m.State("DMA"):
            with m.If(self.quiet):
                m.d.comb += self.dma_start.eq(1)
                m.next = "DMA_BEGUN"
        with m.State("DMA_BEGUN"):
            m.next = "DMA_WAIT"
        with m.State("DMA_WAIT"):
            with m.If(~self.dma_busy | to_xn):
                m.next = "NEXT"

    def _end(self, m: Module) -> None:
        with m.State("END"):
            with m.If(self.quiet):
                m.d.comb += [
                    self.finished.eq(1),
                    self.interrupt.eq(self.jobs.flag(Flag.INTERRUPT)),
                    self.end_status.eq(operands(self.word, Op.END)["status"]),
                ]
                m.next = "IDLE"
