import json

import pytest

from m3vit.host.cli import main
from m3vit.hw.machine import MACHINES
from m3vit.hw.presets import MODELS


def test_json_lists_every_preset(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["presets", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    models = {entry["name"]: entry for entry in values["models"]}
    assert list(models) == list(MODELS)
    assert models["small-nyud"]["tokens"] == 1201
    assert models["small-nyud"]["encoder_macs"] == pytest.approx(39.19e9, rel=0.001)
    assert [entry["digest"] for entry in values["machines"]] == [
        machine.digest for machine in MACHINES.values()
    ]


def test_text_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["presets"]) == 0
    starts = {line.split(" ")[0] for line in capsys.readouterr().out.splitlines()}
    assert {*MODELS, *MACHINES} <= starts
