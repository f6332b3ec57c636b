"""The matrix engine with its stores: passes in, stores changed, counters out."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import fifo, stream
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.formats import FACTOR_BITS
from m3vit.hw.machine import MachineConfig
from m3vit.rtl.activations import Activations
from m3vit.rtl.array import Array
from m3vit.rtl.connect import connect
from m3vit.rtl.engine_stores import connect_stores, store_ports
from m3vit.rtl.issue import Issue
from m3vit.rtl.key_value import KeyValue
from m3vit.rtl.library import shared
from m3vit.rtl.loader import Loader, Table
from m3vit.rtl.operand import Entry, Operand
from m3vit.rtl.passes import NUMBER_BITS, PAIR_BITS, RING_BITS, TOKEN_BITS, Pass, QueryLoad
from m3vit.rtl.query import QueryBlock
from m3vit.rtl.requantise import SHIFT_BITS
from m3vit.rtl.residual_store import ResidualStore
from m3vit.rtl.results import Results, depth_of, result_layout
from m3vit.rtl.retire import Retire
from m3vit.rtl.ring import BEAT_BYTES, Ring
from m3vit.rtl.value_sums import ValueSums
from m3vit.rtl.waits import Cause

QUEUE = 8
"""Passes decided ahead of the array: while they run, the next job's queries are loaded."""

CONSTANTS = ("tokens", "half_tokens", "query_steps", "value_columns")


