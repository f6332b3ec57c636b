from pathlib import Path

import pytest

from m3vit.boards.board import FOLDER, board_names, load_board
from m3vit.hw.cost.limits import exceeded_limits
from m3vit.hw.cost.resources import Resources, resources
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.machine import machine_preset
from m3vit.hw.presets import model_preset

GOOD = (FOLDER / "zcu104" / "board.toml").read_text()


@pytest.mark.parametrize("name", board_names())
def test_every_boards_own_machine_fits_it(name: str) -> None:
    board = load_board(name)
    machine = board.machine()
    assert board.name == name
    assert board.exceeded(resources(machine, has_uram=board.has_uram)) == {}
    assert exceeded_limits(model_preset("small-nyud"), machine) == ()


def test_the_zcu104_builds_the_preset_that_packages_are_compiled_for() -> None:
    assert load_board("zcu104").machine() == machine_preset("zcu104")


def test_a_chip_without_uram_does_not_hold_the_full_machine() -> None:
    board = load_board("zcu102")
    assert not board.has_uram
    full = board.machine("zcu104")
    assert full.ring_bytes > board.machine().ring_bytes
    assert board.exceeded(resources(full, has_uram=False)).keys() == {"bram36"}


def test_exceeded_names_what_is_missing() -> None:
    board = load_board("zcu104")
    assert board.exceeded(Resources(dsp=1729, uram=96)) == {"dsp": (1729, 1728)}


def test_unknown_boards_are_listed() -> None:
    with pytest.raises(ConfigurationError, match="boards are zcu102, zcu104"):
        load_board("vcu118")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dsp = 1728", "dsp = [", "not TOML"),
        ("dsp = 1728", "", r"\[resources\]: keys missing \['dsp'\]"),
        ("dsp = 1728", "dsp = 1728\ncores = 4", r"unknown \['cores'\]"),
        ("dsp = 1728", 'dsp = "many"', "dsp is 'many', expected a int"),
        ("dsp = 1728", "dsp = -1", "dsp is -1"),
        ("dsp = 1728", "dsp = true", "dsp is True"),
        ("[memory]", "[machine.memory]", r"no table \[memory\]"),
        ('title = "AMD ZCU104"', "title = 3", "title is 3"),
        ("clock_mhz = 300.0", "", r"missing \['clock_mhz'\]"),
    ],
)
def test_malformed_files_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "board.toml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ConfigurationError, match=message) as caught:
        load_board(str(path))
    assert str(path) in str(caught.value)


def test_files_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace('"zcu104"', '"mine"', 1).replace("300.0", "250", 1))
    assert load_board(str(path)).machine().clock_mhz == 250
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_board(str(tmp_path / "absent.toml"))


def test_overrides_of_unknown_fields_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD + "\n[machine.overrides]\nspeed = 3\n")
    with pytest.raises(ConfigurationError, match="speed"):
        load_board(str(path)).machine()
