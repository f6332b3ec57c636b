"""Sequencer: commands to jobs of the matrix engine and of the other units, in program order."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.commands.fields import WORD_BITS, Flag, Op, Post, Store
from m3vit.hw.layout.sizes import gelu_bytes
from m3vit.hw.machine import MachineConfig
from m3vit.rtl.command import Sizes, assign, header, operands
from m3vit.rtl.fetch import expert_words
from m3vit.rtl.jobs import Jobs
from m3vit.rtl.passes import RING_BITS, TOKEN_BITS, AttentionJob, GemmJob

_DRAINED = 6
"""Cycles without a pass after which none is left in a queue."""

CONSTANTS = {"tokens": 12, "half_tokens": 12, "query_steps": 4, "value_columns": 4}


class Sequencer(Component):
    """Ports: ``start``, ``trace``, ``count``; ``index`` to ``word`` one cycle later; jobs; state of
    the engine (``jobs_idle``, ``idle``, ``issued``: no pass waits, ``settled``: every result has
    retired);
    constants for the engine; start and state of the other units; ``finished`` or ``failed`` with
    ``error``.
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.machine, self.sizes = machine, Sizes(machine)
        groups = machine.groups
        super().__init__(
            {
                "start": In(1),
                "trace": In(1),
                "index": Out(9),
                "word": In(WORD_BITS),
                "gemm": Out(stream.Signature(GemmJob)),
                "attention": Out(stream.Signature(AttentionJob)),
                "jobs_idle": In(1),
                "idle": In(1),
                "settled": In(1),
                "issued": In(1),
                "publish_all": Out(1),
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
                "xn_ready": Out(1),
                "dma_start": Out(1),
                "dma_busy": In(1),
                "gate_start": Out(1),
                "gate_experts": Out(9),
                "gate_top_k": Out(4),
                "gate_done": In(1),
                "plans": Out(8),
                "lists_start": Out(1),
                "list_valid": In(1),
                "list_count": In(TOKEN_BITS),
                "list_buffer": In(1),
                "list_ready": Out(1),
                "lists_exhausted": In(1),
                "finished": Out(1),
                "interrupt": Out(1),
                "end_status": Out(8),
                "block": Out(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One state machine; jobs are registered before they are offered."""
        m = Module()
        self.pointer, self.after = Signal(RING_BITS), Signal(RING_BITS)
        self.job: Any = Signal(GemmJob)
        self.second: Any = Signal(GemmJob)
        self.chunk, self.quiet = Signal(9), Signal(4)
        self.from_xn, self.tabled = Signal(), Signal()
        self.gelu_words = gelu_bytes(self.machine) // self.machine.word_bytes
        self.head = header(self.word)
        self.jobs = Jobs(self.sizes, self.word, self.tokens, self.pointer)
        m.d.comb += [
            Value.cast(self.gemm.payload).eq(Value.cast(self.job)),
            self.block.eq(self.head["block"]),
        ]
        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start):
                    m.d.sync += [self.index.eq(0), self.pointer.eq(0), self.plans.eq(0)]
                    m.d.sync += self.xn_ready.eq(0)
                    m.next = "READ"
            with m.State("READ"):
                m.next = "DECODE"
            with m.State("DECODE"):
                self._decode(m)
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
        states = {
            Op.NORM: "NORM",
            Op.GEMM: "GEMM",
            Op.ATTN: "ATTN",
            Op.GATE: "GATE",
            Op.EXPERTS: "EXPERTS",
            Op.DMA: "DMA",
            Op.END: "END",
        }
        with m.If(skipped):
            m.next = "NEXT"
        with m.Else():
            with m.Switch(self.head["op"]):
                with m.Case(Op.CONFIG):
                    self._config(m)
                for op, state in states.items():
                    with m.Case(op):
                        m.next = state

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
        free = (self.published != 0) & (~self.from_xn | (self.jobs_idle & self.settled))
        with m.State("NORM_START"):
            with m.If(~self.table_busy & free):
                m.d.comb += self.norm_start.eq(1)
                m.d.sync += self.xn_ready.eq(0)
                m.next = "NEXT"

    def _gemm(self, m: Module) -> None:
        fields, job = operands(self.word, Op.GEMM), self.jobs.gemm()
        writes_residual = fields["post"] == Post.RESIDUAL
        with m.State("GEMM"):
            m.d.sync += assign(self.job, **job)
            m.d.sync += [
                self.after.eq(self.jobs.words(job)),
                self.from_xn.eq(writes_residual & (self.head["src"] == Store.XN)),
            ]
            with m.If(fields["post"] == Post.QKV):
                m.d.sync += [
                    self.query_steps.eq(self.sizes.steps(fields["head_dim"] << 4)),
                    self.value_columns.eq(fields["head_dim"]),
                ]
            m.next = "GIVE"
        with m.State("GIVE"):
            m.d.comb += self.gemm.valid.eq(1)
            with m.If(self.gemm.ready):
                m.d.sync += self.pointer.eq(self.after)
                m.next = "NEXT"

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
                self.after.eq(self.jobs.words(job)),
                self.gate_experts.eq(fields["experts"]),
                self.gate_top_k.eq(fields["top_k"]),
            ]
            m.next = "GATE_GIVE"
        with m.State("GATE_GIVE"):
            m.d.comb += self.gemm.valid.eq(1)
            with m.If(self.gemm.ready):
                m.d.sync += self.pointer.eq(self.after)
                m.next = "GATE_TABLE"
        # The tables of the experts lie behind the gate and are loaded while it decides.
        with m.State("GATE_TABLE"):
            with m.If(~self.table_busy):
                m.d.comb += [self.table_start.eq(1), self.table_gelu.eq(1)]
                m.d.sync += [self.pointer.eq(self.pointer + self.gelu_words), self.tabled.eq(1)]
                m.next = "GATE_WAIT"
        with m.State("GATE_WAIT"):
            with m.If(self.gate_done):
                m.d.sync += self.plans.eq(self.plans + 1)
                m.next = "NEXT"

    def _experts(self, m: Module) -> None:
        fields, identity = operands(self.word, Op.EXPERTS), self.jobs.flag(Flag.IDENTITY)
        with m.State("EXPERTS"):
            m.d.sync += [self.chunk.eq(0), self.tabled.eq(0)]
            with m.If(self.tabled):
                m.next = "EXPERTS_START"
            with m.Elif(~self.table_busy):
                m.d.comb += [self.table_start.eq(1), self.table_gelu.eq(1)]
                m.d.sync += self.pointer.eq(self.pointer + self.gelu_words)
                m.next = "EXPERTS_TABLE"
        with m.State("EXPERTS_TABLE"):
            m.next = "EXPERTS_START"
        with m.State("EXPERTS_START"):
            with m.If(~self.table_busy):
                m.d.comb += self.lists_start.eq(~identity)
                m.d.sync += self.quiet.eq(0)
                m.next = "EXPERT"
        with m.State("EXPERT"):
            with m.If(identity):
                m.next = "EXPERT_JOBS"
            with m.Elif(self.list_valid):
                m.next = "EXPERT_JOBS"
            with m.Elif(self.quiet != 15):
                m.d.sync += self.quiet.eq(self.quiet + 1)
            with m.Elif(self.lists_exhausted & self.settled):
                m.d.comb += self.publish_all.eq(1)
                m.next = "NEXT"
        self._expert_jobs(m, fields, identity)

    def _expert_jobs(self, m: Module, fields: dict[str, Value], identity: Value) -> None:
        last = self.chunk == fields["experts"] - 1
        first, second = self.jobs.expert(self.list_count, self.list_buffer, last)
        words = sum(expert_words(self.sizes, fields), self.pointer)
        with m.State("EXPERT_JOBS"):
            m.d.sync += assign(self.job, **first)
            m.d.sync += assign(self.second, **second)
            m.d.sync += self.after.eq(self.sizes.aligned(words))
            m.next = "EXPERT_FIRST"
        with m.State("EXPERT_FIRST"):
            m.d.comb += self.gemm.valid.eq(1)
            with m.If(self.gemm.ready):
                m.d.sync += Value.cast(self.job).eq(Value.cast(self.second))
                m.next = "EXPERT_SECOND"
        with m.State("EXPERT_SECOND"):
            m.d.comb += self.gemm.valid.eq(1)
            with m.If(self.gemm.ready):
                m.d.sync += [self.pointer.eq(self.after), self.chunk.eq(self.chunk + 1)]
                m.d.sync += self.quiet.eq(0)
                m.next = "EXPERT_DONE"
        with m.State("EXPERT_DONE"):
            with m.If(identity):
                m.next = "EXPERT_JOBS"
                with m.If(self.chunk == fields["experts"]):
                    m.next = "NEXT"
            # Nobody reads the list any more; results may still be on their way.
            with m.Elif(self.jobs_idle & self.issued):
                m.d.sync += self.quiet.eq(self.quiet + 1)
                with m.If(self.quiet == _DRAINED):
                    m.d.comb += self.list_ready.eq(1)
                    m.d.sync += self.quiet.eq(0)
                    m.next = "EXPERT"
            with m.Else():
                m.d.sync += self.quiet.eq(0)

    def _dma(self, m: Module) -> None:
        with m.State("DMA"):
            with m.If(self.idle & ~self.norm_busy & ~self.dma_busy):
                m.d.comb += self.dma_start.eq(1)
                m.next = "DMA_BEGUN"
        with m.State("DMA_BEGUN"):
            m.next = "DMA_WAIT"
        with m.State("DMA_WAIT"):
            with m.If(~self.dma_busy):
                with m.If(self.head["dst"] == Store.XN):
                    m.d.sync += self.xn_ready.eq(1)
                m.next = "NEXT"

    def _end(self, m: Module) -> None:
        with m.State("END"):
            with m.If(self.idle & ~self.norm_busy):
                m.d.comb += [
                    self.finished.eq(1),
                    self.interrupt.eq(self.jobs.flag(Flag.INTERRUPT)),
                    self.end_status.eq(operands(self.word, Op.END)["status"]),
                ]
                m.next = "IDLE"
