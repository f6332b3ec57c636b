from pathlib import Path

import pytest

from m3vit.boards.board import load_board
from m3vit.boards.hwh import hwh_text
from m3vit.boards.metadata import differences
from m3vit.boards.system import system_design
from m3vit.hw.errors import ToolError


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    board = load_board("zcu104")
    path = tmp_path / "m3vit.hwh"
    path.write_text(hwh_text(system_design(board, board.machine())))
    return path


def _changed(ours: Path, old: str, new: str) -> Path:
    text = ours.read_text()
    assert old in text
    path = ours.with_name("system.hwh")
    path.write_text(text.replace(old, new))
    return path


def test_equal_metadata_differ_in_nothing(ours: Path) -> None:
    assert differences(ours, ours) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("299.970000", "299.997009"),
        ('NAME="PSU__CRL_APB__PL1_REF_CTRL__DIVISOR0" VALUE="1"', 'NAME="X" VALUE="1"'),
        ("</PARAMETERS>", '<PARAMETER NAME="PSU__UART1" VALUE="1" /></PARAMETERS>'),
        ('VALUE="0x104"', 'VALUE="260"'),
    ],
)
def test_what_means_the_same_is_no_difference(ours: Path, old: str, new: str) -> None:
    assert differences(ours, _changed(ours, old, new)) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0xA0000000", "0xA0040000", "address m3vit/s_axi is 0xA0040000 to 0xA0000FFF"),
        ('VALUE="0x104"', 'VALUE="0x108"', "register STATUS is 0x108"),
        ('DIVISOR0" VALUE="5"', 'DIVISOR0" VALUE="4"', "PL0_REF_CTRL__DIVISOR0 is 4 in Vivado's"),
        ("299.970000", "333.300000", "ACT_FREQMHZ is 333.300000"),
        ('INSTANCE="m3vit" PORT="interrupt"', 'INSTANCE="x" PORT="y"', "interrupts/intr is x/y"),
    ],
)
def test_what_pynq_would_read_otherwise_is_named(
    ours: Path, old: str, new: str, message: str
) -> None:
    found = differences(ours, _changed(ours, old, new))
    assert len(found) == 1 and message in found[0]


def test_files_of_other_designs_are_refused(ours: Path, tmp_path: Path) -> None:
    for text, message in (("<EDKSYSTEM />", "no core m3vit"), ("x", "cannot be read")):
        path = tmp_path / "other.hwh"
        path.write_text(text)
        with pytest.raises(ToolError, match=message):
            differences(ours, path)
    with pytest.raises(ToolError, match="absent.hwh cannot be read"):
        differences(ours, tmp_path / "absent.hwh")
