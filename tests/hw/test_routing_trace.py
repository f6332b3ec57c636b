import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from m3vit.hw.errors import PackageError
from m3vit.hw.files import WriteError
from m3vit.hw.routing import RoutingPlan
from m3vit.hw.routing_trace import TracedPlan, load_trace, save_trace


def _entry(seed: int, tokens: int, top_k: int, experts: int) -> TracedPlan:
    rng = np.random.default_rng(seed)
    chosen = np.array([rng.permutation(experts)[:top_k] for _ in range(tokens)])
    plan = RoutingPlan.from_choices(chosen, rng.integers(0, 65536, chosen.shape), experts=experts)
    return TracedPlan(task=f"täsk {seed}", image=f"photo-{seed}.png", block=2 * seed + 1, plan=plan)


TRACE = [_entry(0, 5, 2, 4), _entry(1, 1, 1, 1), _entry(2, 129, 8, 256)]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return save_trace(tmp_path / "trace.npz", TRACE)


def test_what_is_saved_is_loaded(saved: Path) -> None:
    loaded = load_trace(saved)
    assert len(loaded) == len(TRACE)
    for got, wanted in zip(loaded, TRACE, strict=True):
        assert (got.task, got.image, got.block) == (wanted.task, wanted.image, wanted.block)
        assert got.plan.same_as(wanted.plan)


def test_empty_trace(tmp_path: Path) -> None:
    assert load_trace(save_trace(tmp_path / "empty.npz", [])) == []


def test_nothing_but_the_file_is_left(saved: Path) -> None:
    assert os.listdir(saved.parent) == ["trace.npz"]


def test_unwritable_place_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="cannot write"):
        save_trace(tmp_path / "file" / "trace.npz", TRACE)


def _edit(path: Path, **changes: Any) -> None:
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    arrays.update(changes)
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": np.array(2)}, "format is 2, expected 1"),
        ({"weight": None}, "weight is not a file in the archive"),
        ({"task": np.array(["a", "b"])}, "lists differ in length"),
        ({"block": np.array([1.0, 2.0, 3.0])}, "array block holds float64"),
        ({"weight": np.zeros(7, np.uint16)}, "choices and weights differ"),
        ({"shape": np.array([[5, 2, 4], [1, 1, 1], [128, 8, 256]])}, "choices, its plans have"),
        ({"shape": np.array([[-5, -2, 4], [1, 1, 1], [129, 8, 256]])}, "choices, its plans have"),
        ({"shape": np.array([[5, 2, 1], [1, 1, 1], [129, 8, 256]])}, "expected 0 to 0"),
        ({"task": np.array([{}, {}, {}])}, "is no routing trace"),
    ],
)
def test_malformed_traces_are_refused(saved: Path, changes: dict[str, Any], message: str) -> None:
    _edit(saved, **changes)
    with pytest.raises(PackageError, match=message) as caught:
        load_trace(saved)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.99])
def test_truncated_traces_are_refused(saved: Path, kept: float) -> None:
    data = saved.read_bytes()
    saved.write_bytes(data[: int(kept if kept > 1 else kept * len(data))])
    with pytest.raises(PackageError, match="is no routing trace"):
        load_trace(saved)


def test_every_flipped_byte_is_an_error_or_harmless(saved: Path) -> None:
    data = bytearray(saved.read_bytes())
    for position in range(0, len(data), 13):
        data[position] ^= 0xFF
        saved.write_bytes(data)
        data[position] ^= 0xFF
        try:
            load_trace(saved)
        except PackageError as error:
            assert "\n" not in str(error)


def test_single_array_and_missing_file_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(PackageError, match="it holds a single array"):
        load_trace(tmp_path / "one.npy")
    with pytest.raises(PackageError, match="cannot read routing trace .*: No such file"):
        load_trace(tmp_path / "none.npz")
