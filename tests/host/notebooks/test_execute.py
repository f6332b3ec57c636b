"""The notebooks run headless and show pictures; only the device's name differs."""

import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

from m3vit.host.cli import main
from m3vit.host.notebooks.convert import NAMES
from m3vit.host.notebooks.start import DEVICE, PACKAGE, PHOTO
from tests.host.conftest import Micro

PICTURES = {"quick_look": 2, "layer_by_layer": 2, "task_switching": 2, "side_by_side": 3}


@pytest.fixture
def environment(micro: Micro, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PACKAGE, str(micro[1].path))
    monkeypatch.setenv(PHOTO, str(photo))
    monkeypatch.delenv(DEVICE, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def _texts(path: Path) -> str:
    notebook = nbformat.read(path, as_version=4)
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", ())]
    plain = [out["text"] for out in outputs if out.output_type == "stream"]
    return "\n".join([*plain, *(out.get("data", {}).get("text/markdown", "") for out in outputs)])


def _check_pictures(folder: Path, name: str) -> None:
    paths = sorted(folder.glob(f"{name}.*.png"))
    assert len(paths) == PICTURES[name]
    for path in paths:
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("L"), np.float32)
        assert min(pixels.shape) > 150 and pixels.std() > 10  # not a blank sheet


TURNS = 8
"""Cycles by which runs may differ: four ports of the simulated memory take turns."""

SAYS = {
    "quick_look": ["micro: 9 tokens", "device {device}", "saliency"],
    "layer_by_layer": [
        "block 0 embed",
        "block 1 out",
        "OK",
        "block 1, layer out, token 2, channel 7: expected",
    ],
    "task_switching": ["segmentation: every repetition gave the same integers, in "],
    "side_by_side": ["here and now: {device}", "M³ViT, ZCU104"],
}


def _run(name: str, device: str, folder: Path) -> str:
    assert main(["notebooks", name, "--device", device, "--out", str(folder)]) == 0
    _check_pictures(folder, name)
    text = _texts(folder / f"{name}.ipynb")
    assert [part for part in SAYS[name] if part.format(device=device) not in text] == []
    return text


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("environment")
def test_on_the_reference(name: str, tmp_path: Path) -> None:
    text = _run(name, "reference", tmp_path)
    if name == "layer_by_layer":
        compared = [line for line in text.splitlines() if line.startswith("block")]
        assert all(line.endswith(" OK") for line in compared[:-1]) and len(compared) == 14


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("environment")
def test_on_the_rtl_in_simulation(name: str, tmp_path: Path) -> None:
    """Nothing but the device's name differs; the first run builds the simulator of machine mini."""
    text = _run(name, "rtl", tmp_path)
    if name == "task_switching":
        assert text.count("(counted by rtl)") == 10


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
def test_without_refresh_repetitions_are_equal_to_a_few_cycles(tmp_path: Path) -> None:
    # at the ports' full rate: the account of a slower memory depends on when the run began
    device = "rtl:refresh_every=0,rate=64"
    assert main(["notebooks", "task_switching", "--device", device, "--out", str(tmp_path)]) == 0
    text = _texts(tmp_path / "task_switching.ipynb")
    spans = re.findall(r"in (\d+) to (\d+) cycles; after the other task (\d+), after itself", text)
    assert len(spans) == 2
    assert all(int(high) - int(low) <= TURNS for low, high, _ in spans)


@pytest.mark.usefixtures("environment")
def test_an_error_in_a_cell_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["notebooks", "task_switching", "--device", "abacus", "--out", str(tmp_path)]
    assert main(arguments) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("m3vit notebooks: notebook task_switching failed: ConfigurationError")
    assert "unknown device 'abacus'" in line and list(tmp_path.iterdir()) == []


def test_without_a_package_it_says_how_to_make_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PACKAGE, str(tmp_path))
    assert main(["notebooks", "--out", str(tmp_path / "out")]) == 2
    assert "run `make demo` first, or set M3VIT_PACKAGE" in capsys.readouterr().err
