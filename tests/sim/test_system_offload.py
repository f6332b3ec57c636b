"""Loading experts: policies, events, bounds and workloads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.routing import RoutingPlan
from m3vit.hw.routing_trace import TracedPlan, save_trace
from m3vit.sim.nearmem.unit import load_unit
from m3vit.sim.system.bound import fewest_loads, lower_bound_ns
from m3vit.sim.system.near_policy import POLICIES, make_policy
from m3vit.sim.system.offload import OffloadMachine, run_offload
from m3vit.sim.system.processor import load_processor
from m3vit.sim.system.shapes import find_shape
from m3vit.sim.system.workload import PATTERNS, Step, generated, recorded

_NEAR = ["all-near", "monde", "monde-tuned", "duplex"]
_LOADING = [name for name in POLICIES if name not in (*_NEAR, "resident")]


def _machine(near: bool = False, slots: int = 8, dense_ns: float = 1e5) -> OffloadMachine:
    return OffloadMachine(
        processor=load_processor("a100"),
        near=load_unit("monde") if near else None,
        network=find_shape("nllb-moe"),
        slots=slots,
        dense_ns=dense_ns,
    )


def _steps(pattern: str = "uniform", **changes) -> list[Step]:
    sizes = {"passes": 6, "blocks": 3, "experts": 16, "top_k": 2, "tokens": 3}
    return generated(pattern, **(sizes | changes))


def _run(name: str, steps: list[Step], machine: OffloadMachine):
    return run_offload(machine, steps, make_policy(name, steps, machine))


@settings(max_examples=25, deadline=None)
@given(
    pattern=st.sampled_from(PATTERNS),
    slots=st.integers(2, 20),
    tokens=st.integers(1, 30),
    seed=st.integers(0, 50),
    near=st.booleans(),
)
def test_no_policy_beats_the_bound_and_none_loses_work(pattern, slots, tokens, seed, near) -> None:
    machine = _machine(near, slots)
    steps = _steps(pattern, tokens=tokens, seed=seed, tasks=2)
    active = sum(len(step.active) for step in steps)
    bound = lower_bound_ns(machine, steps)
    for name in _LOADING + _NEAR if near else _LOADING:
        result = _run(name, steps, machine)
        assert result.total_ns >= bound * (1 - 1e-9), name
        assert result.loads + result.hits + result.near == active, name
        assert len(result.block_ns) == len(steps)


@given(st.sampled_from(PATTERNS), st.integers(2, 30), st.integers(0, 20))
@settings(max_examples=25, deadline=None)
def test_farthest_loads_least(pattern: str, slots: int, seed: int) -> None:
    steps, machine = _steps(pattern, seed=seed), _machine(slots=slots)
    assert fewest_loads(steps, slots) <= _run("lru", steps, machine).loads
    assert fewest_loads(steps, slots) >= fewest_loads(steps, slots + 5)


def test_every_expert_is_loaded_when_nothing_is_kept() -> None:
    """One block by hand: gate, two loads one after the other, then two computations."""
    machine = _machine()
    steps = [Step(block=0, tokens=(0, 2, 1))]
    want = machine.dense_ns + 2 * machine.load_ns + machine.compute_ns(2) + machine.compute_ns(1)
    assert _run("on-demand", steps, machine).total_ns == pytest.approx(want)
    overlapped = machine.dense_ns + 2 * machine.load_ns + machine.compute_ns(1)
    assert _run("m3vit", steps, machine).total_ns == pytest.approx(overlapped)


def test_pre_gating_hides_loads_behind_the_block_before() -> None:
    machine = _machine(dense_ns=1e7)
    steps = _steps()
    early, late = _run("pre-gated", steps, machine), _run("on-demand", steps, machine)
    first = len(steps[0].active)
    assert (early.loads, early.hits) == (first, sum(len(s.active) for s in steps) - first)
    assert early.mean_block_ns < late.mean_block_ns - machine.load_ns


def test_memory_for_everything_needs_no_loads_and_prefetching_all_needs_most() -> None:
    machine, steps = _machine(), _steps()
    resident, everything = (_run(name, steps, machine) for name in ("resident", "prefetch-all"))
    assert resident.loads == resident.preloads == 0
    assert everything.preloads == 16 * (len(steps) - 1)
    assert resident.total_ns < everything.total_ns


def test_adversary_defeats_lru_but_not_the_optimum() -> None:
    machine = _machine(slots=12)
    steps = _steps("adversarial", blocks=1, passes=64, top_k=1, tokens=1)
    assert _run("lru", steps, machine).hits == 0
    assert fewest_loads(steps, 12) < len(steps) / 2
    assert _run("offline-optimum", steps, machine).total_ns < _run("lru", steps, machine).total_ns


def test_skewed_routing_rewards_pinning() -> None:
    machine = _machine(slots=14)
    hits = [_run("pin-hottest", _steps(p, passes=30), machine).hits for p in ("uniform", "zipf")]
    assert hits[0] < hits[1]


def test_monde_loads_its_share_of_the_hottest() -> None:
    machine = _machine(near=True)
    tokens = tuple(range(1, 65))
    policy = make_policy("monde", [Step(block=0, tokens=tokens)], machine)
    policy.enter(0)
    places = policy.assign(tokens)
    loaded = [i for i, place in enumerate(places) if place.value == "fetch"]
    assert loaded == [61, 62, 63] or loaded == [60, 61, 62, 63]
    assert len(loaded) / 64 == pytest.approx(32 / (546 + 32), abs=0.01)


def test_greedy_balance_is_no_later_than_all_near() -> None:
    machine = _machine(near=True)
    steps = _steps(tokens=200)
    assert _run("duplex", steps, machine).total_ns <= _run("all-near", steps, machine).total_ns


def test_near_memory_bound_of_the_bandwidths() -> None:
    """MoNDE against loading: never more than the ratio of the bandwidths, 546 to 32 GB/s."""
    machine = _machine(near=True, dense_ns=0.0)
    steps = _steps(tokens=4)
    ratio = _run("on-demand", steps, machine).total_ns / _run("all-near", steps, machine).total_ns
    assert 8 < ratio < 546 / 32


def test_recorded_routing_is_replayed(tmp_path) -> None:
    chosen = np.array([[0, 1], [1, 2], [1, 3]])
    weights = np.full((3, 2), 1000)
    plan = RoutingPlan.from_choices(chosen, weights, experts=4)
    path = save_trace(
        tmp_path / "routing.npz", [TracedPlan(task="depth", image="a", block=5, plan=plan)]
    )
    assert recorded(path) == [Step(block=5, tokens=(1, 3, 1, 1), task="depth")]
    save_trace(path, [])
    with pytest.raises(ConfigurationError, match="holds no plan"):
        recorded(path)


def test_mistakes() -> None:
    for changes in ({"experts": 0}, {"top_k": 17}, {"tokens": -1}):
        with pytest.raises(ConfigurationError, match="must be positive"):
            _steps(**changes)
    with pytest.raises(ConfigurationError, match="known are uniform, zipf"):
        _steps("fractal")
    with pytest.raises(ConfigurationError, match="known are on-demand, lru"):
        make_policy("best", _steps(), _machine())
    for name in _NEAR:
        with pytest.raises(ConfigurationError, match="near-memory unit"):
            make_policy(name, _steps(), _machine())
    with pytest.raises(ConfigurationError, match="2 or more"):
        _machine(slots=1)


def test_a_tuned_split_is_no_worse_than_the_bandwidths_alone() -> None:
    """Arithmetic near memory is slow: with many tokens more experts are worth loading."""
    machine = _machine(near=True)
    for tokens in (1, 64, 4096):
        steps = _steps("zipf", tokens=tokens)
        plain, tuned = (_run(name, steps, machine) for name in ("monde", "monde-tuned"))
        assert tuned.total_ns <= plain.total_ns * 1.05
    assert tuned.loads > plain.loads
