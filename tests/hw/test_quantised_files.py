"""Quantised models survive a file, and a damaged file is refused."""

from pathlib import Path

import numpy as np
import pytest

from m3vit.hw.config import GateKind, ModelConfig, TaskConfig, TaskKind
from m3vit.hw.errors import DigestMismatchError, PackageError
from m3vit.hw.files import WriteError
from m3vit.hw.quantised import QuantisedModel
from m3vit.hw.quantised_files import flatten, load_quantised, quantised_digest, save_quantised
from tests.support.random_models import random_model


def micro(name: str = "micro", gate: GateKind = GateKind.MULTI) -> ModelConfig:
    return ModelConfig(
        name=name,
        image_height=32,
        image_width=32,
        width=32,
        heads=2,
        blocks=2,
        experts=3,
        top_k=2,
        gate=gate,
        head_width=16,
        tasks=(
            TaskConfig(name="a", kind=TaskKind.DEPTH, channels=1),
            TaskConfig(name="b", kind=TaskKind.NORMALS, channels=3),
        ),
    )


@pytest.fixture
def model() -> QuantisedModel:
    return random_model(micro(), 3)


@pytest.fixture
def stored(tmp_path: Path, model: QuantisedModel) -> Path:
    return save_quantised(tmp_path / "model.npz", model)


def rewrite(path: Path, **changes: np.ndarray) -> None:
    with np.load(path) as old:
        arrays = {name: old[name] for name in old.files}
    arrays.update(changes)
    np.savez(path, **arrays)


def test_round_trip_is_exact(stored: Path, model: QuantisedModel) -> None:
    loaded = load_quantised(stored, model.config)
    before, after = dict(flatten(model)), dict(flatten(loaded))
    assert before.keys() == after.keys()
    for name, array in before.items():
        assert array.dtype == after[name].dtype, name
        np.testing.assert_array_equal(array, after[name], err_msg=name)
    assert loaded.config == model.config
    assert quantised_digest(loaded) == quantised_digest(model)
    assert [len(block.gates) for block in loaded.blocks] == [0, 2]


def test_same_model_gives_the_same_bytes(stored: Path, model: QuantisedModel) -> None:
    again = save_quantised(stored.with_name("again.npz"), model)
    assert again.read_bytes() == stored.read_bytes()


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="nowhere.npz"):
        load_quantised(tmp_path / "nowhere.npz")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_truncated_file_is_refused(stored: Path, share: float) -> None:
    data = stored.read_bytes()
    stored.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(PackageError, match="truncated"):
        load_quantised(stored)


def test_flipped_byte_is_refused(stored: Path) -> None:
    data = bytearray(stored.read_bytes())
    data[len(data) // 2] ^= 1
    stored.write_bytes(data)
    with pytest.raises(PackageError):
        load_quantised(stored)


def test_edited_array_is_refused(stored: Path, model: QuantisedModel) -> None:
    position = model.position.copy()
    position[1, 2] += 1
    rewrite(stored, position=position)
    with pytest.raises(DigestMismatchError, match="edited"):
        load_quantised(stored)


def test_other_configuration_is_refused(stored: Path) -> None:
    with pytest.raises(PackageError, match="expected other"):
        load_quantised(stored, micro("other"))


def test_array_of_another_type_is_refused(tmp_path: Path, model: QuantisedModel) -> None:
    wide = model.__class__(**{**model.__dict__, "position": model.position.astype(np.int32)})
    path = save_quantised(tmp_path / "wide.npz", wide)
    with pytest.raises(PackageError, match="position is int32"):
        load_quantised(path)


def test_plain_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.npz"
    path.write_text("not a model")
    with pytest.raises(PackageError, match=r"text\.npz"):
        load_quantised(path)


def test_failed_write_leaves_the_old_file(stored: Path, model: QuantisedModel) -> None:
    with pytest.raises(WriteError):
        save_quantised(stored / "inside-a-file.npz", model)
    load_quantised(stored)
