"""DRAMsim3's stored DDR4-2400 runs: another simulator's opinion of cycles, activations, energy.

Its HBM2 has other timings and 64-byte bursts, and its row-contiguous streams reach further into the
next row's banks (4.7 and 24 % faster), as the queues differ; those are not compared.
"""

from typing import Any

import pytest

from m3vit.sim.dram.channel import ChannelResult, simulate
from m3vit.sim.dram.energy import energy_nj
from m3vit.sim.dram.load import load_memory
from m3vit.sim.dram.options import Options
from tests.sim.reference import stored, trace_of

_MAPPINGS = {"rochrababgco": "RoBaRaCoCh", "rorachcobabg": "BgBaCoRo"}
"""Fields from the highest bits to the lowest, and our name of the same order."""


def _mapping(run: dict[str, Any]) -> str:
    return _MAPPINGS[run["config"].rsplit("_", 1)[1]]


def _comparable(run: dict[str, Any]) -> bool:
    row_contiguous = run["trace"].startswith("seq") and _mapping(run) == "RoBaRaCoCh"
    return "DDR4" in run["config"] and not row_contiguous


_RUNS = [run for run in stored("dramsim3_runs.json.gz") if _comparable(run)]


def _ours(run: dict[str, Any]) -> ChannelResult:
    options = Options(mapping=_mapping(run), drain=True)
    return simulate(load_memory("ddr4-2400"), trace_of(run["trace"], 64), options)


@pytest.mark.parametrize("run", _RUNS, ids=lambda run: f"{run['config'][3:]} {run['trace']}")
def test_cycles_and_activations_within_one_percent(run: dict[str, Any]) -> None:
    ours, stats = _ours(run), run["stats"]
    assert ours.ticks == pytest.approx(run["cycles"], rel=0.01)
    assert ours.commands["ACT"] == pytest.approx(stats["num_act_cmds"], rel=0.01)
    assert abs(ours.commands["REFab"] - stats["num_ref_cmds"]) <= 1


def test_energies_agree_as_far_as_the_counts_do() -> None:
    """Its energies are in pJ a cycle of 0.83 ns."""
    assert len(_RUNS) == 6
    for run in _RUNS:
        if run["tCK_ns"] == 0.83:
            spent, stats = energy_nj(load_memory("ddr4-2400"), _ours(run)), run["stats"]
            for ours, theirs in (("ACT", "act"), ("RD", "read"), ("REFab", "ref")):
                want = stats[f"{theirs}_energy"] * run["tCK_ns"] / 1000
                assert spent[ours] == pytest.approx(want, rel=0.025), (ours, run["config"])
