"""Whole runs: command for command equal to the reference, and lawful on any trace."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m3vit.hw.errors import ConfigurationError
from m3vit.sim.dram import commands, load
from m3vit.sim.dram.channel import simulate
from m3vit.sim.dram.energy import energy_nj
from m3vit.sim.dram.load import load_memory, memory_names
from m3vit.sim.dram.mapping import split_addresses
from m3vit.sim.dram.options import Options
from m3vit.sim.dram.parallel import combined_gbps, simulate_channels, spread
from m3vit.sim.dram.tracing import make_trace, random_lines, sequential
from tests.sim import reference, timing_oracle

_LOGS = reference.stored_commands()


@pytest.mark.parametrize("name", sorted(_LOGS))
def test_command_for_command_equal_to_ramulator(name: str) -> None:
    memory, _, rest = name.partition("|")
    pattern, _, mapping = rest.partition("_")
    table = load_memory(memory)
    trace = reference.trace_of(pattern, table.access_bytes)
    options = reference.options_of(memory, mapping=mapping, log_commands=20_000)
    log = simulate(table, trace, options).log
    _, row, column = split_addresses(table, mapping, trace.address)
    whole = log[:, 3] < 0
    mine = np.stack(
        [
            log[:, 0],
            log[:, 1],
            log[:, 2],
            np.where(whole, -1, row[log[:, 3]]),
            np.where(whole, -1, column[log[:, 3]]),
        ]
    )
    assert np.array_equal(mine, _LOGS[name])


@pytest.mark.slow
@pytest.mark.parametrize("run", reference.runs(), ids=lambda r: "-".join(map(str, r.values()))[:90])
def test_stored_run_is_repeated_exactly(run) -> None:
    result = reference.repeat(run)
    assert result.ticks == run["cycles"]
    assert result.served == run["reads_served"]
    hits = result.row_hits, result.row_misses, result.row_conflicts
    assert hits == (run["row_hits"], run["row_misses"], run["row_conflicts"])
    mine = {name: count for name, count in result.commands.items() if count}
    theirs = {commands.NAMES[commands.BY_NAME[k]]: v for k, v in run["commands"].items()}
    assert mine == theirs
    mean = result.read_latency_ticks().sum() / result.served
    assert mean == pytest.approx(run["avg_read_latency_cycles"], abs=0.006)


def _refreshes(memory: str) -> list[str]:
    modes = ["none", "all-bank"]
    if memory.startswith("hbm3"):
        return [*modes, "paired"]
    return modes if "ddr4" in memory else [*modes, "per-bank"]


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory) -> str:
    """DDR4 with a second rank on the bus: a user's own table."""
    text = (Path(load.__file__).parent / "memories" / "ddr4-2400.toml").read_text()
    path = tmp_path_factory.mktemp("own") / "ddr4-two.toml"
    path.write_text(text.replace("ranks = 1", "ranks = 2"))
    return str(path)


def test_the_oracle_sees_a_command_that_is_one_tick_early() -> None:
    table = load_memory("ddr4-2400")
    log = simulate(table, random_lines(64), Options(log_commands=500, drain=True)).log
    rows = [(int(t), int(c), int(b)) for t, c, b, _ in log]
    assert timing_oracle.violations(table, rows, 100) == []
    tight = next(
        place
        for place, (tick, command, bank) in enumerate(rows)
        if tick == timing_oracle.earliest(table, rows[:place], command, bank) and tick > 1
    )
    tick, command, bank = rows[tight]
    early = [*rows[:tight], (tick - 1, command, bank)]
    assert len(timing_oracle.violations(table, early, 100)) == 1


