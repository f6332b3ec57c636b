"""Fields from files: wrong types and values far out are refused in one short line."""

from dataclasses import fields, replace

import pytest

from m3vit.hw.config import ModelConfig, TaskConfig, TaskKind
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.machine import MACHINES, MachineConfig
from m3vit.hw.presets import MODELS
from m3vit.hw.ranges import shown
from tests.support.packages import MICRO

STRANGE = (None, "32", 32.0, float("nan"), 0, -1, 1 << 40, [], {}, True)
INTEGERS = [f.name for f in fields(ModelConfig) if f.type in (int, "int")]
SIZES = [f.name for f in fields(MachineConfig) if f.type in (int, "int")]
RATES = [f.name for f in fields(MachineConfig) if f.type in (float, "float")]


@pytest.mark.parametrize("value", STRANGE, ids=repr)
@pytest.mark.parametrize("name", INTEGERS)
def test_integers_of_a_model(name: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{name} is .*expected 1 to"):
        replace(MICRO, **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("value", STRANGE, ids=repr)
@pytest.mark.parametrize("name", SIZES)
def test_integers_of_a_machine(name: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=rf"^machine mini: {name} is .*expected 1 to"):
        replace(MACHINES["mini"], **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value", [None, "300", float("nan"), float("inf"), 0, -1.0, True], ids=repr
)
@pytest.mark.parametrize("name", RATES)
def test_rates_of_a_machine(name: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} is .*expected a positive number"):
        replace(MACHINES["mini"], **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("channels", [0, 256, 1.0, "1"])
def test_channels_of_a_task(channels: object) -> None:
    with pytest.raises(ConfigurationError, match="task x: channels is .*expected 1 to 255"):
        TaskConfig(name="x", kind=TaskKind.DEPTH, channels=channels)  # type: ignore[arg-type]


def test_every_preset_has_a_name_for_files() -> None:
    assert MODELS and INTEGERS and len(RATES) == 2
    for config in MODELS.values():
        assert replace(config) == config


def test_long_values_are_cut() -> None:
    assert len(shown("x" * 10_000)) <= 80 and "\n" not in shown("a\nb")
