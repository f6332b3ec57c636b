"""The model of the machine's size against the size of the RTL that was synthesised."""

import json
from collections import Counter
from typing import Any

import pytest

from m3vit.hw.cost.resources import Resources, UnitResources, resources, units
from m3vit.hw.cost.stores import stores
from m3vit.hw.cost.synthesised import BLOCKS, REFERENCE
from m3vit.hw.machine import MACHINES, MachineConfig, machine_preset
from m3vit.rtl.gate_results import GateResults
from m3vit.rtl.loader import kv_depth
from m3vit.rtl.plan import PlanStore
from m3vit.rtl.residual_store import store_depth
from m3vit.rtl.ring import Ring
from m3vit.rtl.score_store import ScoreStore
from m3vit.rtl.size import BASELINE

SYNTHESISED: dict[str, dict[str, Any]] = json.loads(BASELINE.read_text())
EXACT = ("dsp", "bram36", "uram")
OTHER_SHAPE = 0.3
"""Of machines that were scaled, as the sources say."""


def tolerances(machine: str) -> tuple[float, float]:
    """Of a unit and of the whole machine."""
    return (0.03, 0.01) if machine == REFERENCE.name else (OTHER_SHAPE, OTHER_SHAPE)


def summed(machine: str, names: tuple[str, ...], kind: str) -> float:
    return float(sum(SYNTHESISED[machine][name][kind] for name in names))


def parameters() -> list[Any]:
    return [
        pytest.param(name, unit, id=f"{name}-{unit.unit}")
        for name in SYNTHESISED
        for unit in units(machine_preset(name))
    ]


def test_the_reference_is_among_the_machines_synthesised() -> None:
    assert REFERENCE.name in SYNTHESISED


@pytest.mark.parametrize("machine", SYNTHESISED)
def test_every_block_belongs_to_one_unit(machine: str) -> None:
    assert Counter(block.name for block in BLOCKS) == Counter(SYNTHESISED[machine].keys())


@pytest.mark.parametrize(("machine", "unit"), parameters())
def test_a_unit_is_the_sum_of_its_blocks(machine: str, unit: UnitResources) -> None:
    for kind in EXACT:
        assert getattr(unit.count, kind) == summed(machine, unit.blocks, kind), kind
    for kind in ("lut", "ff"):
        found = summed(machine, unit.blocks, kind)
        assert getattr(unit.count, kind) == pytest.approx(found, rel=tolerances(machine)[0]), kind


@pytest.mark.parametrize("machine", SYNTHESISED)
def test_the_units_are_the_machine(machine: str) -> None:
    count = resources(machine_preset(machine))
    every = tuple(SYNTHESISED[machine])
    for kind, found in zip(Resources._fields, count, strict=True):
        bound = 0 if kind in EXACT else tolerances(machine)[1]
        assert found == pytest.approx(summed(machine, every, kind), rel=bound, abs=0), kind


def test_sources_name_the_blocks_and_say_what_was_scaled() -> None:
    for unit in units(REFERENCE):
        assert all(name in unit.source for name in unit.blocks)
        assert "scaled" not in unit.source
    by_name = {unit.unit: unit.source for unit in units(machine_preset("mini"))}
    assert "+-30 %" in by_name["array"]
    assert "scaled" not in by_name["DMA"]


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_stores_are_as_deep_and_wide_as_the_rtls(machine: MachineConfig) -> None:
    sizes = {store.name: store for store in stores(machine)}
    plan = PlanStore(
        max_tokens=machine.max_tokens, max_experts=machine.max_experts, top_k=machine.max_top_k
    )
    assert sizes["weight ring"].depth == Ring(machine).depth
    assert sizes["weight ring"].width == len(Ring(machine).data)
    assert sizes["residual"].depth == store_depth(machine)
    assert sizes["K and V"].depth == kv_depth(machine)
    assert sizes["K and V"].width * machine.groups == 8 * machine.word_bytes
    assert sizes["scores"].depth == ScoreStore(machine).depth
    assert (sizes["plan records"].width, sizes["plan records"].depth) == (
        plan.layout.size,
        plan.max_tokens,
    )
    assert sizes["reciprocals of the gate"].copies == 2 * GateResults(machine).bank.slots
