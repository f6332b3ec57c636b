"""Configurations refuse what cannot be built, and survive the way through JSON."""

import json
from dataclasses import replace

import pytest

from m3vit.hw.config import ModelConfig, TaskConfig, TaskKind
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.machine import MACHINES, MachineConfig, machine_preset
from m3vit.hw.presets import MODELS, model_preset

SMALL = MODELS["small-pascal"]


@pytest.mark.parametrize("config", MODELS.values(), ids=MODELS.keys())
def test_presets_survive_json(config: ModelConfig) -> None:
    again = ModelConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config and again.digest == config.digest


def test_every_size_and_input_is_there() -> None:
    sizes, inputs = ("nano", "tiny", "small", "base"), ("cityscapes", "pascal", "nyud", "224")
    assert {f"{size}-{source}" for size in sizes for source in inputs} <= set(MODELS)


@pytest.mark.parametrize(
    ("preset", "tokens"),
    [("tiny-cityscapes", 129), ("tiny-224", 197), ("small-pascal", 1025), ("small-nyud", 1201)],
)
def test_tokens(preset: str, tokens: int) -> None:
    assert MODELS[preset].tokens == tokens


def test_odd_blocks_hold_experts() -> None:
    assert SMALL.moe_blocks == (1, 3, 5, 7, 9, 11)
    twin = SMALL.dense_twin()
    assert twin.moe_blocks == () and twin.dense_hidden(1) == SMALL.top_k * SMALL.expert_hidden


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_height": 500}, "image_height is 500, expected a positive multiple of"),
        ({"width": 100}, "width is 100, expected a multiple of 32"),
        ({"heads": 7}, "width/heads is '384/7'"),
        ({"heads": 48}, "head dimension that is a multiple of 16"),
        ({"experts": 257}, "experts is 257, expected 1 to 256"),
        ({"top_k": 17}, "top_k is 17"),
        ({"top_k": 9}, "top_k is 9, expected 1 to min"),
        ({"blocks": 0}, "blocks is 0"),
        ({"tasks": ()}, "one or more distinct names"),
    ],
)
def test_impossible_values_are_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        replace(SMALL, **change)  # type: ignore[arg-type]


def test_equal_task_names_are_refused() -> None:
    task = TaskConfig(name="a", kind=TaskKind.DEPTH, channels=1)
    with pytest.raises(ConfigurationError, match="distinct names"):
        replace(SMALL, tasks=(task, task))


def test_unknown_names_list_what_there_is() -> None:
    with pytest.raises(ConfigurationError, match="unknown preset 'huge'; presets are nano-"):
        model_preset("huge")
    with pytest.raises(ConfigurationError, match="unknown machine 'x'; machines are zcu104"):
        machine_preset("x")
    with pytest.raises(ConfigurationError, match="unknown task 'smell'; small-pascal has semseg"):
        SMALL.task("smell")


def test_unknown_and_missing_fields_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="'colour'"):
        ModelConfig.from_dict({**SMALL.to_dict(), "colour": 1})
    values = SMALL.to_dict()
    del values["width"]
    with pytest.raises(ConfigurationError, match="width"):
        ModelConfig.from_dict(values)
    with pytest.raises(ConfigurationError, match="unknown fields"):
        MachineConfig.from_dict({"name": "m", "wheels": 4})


def test_the_digest_sees_every_field_of_the_machine() -> None:
    machine = MACHINES["zcu104"]
    assert replace(machine, ring_bytes=4096).digest != machine.digest
    assert MachineConfig.from_dict(json.loads(json.dumps(machine.to_dict()))) == machine


@pytest.mark.parametrize(
    "change",
    [{"groups": 0}, {"rows": 12}, {"columns": 5}, {"max_tokens": 5000}, {"max_top_k": 9}],
)
def test_impossible_machines_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match=f"machine zcu104: {next(iter(change))} is"):
        replace(MACHINES["zcu104"], **change)
