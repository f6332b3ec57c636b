"""The whole benchmark on a CPU, tiny: every variant agrees, records and table are complete."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from m3vit.host import cli
from m3vit.hw.config import ModelConfig
from m3vit.hw.cost.macs import encoder_macs, head_macs
from m3vit.hw.errors import ConfigurationError, DeviceError
from m3vit.hw.quantised import QuantisedModel
from m3vit.hw.records import Evidence, ResultRecord
from m3vit.model.gpu.bench import baselines, layer_bench
from m3vit.model.gpu.bench.encoder_bench import bench_floats
from m3vit.model.gpu.bench.layer import Layer
from m3vit.model.gpu.bench.layer_bench import LayerResult, Row, Setting, bench_layer
from m3vit.model.gpu.bench.libraries import KNOWN, adapted, installed
from m3vit.model.gpu.bench.nvml import Energy
from m3vit.model.gpu.bench.report import encoder_table, layer_table, render, verdict
from m3vit.model.gpu.bench.roofline import Roofline
from m3vit.model.gpu.bench.session import Outcome, environment_of, run_session, save
from m3vit.model.gpu.bench.statistics import summarise
from m3vit.model.kernels.plain.all import KERNELS
from tests.support.packages import MICRO
from tests.support.random_models import random_model

WIDE = replace(MICRO, name="wide", experts=6, top_k=3, expert_ratio=2)


def library(h: Tensor, layer: Layer, indices: Tensor, weights: Tensor) -> Tensor:
    """A stand-in for somebody else's kernels: token by token."""
    out = torch.zeros_like(h)
    for token, (row, scores) in enumerate(zip(indices.tolist(), weights, strict=True)):
        for expert, score in zip(row, scores, strict=True):
            hidden = layer.first[expert] @ h[token] + layer.first_bias[expert].to(h.dtype)
            y = layer.second[expert] @ torch.nn.functional.gelu(hidden)
            out[token] += (score * (y.float() + layer.second_bias[expert])).to(h.dtype)
    return out


def wrong(h: Tensor, layer: Layer, indices: Tensor, weights: Tensor) -> Tensor:
    return torch.zeros_like(h)


def setting(*libraries: str, kind: torch.dtype = torch.bfloat16) -> Setting:
    return Setting(
        device=torch.device("cpu"),
        kind=kind,
        kernels=KERNELS,
        roofline=Roofline(bytes_per_s=1e10, flops_per_s=1e11),
        repeats=2,
        libraries=[f"{__name__}:{name}" for name in libraries],
        compiled=False,
    )


@pytest.fixture(autouse=True)
def few_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("m3vit.model.gpu.bench.timing.CACHE_BYTES", 1)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("config", [MICRO, WIDE], ids=lambda config: config.name)
def test_every_baseline_computes_the_same_layer(config: ModelConfig, kind: torch.dtype) -> None:
    result = bench_layer(config, 2, setting("library", kind=kind))
    assert [row.variant for row in result.rows] == [
        "ours (plain torch)",
        "eager loop over experts",
        "compiled dense dispatch",
        "torch grouped matmul",
        "dense twin",
        f"{__name__}:library",
    ]
    assert (result.tokens, result.batch) == (config.tokens, 2)
    assert all(row.timing.calls == 2 and row.roofline_share > 0 for row in result.rows)


def failing(h: Tensor, layer: Layer, indices: Tensor, weights: Tensor) -> Tensor:
    raise RuntimeError("expected bfloat16\nand more")


def test_a_baseline_that_does_not_run_is_named_and_left_out() -> None:
    chosen, said = setting("failing"), list[str]()
    result = bench_layer(MICRO, 1, chosen)
    assert result.refused == {f"{__name__}:failing": "expected bfloat16"}
    assert len(result.rows) == 5
    assert "failing does not run here: expected bfloat16" in layer_table([result])
    found = list(bench_floats(MICRO, 1, chosen, None, said.append))
    assert len(found) == 7 and not any("failing" in one.variant for one in found)
    assert len(said) == 1 and "failing does not run here" in said[0]
    assert "not measured" in encoder_table(found)


def test_without_any_baseline_there_is_no_speed_up() -> None:
    alone = replace(case(1.0, 0.5, 1), rows=case(1.0, 0.5, 1).rows[:1])
    assert alone.to_dict()["speed_up"] is None


