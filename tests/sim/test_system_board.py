"""The accelerator's rates: cost model against event simulation, records that scale them."""

from pathlib import Path

import pytest

from m3vit.host.cli import main
from m3vit.hw.cost.cycles import estimate_cycles
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.machine import machine_preset
from m3vit.hw.presets import model_preset
from m3vit.hw.records import Evidence, ResultRecord, figure
from m3vit.sim.system.board import MODELS, cost_numbers, recorded_numbers
from m3vit.sim.system.presets import offload_record
from m3vit.sim.system.processor import load_processor
from m3vit.sim.system.shapes import find_shape
from m3vit.sim.system.workload import Step


def _even_steps(network: str, passes: int = 10) -> list[Step]:
    shape, tokens = find_shape(network), model_preset(MODELS[network]).tokens
    share, rest = divmod(tokens * shape.top_k, shape.experts)
    counts = tuple(share + (expert < rest) for expert in range(shape.experts))
    return [Step(block=b, tokens=counts) for _ in range(passes) for b in range(shape.moe_layers)]


def _record(
    folder: Path, model: str, latency_ms: float, kind: Evidence = Evidence.RTL, **phases: float
) -> Path:
    figures = {"latency_ms": figure("latency_ms", latency_ms, kind)}
    if phases:
        figures["phases_ms"] = figure("phases_ms", phases, Evidence.RTL)
    other = ResultRecord(model="other", task="depth", device="rtl", figures=figures)
    record = ResultRecord(model=model, task="depth", device="rtl", figures=figures)
    path = folder / "rtl.jsonl"
    path.write_text(f"{other.to_json()}\n{record.to_json()}\n")
    return path


def _blocks_ms(network: str) -> float:
    report = estimate_cycles(model_preset(MODELS[network]), machine_preset("zcu104"))
    outside = ("start", "embedding", "result")
    cycles = sum(p.cycles for name, p in report.by_phase().items() if name not in outside)
    return cycles / report.clock_mhz / 1000


@pytest.mark.parametrize(("network", "ring"), [("m3vit-small", 2), ("m3vit-nano", 8)])
def test_events_and_cost_model_agree(network: str, ring: int) -> None:
    """The ring of 590 kB holds two of Small's experts and all of Nano's."""
    machine = machine_preset("zcu104")
    assert min(8, machine.ring_bytes // find_shape(network).expert_bytes) == ring
    run = offload_record("zcu104", network, "speculative", _even_steps(network), ring)
    assert run["total_ms"] / 10 == pytest.approx(_blocks_ms(network), rel=0.03)
    assert "cost model" in run["rates"]


def test_rates_are_those_of_the_array() -> None:
    """3072 multiply-adds a cycle at 300 MHz less an odd token in most queues."""
    numbers, processor = cost_numbers("zcu104", "small-224"), load_processor("zcu104")
    assert 0.95 * 1843.2 < numbers.peak_gflops <= 1843.2
    assert processor.peak_gflops == numbers.peak_gflops and processor.link_gbps == 13.7
    assert processor.memory_gbps == pytest.approx(460.8)
    assert 50 < numbers.start_ns < 500


def test_a_record_scales_everything_or_by_phase(tmp_path: Path) -> None:
    numbers = cost_numbers("zcu104", "small-224")
    slower = recorded_numbers(numbers, _record(tmp_path, "small-224", 1.25e-6 * numbers.latency_ns))
    assert slower.peak_gflops == pytest.approx(numbers.peak_gflops / 1.25)
    assert slower.dense_ns == pytest.approx(numbers.dense_ns * 1.25)
    experts = 1e-6 * numbers.experts_ns
    total = 1e-6 * numbers.latency_ns + experts
    path = _record(tmp_path, "small-224", total, experts=2 * experts, attention=1.0)
    phased = recorded_numbers(numbers, path)
    assert phased.dense_ns == pytest.approx(numbers.dense_ns)
    assert phased.start_ns == pytest.approx(2 * numbers.start_ns)
    assert "scaled to a record of rtl (rtl)" in phased.source


def test_the_verb_takes_a_record(tmp_path: Path, capsys) -> None:
    numbers = cost_numbers("zcu104", "nano-scenes")
    path = str(_record(tmp_path, "nano-scenes", 2e-6 * numbers.latency_ns))
    common = ["simulate", "--machine", "zcu104", "--workload", "m3vit-nano", "--batch", "129"]
    assert main([*common, "--record", path]) == 0
    assert "scaled to a record" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--machine", "zcu104", "--workload", "m3vit-nano", "--record", "no.jsonl"], "no.jsonl"),
        (["--machine", "a100-offload", "--workload", "glam", "--record", "x"], "not of a100"),
        (["--machine", "gpu", "--record", "x"], "not of decoding systems"),
    ],
)
def test_mistakes_are_one_line(capsys, arguments: list[str], message: str) -> None:
    assert main(["simulate", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_records_of_other_models_are_named(tmp_path: Path) -> None:
    path = _record(tmp_path, "small-224", 1.0)
    with pytest.raises(ConfigurationError, match="records of other, small-224"):
        recorded_numbers(cost_numbers("zcu104", "nano-scenes"), path)
    path = _record(tmp_path, "small-224", 1.0, Evidence.MODELLED)
    with pytest.raises(ConfigurationError, match="counted in RTL or measured"):
        recorded_numbers(cost_numbers("zcu104", "small-224"), path)


def test_a_table_of_ones_own_accelerator(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\nmachine = "mini"\nmodel = "nano-scenes"\nbyte_nj = 0.05\n'
        'operation_pj = 1.0\nsource = "test"\n'
    )
    assert load_processor(str(path)).peak_gflops < load_processor("zcu104").peak_gflops
    path.write_text('name = "mine"\nmachine = "mini"\n')
    with pytest.raises(ConfigurationError, match="preset"):
        load_processor(str(path))
