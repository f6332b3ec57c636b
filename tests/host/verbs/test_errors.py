"""Bad input of every kind: exit code 2, one line that names it, nothing half written."""

import io
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from m3vit.host.cli import main
from m3vit.hw.errors import M3vitError
from m3vit.hw.quantised_files import save_quantised
from m3vit.model.checkpoint import save_checkpoint
from m3vit.model.network import M3ViT
from tests.host.conftest import Micro
from tests.support.packages import MICRO

Case = Callable[[Path], tuple[list[object], str]]
"""Given a folder to spoil things in: the arguments, and what the line must contain."""


@pytest.fixture
def spoiled(tmp_path: Path, micro: Micro, photo: Path) -> Path:
    """A folder with a good package, quantised model, checkpoint and photograph."""
    shutil.copytree(micro[1].path, tmp_path / "package")
    shutil.copy(photo, tmp_path / "photo.png")
    save_quantised(tmp_path / "quantised.npz", micro[0])
    torch.manual_seed(0)
    save_checkpoint(tmp_path / "checkpoint.npz", MICRO, M3ViT(MICRO).state_dict())
    return tmp_path


def _run(folder: Path, *more: object) -> list[object]:
    return ["run", folder / "photo.png", "--package", folder / "package", *more]


def _quantize(folder: Path, *more: object) -> list[object]:
    source = ("--checkpoint", folder / "checkpoint.npz", "--eval-scenes", 0, "--images", 1)
    return ["quantize", *source, "--out", folder / "new.npz", *more]