def test_timings_of_a_wrong_result_are_refused() -> None:
    with pytest.raises(DeviceError, match="wrong differs from ours .* mean nothing"):
        bench_layer(MICRO, 1, setting("wrong"))


def test_the_dense_twin_equals_its_experts_with_weight_one() -> None:
    layer = replace(layer_bench.random_layer(WIDE, torch.device("cpu"), torch.float32), top_k=6)
    x = torch.randn(5, WIDE.width)
    ones = torch.ones(5, 6)
    every = torch.arange(6).expand(5, 6)
    expected = x + library(x, layer, every, ones)
    torch.testing.assert_close(baselines.dense_twin(layer).run(x, x), expected)


@pytest.mark.parametrize("spec", ["no_such_module:f", "math:no_such", "nothing", ":f"])
def test_an_unknown_library_is_one_line(spec: str) -> None:
    layer = layer_bench.random_layer(MICRO, torch.device("cpu"), torch.float32)
    with pytest.raises(ConfigurationError, match="expected MODULE:FUNCTION"):
        adapted(spec, layer)


def test_libraries_are_looked_for() -> None:
    assert set(installed()) == set(KNOWN)


def quantised(config: ModelConfig) -> QuantisedModel:
    return random_model(config, 0)


def energy(call: Any, images: int) -> Energy:
    call()
    return Energy(per_image_mj=12.5, idle_share_mj=2.5, idle_w=70.0, seconds=1.0)


def test_a_session_gives_records_and_a_table(tmp_path: Path) -> None:
    chosen = setting()
    outcome = Outcome(environment=environment_of(chosen, "m3vit bench --device cuda", None))
    run_session(outcome, [MICRO], [1, 2], chosen, energy, quantised, lambda text: None)
    path = save(outcome, tmp_path / "gpu.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0]["command"] == "m3vit bench --device cuda" and "date" in lines[0]
    assert [line["batch"] for line in lines if line["format"] == layer_bench.FORMAT] == [1, 2]
    records = [
        ResultRecord.from_json(line)
        for line in path.read_text().splitlines()
        if "m3vit-record-1" in line
    ]
    assert len(records) == 2 * 8
    work = {record.value("macs") for record in records if "and head" in record.device}
    assert work == {encoder_macs(MICRO) + head_macs(MICRO, MICRO.tasks[0])}
    assert {record.model for record in records} == {"micro", "micro-dense"}
    for record in records:
        latency = record.figures["latency_ms"]
        assert latency.evidence is Evidence.MEASURED and "torch" in latency.source
        assert record.value("energy_mj") == 12.5
        assert record.value("tokens") == MICRO.tokens
    assert any("int8 ours, batch 2" in record.device for record in records)
    text = render(outcome.layers, outcome.encoders, chosen.roofline)
    for part in ("roofline: 10 GB/s", "eager loop over experts", "int8 ours", "ms/image", "times"):
        assert part in text


def case(ours_ms: float, share: float, batch: int) -> LayerResult:
    def row(name: str, milliseconds: float) -> Row:
        return Row(
            variant=name,
            timing=summarise([milliseconds]),
            launches=7,
            recorded=True,
            roofline_share=share,
        )

    rows = [row("ours", ours_ms), row("a", 3.0), row("b", 2.4)]
    return LayerResult(model="tiny", tokens=9, batch=batch, kind="bfloat16", rows=rows)


@pytest.mark.parametrize(
    ("ours_ms", "share", "batch", "text"),
    [
        (2.0, 0.61, 16, "1.20 times the best baseline, 61.0 % of the roofline, 7 launches; aims"),
        (2.1, 0.61, 16, "speed-up below 1.2"),
        (1.0, 0.59, 16, "roofline below 60 %"),
        (1.0, 0.05, 1, "aims met"),
    ],
)
def test_the_verdict_names_what_is_missed(
    ours_ms: float, share: float, batch: int, text: str
) -> None:
    assert text in verdict(case(ours_ms, share, batch))


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_without_cuda_the_verb_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "--device", "cuda"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("m3vit bench: no CUDA device")


def test_bad_counts_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "--device", "cuda", "--batch", "0"]) == 2
    assert "expected at least 1 of both" in capsys.readouterr().err