class Engine(Component):
    """Everything between the loop nests and the stores.

    Ports: ``passes``, ``loads``, ``tables`` (words back as ``table_we``, ``table_word``,
    ``table_last``), ``beats`` into the ring, ``skip``: it may be reused up to ``skip_to``,
    while ``ring_kept`` nothing behind ``ring_floor``; the
    list's read port; ``gate`` results; GELU's table;
    side ports of the stores (``xn_*``, ``qoh_*``, ``res_*``); ``xn_tokens``: tokens that the
    producer of XN has finished; ``retired``: number of the last result that is written.
    Constants: see ``Retire`` and ``Array``.
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.machine = machine
        groups = machine.groups
        super().__init__(
            {
                "passes": In(stream.Signature(Pass)),
                "loads": In(stream.Signature(QueryLoad)),
                "tables": In(stream.Signature(Table)),
                "table_we": Out(1),
                "table_last": Out(1),
                "table_word": Out(8 * machine.word_bytes),
                "beats": In(stream.Signature(8 * BEAT_BYTES)),
                "skip": In(1),
                "skip_to": In(RING_BITS),
                "ring_kept": In(1),
                "ring_floor": In(RING_BITS),
                "list_pair": Out(PAIR_BITS),
                "list_buffer": Out(1),
                "entry": In(Entry),
                "gate": Out(stream.Signature(result_layout(machine))),
                "gate_factor": Out(FACTOR_BITS),
                "gate_shift": Out(SHIFT_BITS),
                "gelu_we": In(1),
                "gelu_wa": In(9),
                "gelu_wd": In(8),
                **store_ports(machine),
                "tokens": In(TOKEN_BITS),
                "half_tokens": In(TOKEN_BITS),
                "query_steps": In(4),
                "value_columns": In(4),
                "score_shift": In(4 * groups),
                "gain": In(FACTOR_BITS * groups),
                "gain_shift": In(3 * groups),
                "xn_tokens": In(TOKEN_BITS),
                "retired": Out(NUMBER_BITS),
                "published": Out(TOKEN_BITS),
                "publish_clear": In(1),
                "publish_all": In(1),
                "saturated": Out(8),
                "idle": Out(1),
                "issued": Out(1),
                "ring_full": Out(1),
                "cause": Out(Cause),
                "adding": Out(1),
                "results_full": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Units side by side and what connects them."""
        m = Module()
        machine = self.machine
        units: dict[str, Any] = {
            "ring": Ring(machine),
            "loader": Loader(machine, Operand.LATENCY),
            "issue": Issue(machine, depth_of(machine)),
            "operand": Operand(machine),
            "query": QueryBlock(machine),
            "array": Array(machine),
            "sums": ValueSums(machine),
            "results": Results(machine),
            "retire": Retire(machine),
            "xn": Activations(machine),
            "qoh": Activations(machine),
            "residual": ResidualStore(machine),
        }
        for name, unit in units.items():
            m.submodules[name] = unit
            setattr(self, f"_{name}", unit)
        self._queues(m)
        self._front(m)
        self._operands(m)
        self._back(m)
        connect_stores(m, self)
        self._status(m)
        return m

    def _queues(self, m: Module) -> None:
        """Loader and issue each see every pass; the loader runs ahead."""
        width = Value.cast(self.passes.payload).shape().width
        ready = []
        for name, unit in (("load", self._loader), ("start", self._issue)):
            queue = fifo.SyncFIFOBuffered(width=width, depth=QUEUE)
            m.submodules[f"{name}_queue"] = queue
            ready.append(queue.w_rdy)
            m.d.comb += [
                queue.w_data.eq(Value.cast(self.passes.payload)),
                queue.w_en.eq(self.passes.valid & self.passes.ready),
                Value.cast(unit.passes.payload).eq(queue.r_data),
                unit.passes.valid.eq(queue.r_rdy),
                queue.r_en.eq(unit.passes.ready),
            ]
        m.d.comb += self.passes.ready.eq(Cat(*ready).all())

    def _front(self, m: Module) -> None:
        ring, loader, issue, array = self._ring, self._loader, self._issue, self._array
        first: Any = loader.passes.payload
        skips = loader.passes.valid & first.skip
        connect(m, self.beats, ring.beats)
        connect(m, self.tables, loader.tables)
        kv = []
        for group in range(self.machine.groups):
            data = Signal(8 * self.machine.word_bytes // self.machine.groups, name=f"kv{group}")
            part = len(data)
            m.submodules[f"key_value{group}"] = shared(
                KeyValue(self.machine),
                address=loader.kv_address,
                data=data,
                write_address=self._retire.kv_address,
                write_mask=self._retire.kv_mask,
                write_data=self._retire.kv_data.word_select(group, part),
            )
            kv.append(data)
        m.d.comb += [
            loader.kv_data.eq(Cat(*kv)),
            loader.ring_data.eq(ring.data),
            loader.head.eq(ring.head),
            ring.address.eq(loader.ring_address),
            ring.release.eq(issue.release | self.skip | skips),
            ring.release_to.eq(
                Mux(issue.release, issue.release_to, Mux(self.skip, self.skip_to, first.address))
            ),
            ring.kept.eq(self.ring_kept),
            ring.floor.eq(self.ring_floor),
            loader.swap.eq(issue.control.swap),
            loader.freed.eq(array.freed),
            loader.retired.eq(self._retire.retired),
            issue.loaded.eq(loader.loaded),
            issue.starved.eq(loader.starved),
            issue.bank.eq(loader.bank),
            issue.retired.eq(self._retire.retired),
            issue.scored.eq(array.scored),
            issue.tokens.eq(self.xn_tokens),
            issue.query_loaded.eq(self._query.loaded),
            issue.left.eq(self._results.left),
            array.load.eq(loader.load),
            array.w.eq(loader.w),
            array.word.eq(loader.word),
            self.table_word.eq(loader.word),
            self.table_we.eq(loader.table_we),
            self.table_last.eq(loader.table_last),
            self.ring_full.eq(ring.full),
        ]
        for name in ("we", "index", "bank"):
            port = f"parameter_{name}"
            m.d.comb += getattr(array, port).eq(getattr(loader, port))

    def _operands(self, m: Module) -> None:
        operand, array, query, issue = self._operand, self._array, self._query, self._issue
        connect(m, self.loads, query.loads)
        m.d.comb += [
            operand.control.eq(issue.control),
            array.control.eq(issue.control),
            self.list_pair.eq(operand.list_pair),
            self.list_buffer.eq(operand.list_buffer),
            operand.entry.eq(self.entry),
            array.entry.eq(operand.entry_late),
            array.a.eq(operand.a),
            array.codes.eq(operand.codes),
            query.half.eq(operand.query_half),
            query.slot.eq(operand.query_slot),
            query.step.eq(operand.query_step),
            operand.q.eq(query.q),
            query.free.eq(issue.query_free),
            query.retired.eq(self._retire.retired),
            query.tokens.eq(self.tokens),
            array.score_address.eq(operand.score_address),
            array.score_part.eq(operand.score_part),
            operand.scores.eq(array.scores),
            array.best_slot.eq(operand.best_slot),
            operand.best.eq(array.best),
            self._sums.ra.eq(array.value_tile),
            array.initial.eq(self._sums.initial),
        ]
        for name in ("score_shift", "gain", "gain_shift", "gelu_we", "gelu_wa", "gelu_wd"):
            m.d.comb += getattr(array, name).eq(getattr(self, name))

    def _back(self, m: Module) -> None:
        array, results, retire, sums = self._array, self._results, self._retire, self._sums
        target: Any = results.out.payload.target
        connect(m, results.out, retire.results)
        connect(m, retire.gate, self.gate)
        m.d.comb += [
            results.write.eq(array.write),
            Value.cast(results.value).eq(Value.cast(array.result)),
            sums.add.eq(retire.sum_add),
            sums.first.eq(target.pair == 0),
            sums.both.eq(target.both),
            sums.tile.eq(target.column),
            sums.v0.eq(retire.v0),
            sums.v1.eq(retire.v1),
            self.gate_factor.eq(array.gate_factor),
            self.gate_shift.eq(array.gate_shift),
            retire.publish_clear.eq(self.publish_clear),
            retire.publish_all.eq(self.publish_all),
        ]
        for name in CONSTANTS:
            m.d.comb += getattr(retire, name).eq(getattr(self, name))
        for name in ("tokens", "half_tokens"):
            m.d.comb += getattr(array, name).eq(getattr(self, name))

    def _status(self, m: Module) -> None:
        """Idle: nothing queued, nothing in the pipeline, nothing to retire."""
        quiet = Signal(7, init=127)
        working = self._loader.passes.valid | ~self._issue.idle | self._retire.busy
        with m.If(working):
            m.d.sync += quiet.eq(0)
        with m.Elif(quiet != 127):
            m.d.sync += quiet.eq(quiet + 1)
        m.d.comb += [
            self.idle.eq((quiet == 127) & ~working & ~self.loads.valid),
            self.issued.eq(self._issue.idle),
            self.retired.eq(self._retire.written),
            self.published.eq(self._retire.published),
            self.saturated.eq(self._retire.saturated),
            self.cause.eq(self._issue.cause),
            self.adding.eq(self._retire.write0 | self._retire.write1),
            self.results_full.eq(self._issue.full),
        ]