def test_reads_of_two_ranks_keep_the_switching_time(two_ranks: str) -> None:
    table = load_memory(two_ranks)
    assert table.organisation.total_banks == 32
    lines = np.arange(512, dtype=np.int64)
    alternating = make_trace((lines // 2 + (lines % 2) * (1 << 27)) * 64)
    options = Options(mapping="ChRaBaRoCo", refresh="none", scheduler="frfcfs", log_commands=2000)
    log = simulate(table, alternating, options).log
    reads = [(int(t), int(b) // 16) for t, c, b, _ in log if c == commands.RD]
    switches = [b[0] - a[0] for a, b in zip(reads, reads[1:], strict=False) if a[1] != b[1]]
    assert switches and min(switches) == table.ticks("nBL") + table.ticks("nCS")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_trace_obeys_rules_and_serves_everything(data, two_ranks: str) -> None:
    memory = data.draw(st.sampled_from([*memory_names(), two_ranks]))
    table = load_memory(memory)
    count = data.draw(st.integers(1, 120))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**31)))
    span = data.draw(st.sampled_from([8, 64, 4096, 2**22]))
    trace = make_trace(
        rng.integers(0, span, count) * table.access_bytes,
        (rng.random(count) < data.draw(st.sampled_from([0.0, 0.3, 0.9, 1.0]))).astype(np.int64),
        np.cumsum(rng.integers(0, data.draw(st.sampled_from([1, 30, 900])), count)),
    )
    options = Options(
        mapping=data.draw(st.sampled_from(["RoBaRaCoCh", "BgBaCoRo", "MOP4CLXOR", "ChRaBaRoCo"])),
        scheduler=data.draw(st.sampled_from(["frfcfs", "frfcfs-rowhit"])),
        page=data.draw(st.sampled_from(["open", "closed"])),
        refresh=data.draw(st.sampled_from(_refreshes(memory))),
        read_queue=data.draw(st.sampled_from([1, 4, 32])),
        write_queue=data.draw(st.sampled_from([1, 8, 32])),
        log_commands=5000,
    )
    result = simulate(table, trace, options)
    log = [(int(t), int(c), int(b)) for t, c, b, _ in result.log if c < commands.ACT2]
    assert timing_oracle.violations(table, log, 120) == []
    _, row, _ = split_addresses(table, options.mapping, trace.address)
    rows = [(int(c), int(b), int(row[i]) if i >= 0 else -1) for _, c, b, i in result.log]
    assert timing_oracle.state_errors(rows, table.organisation.banks_per_rank) == []
    columns = [int(i) for _, c, _, i in result.log if c in commands.COLUMN]
    assert len(columns) == len(set(columns))
    assert len(columns) + result.forwarded + result.coalesced == count
    assert (result.depart >= result.arrive).all() and (result.arrive >= trace.not_before).all()


@pytest.mark.parametrize("memory", memory_names())
def test_refresh_keeps_its_rate(memory: str) -> None:
    """One all-bank refresh per rank and interval, however busy the channel is."""
    table = load_memory(memory)
    result = simulate(table, sequential(1 << 20, table.access_bytes), Options())
    due = result.ticks // table.ticks("nREFI") * table.organisation.ranks
    assert abs(result.commands["REFab"] - due) <= table.organisation.ranks


def test_stream_and_random_bandwidth_follow_arithmetic() -> None:
    """Peak x (1 - tRFC/tREFI) for a stream; four lines per tFAW for random rows."""
    table = load_memory("ddr4-2400")
    free = 1 - table.ticks("nRFC") / table.ticks("nREFI")
    stream = simulate(table, sequential(1 << 20, 64), Options(mapping="BgBaCoRo"))
    assert stream.bandwidth_gbps == pytest.approx(19.2 * free, rel=0.01)
    rows = simulate(table, random_lines(8192), Options())
    window_ns = table.ticks("nFAW") * 0.833
    assert rows.bandwidth_gbps == pytest.approx(4 * 64 / window_ns * free, rel=0.02)


def test_closed_pages_help_random_and_hurt_streams() -> None:
    table = load_memory("ddr4-2400")
    closed, opened = Options(page="closed", read_queue=1), Options(read_queue=1)
    lines = random_lines(2048)
    assert simulate(table, lines, closed).ticks < simulate(table, lines, opened).ticks
    stream = sequential(1 << 17, 64)
    assert simulate(table, stream, closed).ticks > simulate(table, stream, opened).ticks


def test_writes_turn_the_bus_around_in_batches() -> None:
    table = load_memory("ddr4-2400")
    count = 4096
    mixed = make_trace(np.arange(count, dtype=np.int64) * 64, np.arange(count, dtype=np.int64) % 2)
    result = simulate(table, mixed, Options(log_commands=20_000))
    kinds = [int(c) for _, c, _, _ in result.log if c in commands.COLUMN]
    turns = sum(a != b for a, b in zip(kinds, kinds[1:], strict=False))
    assert result.commands["WR"] == result.commands["RD"] == count // 2
    assert turns < count / 16


def test_reads_of_buffered_writes_are_forwarded_and_equal_writes_joined() -> None:
    table = load_memory("ddr4-2400")
    address = np.concatenate([np.arange(1, 21) << 20, np.zeros(3)]).astype(np.int64)
    write = np.array([0] * 20 + [1, 1, 0])
    result = simulate(table, make_trace(address, write), Options())
    assert (result.coalesced, result.forwarded, result.commands["WR"]) == (1, 1, 1)


def test_energy_is_counts_times_cost() -> None:
    table = load_memory("ddr4-2400")
    result = simulate(table, sequential(1 << 17, 64), Options())
    cost = table.energy.command_nj
    want = sum(cost[name] * result.commands[name] for name in ("ACT", "RD", "REFab"))
    assert energy_nj(table, result)["total"] == pytest.approx(want)


def test_channels_in_parallel_give_the_same_and_share_the_work() -> None:
    table = load_memory("hbm2-2000")
    parts = spread(sequential(1 << 18, 32), 4, 256)
    assert sum(part.address.size for part in parts) == 1 << 13
    one = simulate_channels(table, parts, Options(mapping="BgBaCoRo"))
    two = simulate_channels(table, parts, Options(mapping="BgBaCoRo"), workers=2)
    assert [r.ticks for r in one] == [r.ticks for r in two]
    assert combined_gbps(one) > 3 * one[0].bandwidth_gbps


def test_refresh_without_timing_is_refused() -> None:
    table = load_memory("ddr4-2400")
    with pytest.raises(ConfigurationError, match="no per-bank refresh"):
        simulate(table, sequential(64, 64), Options(refresh="per-bank"))
