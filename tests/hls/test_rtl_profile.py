"""Counted cycles of layers, wherever the sequencer was while the array made them."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m3vit.hls.rtl_profile import RtlProfileError, read_rtl_profile
from m3vit.host.profile import FORMAT as WRITTEN
from m3vit.host.profile import Profile
from m3vit.hw.cost.cycles import estimate_cycles
from m3vit.hw.machine import machine_preset
from m3vit.hw.presets import model_preset
from tests.hls.rtl_profiles import COPY, profile_of, written

CONFIG, MACHINE = model_preset("nano-scenes"), machine_preset("zcu104")
REPORT = estimate_cycles(CONFIG, MACHINE)
BASE = profile_of(CONFIG, MACHINE)


def counted(folder: Path, profile: Profile) -> list[int]:
    path = written(folder / "p.json", profile)
    return read_rtl_profile(path).cycles(CONFIG, REPORT)


@settings(max_examples=10, deadline=None)
@given(lag=st.integers(0, 5000))
def test_the_sequencers_lead_is_taken_out(
    lag: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    parts = {(part.block, part.phase): math.ceil(part.cycles) for part in REPORT.phases}
    expected = [
        parts[block, "gate"] + COPY + parts[block, "experts"]
        if CONFIG.is_moe(block)
        else parts[block, "mlp"]
        for block in range(CONFIG.blocks)
    ]
    profile = profile_of(CONFIG, MACHINE, lag)
    assert counted(tmp_path_factory.mktemp("p"), profile) == expected


@pytest.mark.parametrize("layer", ["gate", "experts", "mlp"])
def test_waits_in_a_layers_steps_are_the_layers(layer: str, tmp_path: Path) -> None:
    number = next(i for i, step in enumerate(BASE.steps) if step.layer == layer)
    late = [
        replace(step, first=step.first + 7 * (i > number), last=step.last + 7 * (i >= number))
        for i, step in enumerate(BASE.steps)
    ]
    before, after = counted(tmp_path, BASE), counted(tmp_path, replace(BASE, steps=tuple(late)))
    more = [7 * (block == BASE.steps[number].block) for block in range(CONFIG.blocks)]
    assert [b - a for a, b in zip(before, after, strict=True)] == more


@pytest.mark.parametrize(
    ("config", "machine", "digest", "named"),
    [
        ("nano-scenes", "mini", "", "machine is 'zcu104', expected 'mini'"),
        ("tiny-224", "zcu104", "", "model is 'nano-scenes', expected 'tiny-224'"),
        ("nano-scenes", "zcu104", "e", "digest is 'd', expected 'e'"),
    ],
)
def test_profiles_of_something_else_are_refused(
    config: str, machine: str, digest: str, named: str, tmp_path: Path
) -> None:
    profile = read_rtl_profile(written(tmp_path / "p.json", BASE))
    profile.require(CONFIG, MACHINE, "d")
    with pytest.raises(RtlProfileError, match=named):
        profile.require(model_preset(config), machine_preset(machine), digest)


def test_passes_that_do_not_add_up_are_refused(tmp_path: Path) -> None:
    first = next(step for step in BASE.steps if step.layer == "qkv")
    counts = {**first.counts, "ARRAY_BUSY": first.counts["ARRAY_BUSY"] - 1}
    steps = tuple(replace(s, counts=counts) if s is first else s for s in BASE.steps)
    with pytest.raises(RtlProfileError, match="outside experts the array worked"):
        counted(tmp_path, replace(BASE, steps=steps))


@pytest.mark.parametrize("layer", ["gate", "experts", "mlp"])
def test_a_layer_that_was_not_counted_is_named(layer: str, tmp_path: Path) -> None:
    steps = tuple(step for step in BASE.steps if step.layer != layer)
    with pytest.raises(RtlProfileError, match=f"no step of block .'s {layer}"):
        counted(tmp_path, replace(BASE, steps=steps))


def _other_format(values: dict[str, Any]) -> None:
    values["format"] = "m3vit-record-1"


def _no_steps(values: dict[str, Any]) -> None:
    del values["steps"]


def _no_counter(values: dict[str, Any]) -> None:
    del values["steps"][0]["counts"]["ARRAY_BUSY"]


def _a_step_twice(values: dict[str, Any]) -> None:
    values["steps"].append(next(step for step in values["steps"] if step["layer"] == "mlp"))


def _too_busy(values: dict[str, Any]) -> None:
    step = next(step for step in values["steps"] if step["layer"] == "mlp")
    step["counts"]["ARRAY_BUSY"] = step["last"] - step["first"] + 2


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_other_format, f"not of format '{WRITTEN}'"),
        (_no_steps, "malformed: KeyError"),
        (_no_counter, "malformed: KeyError"),
        (_a_step_twice, "two steps of block 0's mlp"),
        (_too_busy, "busy cycles among"),
    ],
)
def test_malformed_profiles_are_one_line(change: Any, named: str, tmp_path: Path) -> None:
    path = written(tmp_path / "p.json", BASE)
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
    with pytest.raises(RtlProfileError, match=named) as caught:
        read_rtl_profile(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", [b"{", b"[]", b"\xff\xfe", b'{"format": "m3vit-profile-1"}'])
def test_what_is_no_profile_is_refused(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(text)
    with pytest.raises(RtlProfileError, match="profile: "):
        read_rtl_profile(path)
    with pytest.raises(RtlProfileError, match="cannot read"):
        read_rtl_profile(tmp_path / "none.json")
