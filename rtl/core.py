"""Loop nests and matrix engine: jobs in, stores changed."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.machine import MachineConfig
from m3vit.rtl.attention_nest import AttentionNest
from m3vit.rtl.connect import connect
from m3vit.rtl.engine import Engine
from m3vit.rtl.gemm_nest import GemmNest
from m3vit.rtl.passes import NUMBER_BITS, AttentionJob, GemmJob, Post
from m3vit.rtl.progress import Given, Progress

_INNER = ("passes", "loads")


class Core(Component):
    """Ports: ``gemm`` and ``attention`` jobs, one of them at a time, in program order; the
    engine's other ports.  ``jobs_idle``: every pass has been made; ``settled``: every result of a
    pass made so far is visible (both known a cycle late, lost at once); ``made``: its number;
    ``idle``: nothing is under way.
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.machine = machine
        self.engine = Engine(machine)
        outer = {
            name: member
            for name, member in self.engine.signature.members.items()
            if name not in _INNER
        }
        super().__init__(
            {
                "gemm": In(stream.Signature(GemmJob)),
                "attention": In(stream.Signature(AttentionJob)),
                "jobs_idle": Out(1),
                "settled": Out(1),
                "made": Out(NUMBER_BITS),
                **outer,
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The nests share the way to the engine and the numbers of results."""
        m = Module()
        m.submodules.engine = engine = self.engine
        m.submodules.gemm_nest = gemm = GemmNest(self.machine)
        m.submodules.attention_nest = attention = AttentionNest(self.machine)
        for name, member in engine.signature.members.items():
            if name not in _INNER:
                self._pass_through(m, name, member)
        m.submodules.progress = progress = Progress()
        rests = self._rests(m, gemm, attention)
        self._start(m, self.gemm, gemm.job, rests.all())
        self._start(m, self.attention, attention.job, rests.all() & ~progress.mixing)
        connect(m, attention.loads, engine.loads)
        quiet = gemm.idle & attention.idle
        m.d.comb += [self.jobs_idle.eq(rests.all()), self.idle.eq(engine.idle & quiet)]
        self._merge(m, gemm, attention)
        self._progress(m, progress, gemm, attention)
        return m

    def _rests(self, m: Module, gemm: Any, attention: Any) -> Signal:
        """Nests without a job: known a cycle late, lost at once."""
        rests = Signal(2)
        pairs = ((gemm, self.gemm), (attention, self.attention))
        m.d.sync += rests.eq(Cat(nest.idle & ~(job.valid & job.ready) for nest, job in pairs))
        return rests

    def _pass_through(self, m: Module, name: str, member: Any) -> None:
        inner, outer = getattr(self.engine, name), getattr(self, name)
        if member.is_signature:
            connect(m, outer, inner) if member.flow == In else connect(m, inner, outer)
        elif member.flow == In:
            m.d.comb += Value.cast(inner).eq(Value.cast(outer))
        elif name != "idle":
            m.d.comb += Value.cast(outer).eq(Value.cast(inner))

    @staticmethod
    def _start(m: Module, outer: Any, inner: Any, alone: Value) -> None:
        """A job starts when both nests have given all their passes and these have been noted:
        numbers follow the program.
        """
        m.d.comb += [
            Value.cast(inner.payload).eq(Value.cast(outer.payload)),
            inner.valid.eq(outer.valid & alone),
            outer.ready.eq(inner.ready & alone),
        ]

    def _merge(self, m: Module, gemm: Any, attention: Any) -> None:
        passes: Any = self.engine.passes
        number = Signal(NUMBER_BITS, init=1)
        first = gemm.passes.valid
        m.d.comb += [
            passes.valid.eq(first | attention.passes.valid),
            Value.cast(passes.payload).eq(
                Mux(
                    first,
                    Value.cast(gemm.passes.payload),
                    Value.cast(attention.passes.payload),
                )
            ),
            gemm.passes.ready.eq(passes.ready),
            attention.passes.ready.eq(passes.ready & ~first),
            gemm.number.eq(number),
            attention.number.eq(number),
        ]
        p: Any = passes.payload
        counted = p.last & (p.post != Post.SCORE)
        self.numbered = Signal()
        m.d.comb += self.numbered.eq(passes.valid & passes.ready & counted)
        m.d.sync += number.eq(number + self.numbered)
        m.d.sync += self.made.eq(self.made + self.numbered)
        m.d.sync += self.settled.eq((self.engine.retired == self.made) & ~self.numbered)

    def _progress(self, m: Module, progress: Progress, gemm: Any, attention: Any) -> None:
        p: Any = self.engine.passes.payload
        m.d.comb += progress.retired.eq(self.engine.retired)
        # a cycle late, as the start of the next job is
        m.d.sync += progress.enable.eq(self.numbered)
        m.d.sync += [getattr(progress.given, name).eq(getattr(p, name)) for name in Given.members]
        m.d.comb += attention.keys.eq(progress.keys)
        for nest in (gemm, attention):
            m.d.comb += Value.cast(nest.early).eq(Value.cast(progress.early))
