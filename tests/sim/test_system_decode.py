"""Duplex decode against every stored record, and the parts that it is made of."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3vit.hw.errors import ConfigurationError
from m3vit.sim.nearmem.unit import load_unit
from m3vit.sim.system.decode import decode_step, route_uniformly
from m3vit.sim.system.decode_case import DecodeCase
from m3vit.sim.system.placement import Place, UnitTimes, co_process, faster_unit, find_placement
from m3vit.sim.system.presets import decode_case
from m3vit.sim.system.processor import load_processor, machine_names
from m3vit.sim.system.shapes import SHAPES, find_shape
from tests.sim import duplex_reference as duplex


@pytest.mark.parametrize(
    "record", duplex.records(), ids=lambda r: f"{r['mode']}-{r['batch']}-{r['L']}"
)
def test_every_record_within_ten_percent(record) -> None:
    errors = duplex.errors(record)
    assert abs(errors["total"]) < 0.06 and abs(errors["energy"]) < 0.06
    for name, error in errors.items():
        case = (record["mode"], record["batch"], record["L"], name)
        bound = 0.20 if case in duplex.EXPLAINED else 0.10
        assert abs(error) < bound, (name, error)


def test_explanations_are_still_needed() -> None:
    for record in duplex.records():
        for name, error in duplex.errors(record).items():
            case = (record["mode"], record["batch"], record["L"], name)
            if case in duplex.EXPLAINED:
                assert abs(error) > 0.10, case


def test_attention_records_are_single_runs_with_or_without_a_refresh() -> None:
    """Every stored attention near memory is one of our possible runs, within 8 % but the one that
    is too short for its start (14 %)."""
    for record in duplex.records():
        if "GPU" not in record["mode"]:
            stored = record["attn_gen_ms"]
            nearest = min(abs(ms / stored - 1) for ms in duplex.attention_outcomes(record))
            short = (record["mode"], record["batch"], record["L"]) == ("BankPIM", 64, 256)
            assert nearest < (0.14 if short else 0.08), (record["mode"], nearest)


def _case(**changes) -> DecodeCase:
    plain = {
        "shape": find_shape("mixtral"),
        "processor": load_processor("h100"),
        "near": load_unit("logic-pim"),
        "devices": 4,
        "batch": 32,
        "context": 1000.0,
        "placement": "co-process",
    }
    return DecodeCase(**(plain | changes))


def test_bank_pim_crosses_over_between_batch_32_and_64() -> None:
    """The paper: Bank-PIM gains over the GPU shrink between these batches, Duplex's do not."""
    gains = {}
    for unit, placement in (("bank-pim", "faster-unit"), ("logic-pim", "co-process")):
        for batch in (32, 64):
            gpu = decode_step(_case(near=None, placement="processor", batch=batch))
            near = decode_step(_case(near=load_unit(unit), placement=placement, batch=batch))
            gains[unit, batch] = gpu.step_ms / near.step_ms
    assert gains["bank-pim", 32] > 1.6 * gains["bank-pim", 64] - 0.2
    assert gains["bank-pim", 64] < 1.4 < gains["bank-pim", 32]
    assert gains["logic-pim", 64] > 1.8


@given(st.lists(st.integers(0, 400), min_size=1, max_size=64))
def test_co_processing_is_never_later_than_all_near(tokens: list[int]) -> None:
    times = UnitTimes(
        processor=lambda n: 4.0 if n else 0.0, near=lambda n: max(1.0, n / 8) if n else 0.0
    )
    places = co_process(tokens, times)
    near = sum(times.near(n) for n, p in zip(tokens, places, strict=True) if p is Place.NEAR)
    away = sum(
        times.processor(n) for n, p in zip(tokens, places, strict=True) if p is not Place.NEAR
    )
    assert max(near, away) <= sum(map(times.near, tokens)) + 1e-9
    assert all(
        p is Place.NEAR or times.processor(n) < times.near(n)
        for n, p in zip(tokens, faster_unit(tokens, times), strict=True)
    )


@given(st.integers(1, 200), st.integers(1, 64), st.integers(1, 8), st.integers(0, 99))
def test_routing_conserves_tokens(tokens: int, experts: int, top_k: int, seed: int) -> None:
    top_k = min(top_k, experts)
    counts = route_uniformly(np.random.default_rng(seed), tokens, experts, top_k)
    assert sum(counts) == tokens * top_k and max(counts) <= tokens


def test_all_reduce_is_the_rings() -> None:
    """The record's communication: two all-reduces a layer, 6 hops of 0.8 us + a quarter each."""
    case = decode_case("gpu", "mixtral", 32, 1024)
    assert case.all_reduce_ns() == pytest.approx(6 * (800 + 65536 / 450))
    assert decode_case("gpu", "mixtral", 32, 1024, devices=1).all_reduce_ns() == 0


def test_two_nodes_wait_for_the_network() -> None:
    """A 16th of the rows over InfiniBand takes longer than over NVLink once it is large."""
    case = decode_case("gpu", "grok1", 128, 1024)
    part = 128 * 6144 * 2 / 16
    assert case.nodes == 2 and case.all_reduce_ns() == pytest.approx(30 * (130 + part / 50))


def test_a_prefill_joins_the_batch() -> None:
    """Linear work counts its tokens, its attention is causal, and no gain is left for experts that
    all go to the processors."""
    plain = decode_step(decode_case("gpu", "mixtral", 31, 1024))
    mixed = decode_step(decode_case("gpu", "mixtral", 31, 1024, prefill=2048))
    shape = find_shape("mixtral")
    heads = shape.heads * shape.head_width
    attention = 2 * shape.width * (shape.heads + shape.kv_heads) * shape.head_width
    linear = shape.layers * (shape.top_k * shape.expert_elements + attention)
    causal = shape.layers * 2048 * 2048 * heads
    assert mixed.macs - plain.macs == pytest.approx(2048 * linear + causal, rel=1e-9)
    assert mixed.step_ms > plain.step_ms
    near = decode_step(decode_case("duplex", "mixtral", 31, 1024, prefill=2048))
    assert near.times_ms["expert"] == pytest.approx(mixed.times_ms["expert"])


def test_names_and_tables() -> None:
    assert {"h100", "a100", "rtx8000", "zcu104"} <= set(machine_names())
    assert {"mixtral", "glam", "grok1", "switch-base-128", "nllb-moe"} <= set(SHAPES)
    assert find_shape("mixtral").expert_elements == 176_160_768
    for call, name in ((load_processor, "h200"), (find_shape, "opt"), (find_placement, "best")):
        with pytest.raises(ConfigurationError, match="known are"):
            call(name)


def test_a_users_own_processor_is_a_file(tmp_path) -> None:
    from m3vit.sim.system import processor as module

    text = (module._FOLDER / "h100.toml").read_text()
    path = tmp_path / "mine.toml"
    path.write_text(text.replace("memory_gbps = 3352.0", "memory_gbps = 4800.0"))
    assert load_processor(str(path)).memory_gbps == 4800.0
    for old, new, message in (
        ("memory_gbps = 3352.0", "memory_gbps = -1.0", "must be positive"),
        ("start_ns", "begin_ns", "missing or unknown keys begin_ns, start_ns"),
        ("start_ns = ", "start_ns ", "not valid TOML"),
    ):
        path.write_text(text.replace(old, new))
        with pytest.raises(ConfigurationError, match=message):
            load_processor(str(path))


@pytest.mark.parametrize("changes", [{"batch": 0}, {"context": -1.0}, {"near": None}])
def test_impossible_cases_are_refused(changes) -> None:
    with pytest.raises(ConfigurationError):
        _case(**changes)
