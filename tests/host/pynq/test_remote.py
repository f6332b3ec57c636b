"""From a PC over PYNQ.remote: the real client of pynq against a served board, driver on top."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from m3vit.host.devices.reference import ReferenceDevice
from m3vit.host.devices.table import open_device
from m3vit.host.pynq.opening import metadata
from m3vit.hw.errors import DeviceError
from m3vit.hw.golden.embedding import patches
from m3vit.hw.machine import machine_preset
from tests.host.conftest import Micro
from tests.support.fake_machine import FakePlatform
from tests.support.packages import MICRO
from tests.support.random_models import random_image

pytest.importorskip("pynq")
from tests.support.remote_board import Board, bit_file, serve  # noqa: E402

MINI = machine_preset("mini")
BASE = 0xA000_0000


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Board, int]]:
    """One board for all tests: pynq keeps the clocks of the first that it reached."""
    board = Board(FakePlatform(MINI), BASE)
    server, port = serve(board)
    yield board, port
    server.stop(None)


@pytest.fixture
def board(served: tuple[Board, int]) -> Board:
    served[0].platform = FakePlatform(MINI)
    served[0].buffers.clear()
    return served[0]


@pytest.fixture
def address(served: tuple[Board, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    from pynq.pl_server.remote_device import RemoteDevice

    monkeypatch.setattr(RemoteDevice, "gen_cache", lambda *_: None)  # a file in pynq's own folder
    monkeypatch.setenv("PYNQ_REMOTE_DEVICES", "")
    (tmp_path / "m3vit.bit").write_bytes(bit_file())
    (tmp_path / "m3vit.hwh").write_text(metadata(MINI))
    return f"remote:127.0.0.1:{served[1]},{tmp_path / 'm3vit.bit'}"


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_run_over_the_network_equals_the_reference(
    micro: Micro, board: Board, address: str
) -> None:
    package, reference = micro[1], ReferenceDevice(MINI)
    reference.load(package)
    with open_device(address, MINI) as device:
        assert "m3vit.bin" in "".join(board.files)
        device.load(package)
        for task in (0, 3):
            tiles = patches(random_image(MICRO, task), MICRO.patch)
            got = device.run(package, tiles, task, trace=True)
            expected = reference.run(package, tiles, task, trace=True)
            assert np.array_equal(got.result, expected.result)
            assert got.trace is not None and np.array_equal(got.trace, expected.trace)
    assert board.buffers == {} and board.platform.buffers == []


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_board_that_goes_is_told_and_closing_still_works(
    micro: Micro, board: Board, address: str
) -> None:
    with open_device(address, MINI) as device:
        device.load(micro[1])
        board.platform.gone = True
        with pytest.raises(DeviceError, match="the device has gone .* open it again"):
            device.run(micro[1], patches(random_image(MICRO, 0), MICRO.patch), 0)


def test_no_board_at_the_address_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "m3vit.bit").write_bytes(bit_file())
    (tmp_path / "m3vit.hwh").write_text(metadata(MINI))
    with pytest.raises(DeviceError, match="no PYNQ.remote server answers"):
        open_device(f"remote:127.0.0.1:1,{tmp_path / 'm3vit.bit'}", MINI)
