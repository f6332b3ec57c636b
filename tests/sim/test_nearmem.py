"""Near-memory units: streams lawful and equal to the channel, tables close to the streams."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m3vit.hw.errors import ConfigurationError
from m3vit.sim.dram.channel import simulate
from m3vit.sim.dram.load import load_memory
from m3vit.sim.dram.options import Options
from m3vit.sim.dram.tracing import sequential
from m3vit.sim.nearmem import report
from m3vit.sim.nearmem import unit as unit_module
from m3vit.sim.nearmem.command_level import run_port
from m3vit.sim.nearmem.stream import gaps_of, run_stream
from m3vit.sim.nearmem.tables import calibration, near_energy_nj, near_time_ns, stream_efficiency
from m3vit.sim.nearmem.unit import load_unit, unit_names

_UNITS = {name: load_unit(name) for name in unit_names()}
_IN_MEMORY = sorted(name for name, unit in _UNITS.items() if unit.banks_per_command)


def _ticks(memory: str, reads: int, per_row: int, bundles: int, spacing: int):
    counts = np.zeros(4, np.int64)
    state = np.zeros((3, bundles), np.int64)
    gaps = gaps_of(load_memory(memory))
    ticks = run_stream(reads, per_row, spacing, gaps, state, counts, gaps.interval)
    return ticks, counts, gaps


@pytest.mark.parametrize("memory", ["ddr4-2400", "hbm2-2000", "gddr6-aim"])
def test_a_unit_of_one_bank_takes_what_the_channel_takes(memory: str) -> None:
    """Reading one bank row after row: the same banks, rules and refreshes as in the channel."""
    table = load_memory(memory)
    rows = 40
    reads = rows * table.organisation.columns
    trace = sequential(reads * table.access_bytes, table.access_bytes)
    channel = simulate(table, trace, Options(mapping="ChRaBaRoCo"))
    ticks, counts, _ = _ticks(memory, reads, table.organisation.columns, 1, table.ticks("nCCDL"))
    assert ticks == pytest.approx(channel.ticks, rel=0.005)
    assert int(counts[0]) == pytest.approx(channel.commands["ACT"], abs=2)
    assert int(counts[3]) == pytest.approx(
        channel.commands["REFab"] / table.organisation.ranks, abs=1
    )


def test_one_row_at_its_edges() -> None:
    ticks, counts, gaps = _ticks("hbm3-5200", 32, 32, 1, 8)
    assert ticks == gaps.act_to_read + 32 * 8
    assert list(counts) == [1, 32, 1, 0]
    two, _, _ = _ticks("hbm3-5200", 33, 32, 1, 8)
    closed = max(gaps.act_to_read + 31 * 8 + gaps.read_to_pre, gaps.act_to_pre)
    assert two == closed + gaps.pre_to_act + gaps.act_to_read + 8


def test_logic_pim_reaches_what_arithmetic_says() -> None:
    """128 clocks of data against tRCD + tRTP + tRP when rows are not interleaved, less refresh."""
    unit = _UNITS["logic-pim"]
    table = unit.table
    gaps = gaps_of(table)
    data = table.organisation.columns * table.ticks("nCCDL")
    period = data - table.ticks("nCCDL") + gaps.read_to_pre + gaps.pre_to_act + gaps.act_to_read
    free = 1 - table.ticks("nRFC") / table.ticks("nREFI")
    assert stream_efficiency(unit) == pytest.approx(data / period * free, rel=0.03)
    assert unit.peak_gbps == pytest.approx(4 * 160 * table.peak_gbps / 2, rel=0.01)
    assert stream_efficiency(_UNITS["logic-pim-interleaved"]) == pytest.approx(free, rel=0.02)


@pytest.mark.parametrize(("name", "times"), [("bank-pim", 16), ("bankgroup-pim", 4), ("aim", 16)])
def test_internal_bandwidth_is_the_stated_multiple(name: str, times: int) -> None:
    unit = _UNITS[name]
    outside = unit.ports * unit.table.peak_gbps / unit.table.organisation.ranks
    assert unit.peak_gbps == pytest.approx(times * outside, rel=0.01)


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(_IN_MEMORY),
    reads=st.integers(1, 3000),
    bundles=st.integers(1, 4),
    spacing=st.integers(1, 60),
)
def test_streams_obey_bounds(name: str, reads: int, bundles: int, spacing: int) -> None:
    table = _UNITS[name].table
    columns = table.organisation.columns
    ticks, counts, gaps = _ticks(table.name, reads, columns, bundles, spacing)
    longer, _, _ = _ticks(table.name, reads + 1, columns, bundles, spacing)
    assert ticks >= gaps.act_to_read + reads * spacing
    assert longer >= ticks + spacing
    assert counts[1] == reads and counts[0] >= -(-reads // columns)
    assert abs(int(counts[3]) - ticks // gaps.interval) <= 1


@pytest.mark.parametrize("name", unit_names())
def test_tables_agree_with_command_level(name: str) -> None:
    """Within 3 % from 150 kB a port; below, single rows and refreshes decide: within 20 %."""
    for row in calibration(_UNITS[name], sizes=(10_000, 40_000, 150_000, 600_000, 2_500_000)):
        bound = 0.03 if row["port_bytes"] >= 150_000 else 0.20
        assert abs(row["error"]) < bound, row


def test_report_has_every_unit_twice() -> None:
    text = report.table()
    assert all(text.count(f"| {name} |") == 2 for name in unit_names())


def test_arithmetic_limits_many_tokens() -> None:
    unit = _UNITS["logic-pim"]
    weights = 64 << 20
    few, many = (near_time_ns(unit, weights, tokens) for tokens in (8, 64))
    assert few == near_time_ns(unit, weights, 1)
    assert many == pytest.approx(weights * 64 / unit.peak_gflops, rel=0.01)
    assert near_time_ns(unit, weights, 0) == 0.0


def test_energy_of_a_pass_counts_rows_and_reads() -> None:
    unit = _UNITS["logic-pim"]
    run = run_port(unit, 1 << 20, 1)
    banks = unit.banks_per_command
    assert run.energy_nj == pytest.approx(banks * (run.reads * 0.464 + run.activations * 0.909))
    assert near_energy_nj(unit, 1e9) == pytest.approx(1e9 * (0.464 / 32 + 0.909 / 1024), rel=0.05)


_OWN = (Path(unit_module.__file__).parent / "units" / "bank-pim.toml").read_text()


def test_a_users_own_unit_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(_OWN.replace("ports = 160", "ports = 32").replace("bank-pim", "mine"))
    assert load_unit(str(path)).peak_gbps == pytest.approx(_UNITS["bank-pim"].peak_gbps / 5)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ports = 160", "ports = 0", "must be positive"),
        ("ports = 160", "portes = 160", "missing or unknown keys portes, ports"),
        ("banks_per_command = 32", "banks_per_command = 64", "do not fit the 32 banks"),
        ('spacing = "nCCDL"', 'spacing = "nXYZ"', "no timing value 'nXYZ'"),
        ('memory = "hbm3-5200"', 'memory = "hbm9"', "unknown memory 'hbm9'"),
        ("ports = 160", "ports = ", "not valid TOML"),
    ],
)
def test_bad_units_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(_OWN.replace(old, new))
    with pytest.raises(ConfigurationError, match=message):
        load_unit(str(path))


def test_unknown_unit_and_empty_work() -> None:
    with pytest.raises(ConfigurationError, match="known are aim, bank-pim"):
        load_unit("magic")
    with pytest.raises(ConfigurationError, match="must be positive"):
        run_port(_UNITS["aim"], 0, 1)
