"""The machine behind its registers: command list, fetch, sequencer, units, memory ports."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.machine import MachineConfig
from m3vit.rtl.axi_bursts import ADDRESS_BITS
from m3vit.rtl.axi_read import read_ports
from m3vit.rtl.axi_write import write_ports
from m3vit.rtl.checks import INDEX_BITS, Checks
from m3vit.rtl.command_list import CommandList
from m3vit.rtl.connect import connect
from m3vit.rtl.core import Core
from m3vit.rtl.counters import EVENTS, STEP_BITS
from m3vit.rtl.dma import Dma
from m3vit.rtl.events import events
from m3vit.rtl.fetch import Fetch
from m3vit.rtl.gate_results import GateResults
from m3vit.rtl.lists import ExpertLists
from m3vit.rtl.machine_memory import READS, connect_memory
from m3vit.rtl.machine_order import connect_token_order
from m3vit.rtl.machine_stores import connect_stores
from m3vit.rtl.norm_server import NormServer
from m3vit.rtl.plan import PlanStore
from m3vit.rtl.reasons import stop_reason
from m3vit.rtl.sequencer import CONSTANTS, Sequencer
from m3vit.rtl.slices import PORT_BITS
from m3vit.rtl.tables import Tables
from m3vit.rtl.token_order import TokenOrder
from m3vit.rtl.xn_writer import XnWriter


class Machine(Component):
    """Ports: AXI4 masters ``m<i>_axi_``; ``start`` with its operands; ``finished`` (``asked``: with
    an interrupt), ``failed`` with ``error`` and ``error_index``; ``index`` of the command in hand;
    counters of events.
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.machine, self.reads = machine, READS
        ports: dict[str, Any] = {}
        for number in range(READS):
            for name, member in read_ports(PORT_BITS).items():
                ports[name.replace("m_axi", f"m{number}_axi")] = member
        for name, member in write_ports(PORT_BITS).items():
            ports[name.replace("m_axi", "m0_axi")] = member
        super().__init__(
            {
                **ports,
                "start": In(1),
                "trace": In(1),
                "task": In(32),
                "bases": In(data.ArrayLayout(ADDRESS_BITS, 4)),
                "command_address": In(ADDRESS_BITS),
                "windows": In(data.ArrayLayout(32, 4)),
                "command_count": In(32),
                "hold": In(1),
                "quiet": Out(1),
                "finished": Out(1),
                "asked": Out(1),
                "failed": Out(1),
                "error": Out(8),
                "error_index": Out(INDEX_BITS),
                "end_status": Out(8),
                "index": Out(9),
                "block": Out(8),
                **{f"add_{name}": Out(STEP_BITS) for name in EVENTS},
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Units and the wires between them."""
        m = Module()
        self.ports: dict[str, dict[str, Signal]] = {}
        machine = self.machine
        self.core, self.fetch = Core(machine), Fetch(machine)
        self.sequencer, self.dma = Sequencer(machine), Dma(machine)
        self.list, self.norm = CommandList(), NormServer(machine)
        self.writer = XnWriter(machine)
        self.checks = Checks(machine)
        self.gate, self.tables = GateResults(machine), Tables(machine)
        sizes = {
            "max_tokens": machine.max_tokens,
            "max_experts": machine.max_experts,
            "top_k": machine.max_top_k,
        }
        self.plan, self.lists = PlanStore(**sizes), ExpertLists(**sizes)
        self.order = TokenOrder(machine)
        for name in (
            *("core", "fetch", "sequencer", "dma", "list", "checks", "norm", "writer", "gate"),
            *("tables", "plan", "lists", "order"),
        ):
            m.submodules[name] = getattr(self, name)
        self._commands(m)
        connect_memory(m, self)
        connect_stores(m, self)
        self._norm(m)
        self._experts(m)
        connect_token_order(m, self)
        self._status(m)
        return m

    def _commands(self, m: Module) -> None:
        fetch, sequencer, listed = self.fetch, self.sequencer, self.list
        checks = self.checks
        m.d.comb += [
            checks.start.eq(self.start),
            checks.count.eq(self.command_count),
            Value.cast(checks.windows).eq(Value.cast(self.windows)),
            checks.task.eq(self.task),
            checks.traced.eq(self.trace),
            checks.valid.eq(listed.given),
            checks.word.eq(listed.command),
            listed.start.eq(checks.accept),
            listed.from_address.eq(self.command_address),
            listed.count.eq(self.command_count),
            listed.index0.eq(fetch.index),
            listed.index1.eq(sequencer.index),
            fetch.word.eq(listed.word0),
            sequencer.word.eq(listed.word1),
            fetch.start.eq(checks.passed),
            sequencer.start.eq(checks.passed),
            sequencer.trace.eq(self.trace),
            Value.cast(fetch.bases).eq(Value.cast(self.bases)),
            fetch.task.eq(self.task),
            fetch.plans.eq(sequencer.plans),
            fetch.live.eq(self.plan.live),
        ]
        connect(m, sequencer.gemm, self.core.gemm)
        connect(m, sequencer.attention, self.core.attention)
        names = (*CONSTANTS, "score_shift", "gain", "gain_shift")
        m.d.comb += [getattr(self.core, name).eq(getattr(sequencer, name)) for name in names]

    def _norm(self, m: Module) -> None:
        core, norm, sequencer, tables = self.core, self.norm, self.sequencer, self.tables
        m.d.comb += [
            norm.start.eq(sequencer.norm_start),
            norm.tokens.eq(sequencer.tokens),
            norm.half_tokens.eq(sequencer.half_tokens),
            norm.width16.eq(sequencer.norm_width),
            norm.epsilon.eq(sequencer.norm_epsilon),
            norm.shift.eq(sequencer.norm_shift),
            norm.published.eq(core.published),
            core.publish_all.eq(sequencer.publish_all),
            sequencer.norm_busy.eq(norm.busy),
            sequencer.published.eq(core.published),
            norm.table_we.eq(tables.norm_we),
            norm.table_channel.eq(tables.norm_channel),
            norm.table_entry.eq(tables.norm_entry),
            tables.start.eq(sequencer.table_start),
            tables.gelu.eq(sequencer.table_gelu),
            tables.address.eq(sequencer.table_address),
            tables.channels.eq(sequencer.table_channels),
            tables.table_we.eq(core.table_we),
            tables.table_word.eq(core.table_word),
            sequencer.table_busy.eq(tables.busy),
            core.gelu_we.eq(tables.gelu_we),
            core.gelu_wa.eq(tables.gelu_wa),
            core.gelu_wd.eq(tables.gelu_wd),
        ]
        connect(m, tables.tables, core.tables)

    def _experts(self, m: Module) -> None:
        core, gate, plan, lists = self.core, self.gate, self.plan, self.lists
        sequencer = self.sequencer
        connect(m, core.gate, gate.results)
        entry: Any = core.entry
        bits = lists.token_bits
        m.d.comb += [
            gate.experts.eq(sequencer.gate_experts),
            gate.top_k.eq(sequencer.gate_top_k),
            gate.factor.eq(core.gate_factor),
            gate.shift.eq(core.gate_shift),
            plan.clear.eq(sequencer.gate_start),
            plan.we.eq(gate.plan_we),
            plan.token.eq(gate.plan_token),
            plan.entry.eq(gate.plan_entry),
            sequencer.gate_done.eq(plan.written == sequencer.tokens),
            plan.ra.eq(
                Mux(
                    self.dma.busy,
                    self.dma.plan_token,
                    Mux(self.order.active, self.order.ra, lists.ra),
                )
            ),
            lists.read.eq(plan.read),
            self.dma.plan_entry.eq(plan.read),
            lists.live.eq(plan.live),
            lists.start.eq(sequencer.lists_start & ~sequencer.token_order),
            lists.tokens.eq(sequencer.tokens),
            lists.experts.eq(sequencer.gate_experts),
            sequencer.decided.eq(self.fetch.decided == sequencer.plans),
            sequencer.early.eq(self.fetch.early),
            sequencer.list_valid.eq(lists.valid),
            sequencer.list_expert.eq(lists.expert),
            sequencer.list_count.eq(lists.count),
            sequencer.list_buffer.eq(lists.buffer),
            lists.ready.eq(sequencer.list_ready),
            lists.free.eq(sequencer.list_free),
            sequencer.lists_exhausted.eq(lists.exhausted & ~self.order.walking),
            lists.pair.eq(core.list_pair),
            lists.which.eq(core.list_buffer),
            entry.token0.eq(lists.token[:bits]),
            entry.token1.eq(lists.token[bits:]),
            entry.weight0.eq(lists.weight[:16]),
            entry.weight1.eq(lists.weight[16:]),
        ]

    def _status(self, m: Module) -> None:
        sequencer, core = self.sequencer, self.core
        failed, error, error_index = stop_reason(m, self)
        m.d.comb += [
            self.failed.eq(failed),
            self.error.eq(error),
            self.error_index.eq(error_index),
            sequencer.jobs_idle.eq(core.jobs_idle),
            sequencer.settled.eq(core.settled),
            sequencer.made.eq(core.made),
            sequencer.retired.eq(core.retired),
            core.skip.eq(sequencer.skip | self.order.active),
            core.skip_to.eq(Mux(self.order.active, self.order.release_to, sequencer.skip_to)),
            self.finished.eq(sequencer.finished),
            self.asked.eq(sequencer.interrupt),
            self.end_status.eq(sequencer.end_status),
            self.index.eq(sequencer.index),
            self.block.eq(sequencer.block),
            self.quiet.eq(Cat(port["quiet"] for port in self.ports.values()).all()),
        ]
        m.d.comb += [
            getattr(self, f"add_{name}").eq(event) for name, event in events(m, self).items()
        ]