def _change_checkpoint(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    state = M3ViT(MICRO).state_dict()
    change(state)
    save_checkpoint(folder / "checkpoint.npz", MICRO, state)


def unknown_task(folder: Path) -> tuple[list[object], str]:
    return _run(folder, "--task", "smell"), "unknown task 'smell'; micro has segmentation"


def unknown_device(folder: Path) -> tuple[list[object], str]:
    return _run(folder, "--device", "warp"), "unknown device 'warp'; devices are reference"


def unknown_machine(folder: Path) -> tuple[list[object], str]:
    return _run(folder, "--machine", "abacus"), "unknown machine 'abacus'; machines are"


def unknown_preset(folder: Path) -> tuple[list[object], str]:
    return _quantize(folder, "--preset", "enormous"), "unknown preset 'enormous'; presets are"


def unknown_preset_of_the_bench(folder: Path) -> tuple[list[object], str]:
    return ["bench", "--model", "enormous"], "unknown preset 'enormous'; presets are"


def unknown_verb(folder: Path) -> tuple[list[object], str]:
    return ["fly"], "unknown verb 'fly'; verbs are"


def unknown_option(folder: Path) -> tuple[list[object], str]:
    return _run(folder, "--colour", "blue"), "unrecognized arguments: --colour blue; see"


def missing_option(folder: Path) -> tuple[list[object], str]:
    return ["run", folder / "photo.png"], "required: --package; see `m3vit run --help`"


def image_that_is_none(folder: Path) -> tuple[list[object], str]:
    (folder / "photo.png").write_text("a poem")
    return _run(folder), "photo.png is no image"


def truncated_image(folder: Path) -> tuple[list[object], str]:
    data = (folder / "photo.png").read_bytes()
    (folder / "photo.png").write_bytes(data[: len(data) // 2])
    return _run(folder), "cannot read image"


def missing_image(folder: Path) -> tuple[list[object], str]:
    (folder / "photo.png").unlink()
    return _run(folder), "photo.png does not exist"


def second_image_that_is_none(folder: Path) -> tuple[list[object], str]:
    (folder / "poem.png").write_text("a poem")
    arguments = _run(folder, "--out", folder / "out")
    return [*arguments[:2], folder / "poem.png", *arguments[2:]], "poem.png is no image"


def missing_package(folder: Path) -> tuple[list[object], str]:
    shutil.rmtree(folder / "package")
    return _run(folder), "package is no package: manifest.json is missing"


def truncated_package(folder: Path) -> tuple[list[object], str]:
    weights = folder / "package" / "weights.bin"
    weights.write_bytes(weights.read_bytes()[:-64])
    return _run(folder), "weights.bin has"


def edited_weights(folder: Path) -> tuple[list[object], str]:
    weights = folder / "package" / "weights.bin"
    data = bytearray(weights.read_bytes())
    data[100] ^= 1
    weights.write_bytes(data)
    return _run(folder), "weights.bin does not match its digest"


def edited_manifest(folder: Path) -> tuple[list[object], str]:
    file = folder / "package" / "manifest.json"
    manifest = json.loads(file.read_text())
    manifest["residual_fraction"] += 1
    file.write_text(json.dumps(manifest))
    return _run(folder), "does not match the manifest, which was edited"


def package_for_another_machine(folder: Path) -> tuple[list[object], str]:
    return _run(folder, "--machine", "zcu104"), "was compiled for machine mini"


def package_that_is_none_for_disasm(folder: Path) -> tuple[list[object], str]:
    return ["disasm", folder], "is no package"


def nothing_to_disassemble(folder: Path) -> tuple[list[object], str]:
    return ["disasm"], "no package given"


def edited_quantised_model(folder: Path) -> tuple[list[object], str]:
    with np.load(folder / "quantised.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    arrays["position"] = arrays["position"] + np.int16(1)
    np.savez(folder / "quantised.npz", **arrays)
    return ["compile", folder / "quantised.npz", "--out", folder / "new"], "was edited"


def truncated_quantised_model(folder: Path) -> tuple[list[object], str]:
    data = (folder / "quantised.npz").read_bytes()
    (folder / "quantised.npz").write_bytes(data[: len(data) // 2])
    return ["compile", folder / "quantised.npz", "--out", folder / "new"], "quantised.npz"


def non_finite_weights(folder: Path) -> tuple[list[object], str]:
    _change_checkpoint(folder, lambda s: s["backbone.blocks.1.attn.proj.weight"].fill_(np.nan))
    return _quantize(folder), "backbone.blocks.1.attn.proj.weight"


def missing_key(folder: Path) -> tuple[list[object], str]:
    _change_checkpoint(folder, lambda state: state.pop("backbone.pos_embed"))
    return _quantize(folder), "backbone.pos_embed"


def misshapen_key(folder: Path) -> tuple[list[object], str]:
    _change_checkpoint(folder, lambda state: state.update({"backbone.pos_embed": torch.zeros(3)}))
    return _quantize(folder), "backbone.pos_embed"


def truncated_checkpoint(folder: Path) -> tuple[list[object], str]:
    data = (folder / "checkpoint.npz").read_bytes()
    (folder / "checkpoint.npz").write_bytes(data[: len(data) // 2])
    return _quantize(folder), "checkpoint.npz is truncated"


def checkpoint_of_another_preset(folder: Path) -> tuple[list[object], str]:
    return _quantize(folder, "--preset", "nano-scenes"), "holds micro, expected nano-scenes"


def ground_truth_for_two_images(folder: Path) -> tuple[list[object], str]:
    np.savez(folder / "truth.npz", depth=np.ones((50, 90), np.float32))
    arguments = _run(folder, "--truth", folder / "truth.npz")
    return [*arguments[:2], folder / "photo.png", *arguments[2:]], "goes with 1 image, got 2"


def ground_truth_of_another_size(folder: Path) -> tuple[list[object], str]:
    np.savez(folder / "truth.npz", depth=np.ones((5, 9), np.float32))
    return _run(folder, "--truth", folder / "truth.npz"), "expected [50, 90]"


def ground_truth_that_is_none(folder: Path) -> tuple[list[object], str]:
    (folder / "truth.npz").write_text("a poem")
    return _run(folder, "--truth", folder / "truth.npz"), "cannot read ground truth"


def arrays_without_a_folder(folder: Path) -> tuple[list[object], str]:
    return _run(folder, "--arrays"), "--arrays needs --out"


def file_where_the_folder_should_be(folder: Path) -> tuple[list[object], str]:
    return _run(folder, "--out", folder / "photo.png"), "cannot write to"


def demo_without_a_checkpoint(folder: Path) -> tuple[list[object], str]:
    places = ("--out", folder / "demo", "--cache", folder / "cache", "--photo")
    more = (*places, folder / "photo.png", "--checkpoint", folder / "gone.npz")
    return ["demo", *more], "gone.npz"


def scores_without_predictions(folder: Path) -> tuple[list[object], str]:
    np.savez(folder / "truth.npz", depth=np.ones((5, 9), np.float32))
    return ["score", folder / "quantised.npz", folder / "truth.npz"], "holds no predictions"


def negative_scene(folder: Path) -> tuple[list[object], str]:
    return ["scene", "--seed", -1, "--out", folder / "out"], "expected a seed of at least 0"


CASES: list[Case] = [
    case
    for name, case in list(globals().items())
    if callable(case)
    and getattr(case, "__module__", "") == __name__
    and not name.startswith(("_", "test"))
    and name != "spoiled"
]


def _contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_one_line_and_code_two(
    case: Case, spoiled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, text = case(spoiled)
    before = _contents(spoiled)
    assert main([str(argument) for argument in arguments]) == 2
    printed = capsys.readouterr()
    # Progress may come before the error; the error itself is the last line and says which verb.
    line = printed.err.splitlines()[-1]
    assert text in line and line.startswith("m3vit")
    assert "Traceback" not in printed.err and printed.out == ""
    assert _contents(spoiled) == before


@pytest.mark.parametrize("where", ["before", "behind"])
def test_debug_shows_the_traceback(where: str, spoiled: Path) -> None:
    arguments = [str(argument) for argument in unknown_task(spoiled)[0]]
    arguments = ["--debug", *arguments] if where == "before" else [*arguments, "--debug"]
    with pytest.raises(M3vitError, match="unknown task"):
        main(arguments)


def _full(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("verb", ["compile", "run", "trace", "scene", "quantize"])
def test_full_disk_leaves_nothing(
    verb: str,
    spoiled: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = {
        "compile": ["compile", spoiled / "quantised.npz", "--machine", "mini", "--out"],
        "run": _run(spoiled, "--out"),
        "trace": _run(spoiled, "--trace"),
        "scene": ["scene", "--seed", 1, "--out"],
        "quantize": [*_quantize(spoiled)[:-1]],
    }[verb]
    target = spoiled / ("new.npz" if verb in ("trace", "quantize") else "new")
    before = _contents(spoiled)
    monkeypatch.setattr(os, "fsync", _full)
    monkeypatch.setattr(Path, "write_bytes", _full)
    assert main([*map(str, arguments), str(target)]) == 2
    monkeypatch.undo()
    assert "No space left on device" in capsys.readouterr().err.splitlines()[-1]
    assert _contents(spoiled) == before


def test_full_disk_behind_standard_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = io.StringIO()
    stream.flush = _full  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdout", stream)
    assert main(["disasm", "--reference"]) == 2
    assert capsys.readouterr().err == "m3vit disasm: No space left on device\n"


def test_picture_of_the_first_image_survives_nothing(spoiled: Path) -> None:
    """All images are looked at before the first one runs."""
    assert main([*map(str, second_image_that_is_none(spoiled)[0])]) == 2
    assert not (spoiled / "out").exists()


def test_photograph_of_any_size_runs(spoiled: Path) -> None:
    Image.new("RGB", (1, 700)).save(spoiled / "photo.png")
    assert main([*map(str, _run(spoiled, "--task", "edges"))]) == 0
