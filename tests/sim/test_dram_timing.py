"""Every timing rule at its edge: not ready at t - 1, ready at t."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m3vit.sim.dram import commands
from m3vit.sim.dram.channel import build_channel
from m3vit.sim.dram.kernel.layout import S_CLOCK
from m3vit.sim.dram.kernel.timing import issue, issue_all, ready_all_at, ready_at
from m3vit.sim.dram.load import load_memory, memory_names
from m3vit.sim.dram.options import Options
from tests.sim.timing_oracle import earliest

_TABLES = {name: load_memory(name) for name in memory_names()}
_PLAIN = [commands.ACT, commands.PREPB, commands.RD, commands.WR, commands.RDA, commands.WRA]


def _ready(channel, table, command: int, bank: int) -> int:
    if command in commands.ALL_BANKS:
        return ready_all_at(channel, command, bank // table.organisation.banks_per_rank)
    return ready_at(channel, command, bank)


def _send(channel, table, tick: int, command: int, bank: int) -> None:
    channel.st[S_CLOCK] = tick
    if command in commands.ALL_BANKS:
        issue_all(channel, command, bank // table.organisation.banks_per_rank)
    else:
        issue(channel, command, bank, 0, -1)


@pytest.mark.parametrize("memory", memory_names())
def test_each_pair_waits_exactly_as_long_as_its_rules_say(memory: str) -> None:
    table = _TABLES[memory]
    settings_ = Options(page="closed")
    banks = table.organisation.total_banks
    rng = np.random.default_rng(1)
    checked = 0
    for before in range(commands.COUNT):
        for after in range(commands.COUNT):
            for target in {0, 1, table.organisation.banks, banks - 1, int(rng.integers(banks))}:
                channel = build_channel(table, settings_)
                log = [(1000, before, 0)]
                want = earliest(table, log, after, target)
                _send(channel, table, *log[0])
                got = _ready(channel, table, after, target)
                assert got == want, (commands.NAMES[before], commands.NAMES[after], target)
                checked += want > 1000
    assert checked > 50


@settings(max_examples=150, deadline=None)
@given(
    memory=st.sampled_from(memory_names()),
    moves=st.lists(
        st.tuples(st.integers(0, 40), st.sampled_from(_PLAIN), st.integers(0, 63)), max_size=12
    ),
    command=st.integers(0, commands.COUNT - 1),
    bank=st.integers(0, 63),
)
def test_any_history_forbids_what_the_rules_forbid(memory, moves, command, bank) -> None:
    """Also four activates in a window: the compiled history against a plain one."""
    table = _TABLES[memory]
    banks = table.organisation.total_banks
    channel = build_channel(table, Options(page="closed"))
    tick, log = 1000, []
    for gap, move, where in moves:
        tick += gap
        log.append((tick, move, where % banks))
        _send(channel, table, *log[-1])
    assert _ready(channel, table, command, bank % banks) == earliest(
        table, log, command, bank % banks
    )


def test_four_activate_window_at_its_edge() -> None:
    table = _TABLES["ddr4-2400"]
    channel = build_channel(table, Options())
    for number in range(4):
        _send(channel, table, 100 + 4 * number, commands.ACT, 4 * number)
    edge = 100 + table.ticks("nFAW")
    assert edge - 1 < ready_at(channel, commands.ACT, 1) == edge


def test_rules_about_auto_precharge_are_left_out_only_when_pages_stay_open() -> None:
    table = _TABLES["ddr4-2400"]
    sizes = [
        build_channel(table, replace(Options(), page=page)).rules.shape[0]
        for page in ("open", "closed")
    ]
    assert sizes[0] < sizes[1]
