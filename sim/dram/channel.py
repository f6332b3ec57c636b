"""One DRAM channel: a trace in, cycles, commands, latencies and energy out."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import floor

import numpy as np

from m3vit.hw.errors import ConfigurationError
from m3vit.sim.dram import commands
from m3vit.sim.dram.compile import compile_rules
from m3vit.sim.dram.kernel import layout as at
from m3vit.sim.dram.kernel.loop import run
from m3vit.sim.dram.mapping import split_addresses
from m3vit.sim.dram.options import REFRESHES, Options
from m3vit.sim.dram.table import CONTROLLERS, MemoryTable
from m3vit.sim.dram.tracing import Trace


@dataclass(frozen=True, kw_only=True)
class ChannelResult:
    """What a run gave; ``arrive`` and ``depart`` are ticks per request, ``log`` rows of
    (tick, command, bank, request)."""

    ticks: int
    tick_ps: int
    access_bytes: int
    peak_gbps: float
    served: int
    row_hits: int
    row_misses: int
    row_conflicts: int
    forwarded: int
    coalesced: int
    commands: Mapping[str, int]
    arrive: at.Ints
    depart: at.Ints
    is_write: at.Ints
    log: at.Ints

    @property
    def time_us(self) -> float:
        """Duration of the run."""
        return self.ticks * self.tick_ps * 1e-6

    @property
    def bandwidth_gbps(self) -> float:
        """Data moved by column commands per time."""
        moved = sum(self.commands[name] for name in ("RD", "WR", "RDA", "WRA"))
        return moved * self.access_bytes / max(self.time_us, 1e-12) / 1000

    def read_latency_ticks(self) -> at.Ints:
        """Latencies of the reads that completed within the run."""
        done = (self.is_write == 0) & (self.depart >= 0) & (self.depart <= self.ticks)
        latency: at.Ints = (self.depart - self.arrive)[done]
        return latency


def simulate(table: MemoryTable, trace: Trace, options: Options) -> ChannelResult:
    """Run a trace through one channel.

    Raises:
        ConfigurationError: unknown mapping, or a refresh mode that the table has no timing for.
    """
    bank, row, _ = split_addresses(table, options.mapping, trace.address)
    count = bank.size
    requests = at.Requests(
        bank=np.ascontiguousarray(bank),
        row=np.ascontiguousarray(row),
        write=trace.write,
        line=trace.address // table.access_bytes,
        not_before=trace.not_before,
        arrive=np.zeros(count, np.int64),
        depart=np.full(count, -1, np.int64),
    )
    channel = build_channel(table, options)
    ticks = run(channel, requests)
    return _result(table, channel, requests, ticks)


def build_channel(table: MemoryTable, options: Options) -> at.Channel:
    """Arrays of an idle channel."""
    size = table.organisation
    entries = options.read_queue + options.write_queue + size.total_banks
    rules, spans = compile_rules(table, options.page == "closed")
    groups = size.ranks * size.stacks * size.groups
    window = max((rule.window for rule in table.rules), default=1)
    return at.Channel(
        par=_parameters(table, options),
        st=_scalars(table, options, entries),
        rank_ready=np.zeros((size.ranks, commands.COUNT), np.int64),
        group_ready=np.zeros((groups, commands.COUNT), np.int64),
        bank_ready=np.zeros((size.total_banks, commands.COUNT), np.int64),
        history=np.full((size.ranks, commands.COUNT, window), -at.NEVER, np.int64),
        rules=rules,
        spans=spans,
        bank=_banks(table),
        rank=np.zeros((size.ranks, at.RANK_FIELDS), np.int64),
        queue=np.zeros((entries, at.QUEUE_FIELDS), np.int64),
        free=np.arange(entries, dtype=np.int64),
        lists=np.zeros((at.LISTS, size.total_banks), np.int64),
        priority=np.zeros((4 * size.total_banks + 64, 3), np.int64),
        stacks=np.zeros((size.ranks * size.stacks, 2), np.int64),
        counts=np.zeros(commands.COUNT, np.int64),
        log=np.zeros((options.log_commands, at.LOG_FIELDS), np.int64),
    )


def _interval(table: MemoryTable, options: Options) -> int:
    """Ticks between refreshes in this mode (never without refresh)."""
    if options.refresh == "none":
        return at.NEVER
    name = "nREFI" if options.refresh == "all-bank" else "nREFIpb"
    command = commands.REFAB if options.refresh == "all-bank" else commands.REFPB
    ruled = any(command in rule.before for rule in table.rules)
    if not table.ticks(name) or not ruled:
        raise ConfigurationError(
            f"memory {table.name} has no {options.refresh} refresh (no {name} or no rule for "
            f"{commands.NAMES[command]}); choose another of {', '.join(REFRESHES)}"
        )
    return table.ticks(name)


def _parameters(table: MemoryTable, options: Options) -> at.Ints:
    size = table.organisation
    par = np.zeros(at.PARAMETERS, np.int64)
    par[at.P_KIND] = CONTROLLERS.index(table.controller)
    par[[at.P_RANKS, at.P_STACKS, at.P_GROUPS, at.P_BANKS]] = (
        size.ranks,
        size.stacks,
        size.groups,
        size.banks,
    )
    par[at.P_READ_SLOTS], par[at.P_WRITE_SLOTS] = options.read_queue, options.write_queue
    par[at.P_ROW_HIT] = options.scheduler == "frfcfs-rowhit"
    par[at.P_CLOSED] = options.page == "closed"
    par[at.P_REFRESH] = REFRESHES[options.refresh]
    par[at.P_REFI] = _interval(table, options)
    par[at.P_RFC_BANK] = table.ticks("nRFCpb")
    par[at.P_LATENCY] = table.read_latency
    par[at.P_FRONT] = options.requests_per_tick
    par[at.P_DRAIN] = options.drain
    par[at.P_WRITE_HIGH] = floor(options.write_high * options.write_queue)
    par[at.P_WRITE_LOW] = -floor(-options.write_low * options.write_queue)
    par[at.P_ACT2_LIMIT] = table.ticks("nAAD")
    strobe = table.ticks("nBL") + table.ticks("nWCKPST")
    par[at.P_STROBE_READ] = table.ticks("nCL") + strobe
    par[at.P_STROBE_WRITE] = table.ticks("nCWL") + strobe
    return par


def _scalars(table: MemoryTable, options: Options, entries: int) -> at.Ints:
    st = np.zeros(at.SCALARS, np.int64)
    st[at.S_FREE] = entries
    st[at.S_NEXT_REFRESH] = _interval(table, options)
    st[[at.S_OPENING, at.S_CAS_ENTRY, at.S_PAIR_EDGE]] = -1
    return st


def _banks(table: MemoryTable) -> at.Ints:
    size = table.organisation
    bank = np.full((size.total_banks, at.BANK_FIELDS), -1, np.int64)
    index = np.arange(size.total_banks)
    bank[:, at.B_GROUP] = index // size.banks
    bank[:, at.B_STACK] = index // (size.banks * size.groups) % size.stacks
    bank[:, at.B_RANK] = index // size.banks_per_rank
    return bank


def _result(
    table: MemoryTable, channel: at.Channel, requests: at.Requests, ticks: int
) -> ChannelResult:
    st = channel.st
    return ChannelResult(
        ticks=ticks,
        tick_ps=table.tick_ps,
        access_bytes=table.access_bytes,
        peak_gbps=table.peak_gbps,
        served=int(st[at.S_SERVED]),
        row_hits=int(st[at.S_HITS]),
        row_misses=int(st[at.S_MISSES]),
        row_conflicts=int(st[at.S_CONFLICTS]),
        forwarded=int(st[at.S_FORWARDED]),
        coalesced=int(st[at.S_COALESCED]),
        commands={name: int(channel.counts[i]) for i, name in enumerate(commands.NAMES)},
        arrive=requests.arrive,
        depart=requests.depart,
        is_write=requests.write,
        log=channel.log[: int(st[at.S_LOGGED])].copy(),
    )
