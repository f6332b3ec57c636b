"""The devices ``pynq``, ``remote:ADDRESS`` and ``pynq-sim``: overlay, core, driver."""

import importlib
import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from m3vit.host.driver.accelerator import Accelerator
from m3vit.host.driver.device import AcceleratorDevice
from m3vit.host.driver.platform import Platform
from m3vit.host.driver.simulated import open_simulation
from m3vit.host.progress import say
from m3vit.hw.errors import ConfigurationError, DeviceError
from m3vit.hw.files import write_bytes, write_text
from m3vit.hw.machine import MachineConfig
from m3vit.hw.records import Evidence

BITSTREAM = "m3vit.bit"
VARIABLE = "M3VIT_BITSTREAM"
REMOTE = "PYNQ_REMOTE_DEVICES"
"""PYNQ.remote's own variable: addresses of boards, looked at when pynq is first imported."""

BOARD = "zcu104"
"""Whose block design the simulated overlay has."""


def bitstream_path(detail: str) -> Path:
    """The bitstream: ``detail``, else ``$M3VIT_BITSTREAM``, else here, else where deploy puts it.

    Raises:
        ConfigurationError: there is none, or its metadata (.hwh) is not beside it.
    """
    named = detail or os.environ.get(VARIABLE, "")
    places = (Path(BITSTREAM), Path.home() / "m3vit" / BITSTREAM)
    tried = [Path(named)] if named else list(places)
    for path in tried:
        if path.is_file():
            if not path.with_suffix(".hwh").is_file():
                raise ConfigurationError(
                    f"bitstream {path} has no metadata {path.with_suffix('.hwh').name} beside it; "
                    "`make bitstream` writes both, copy both"
                )
            return path.resolve()
    raise ConfigurationError(
        f"no bitstream at {', '.join(map(str, tried))}; `make bitstream` builds one, "
        f"`make deploy` copies it; name it as pynq:PATH or in ${VARIABLE}"
    )


def open_board(machine: MachineConfig, detail: str = "") -> AcceleratorDevice:
    """The device ``pynq`` or ``pynq:BITSTREAM``: run on the board itself.

    Raises:
        ConfigurationError: no bitstream.
        DeviceError: this is no board, or the overlay holds no core of ours.
    """
    path = bitstream_path(detail)
    from pynq.ps import ON_TARGET

    if not ON_TARGET:
        raise DeviceError(
            "device pynq: this computer is no board that runs PYNQ; from a PC use remote:ADDRESS, "
            "without a board rtl or pynq-sim"
        )
    return _opened(path, machine, "pynq", None)


def open_remote(machine: MachineConfig, detail: str = "") -> AcceleratorDevice:
    """The device ``remote:ADDRESS[:PORT][,BITSTREAM]``: a board that serves PYNQ.remote.

    Its interrupts are not carried: the status register is looked at.

    Raises:
        ConfigurationError: no address, no bitstream, or pynq was imported without its address.
        DeviceError: the board does not answer, or the overlay holds no core of ours.
    """
    address, _, named = detail.partition(",")
    if not address:
        raise ConfigurationError("device remote: expected remote:ADDRESS, the board's address")
    path = bitstream_path(named)
    os.environ[REMOTE] = address
    from pynq.pl_server.remote_device import PYNQ_PORT, RemoteDevice

    host, _, port = address.partition(":")
    try:
        device = RemoteDevice(ip_addr=host, port=int(port or PYNQ_PORT))
    except (RuntimeError, OSError) as error:
        raise DeviceError(
            f"remote:{address}: no PYNQ.remote server answers ({error}); boot the board with "
            "PYNQ.remote's image and check the address"
        ) from error
    return _opened(path, machine, f"remote:{address}", device)


def _opened(path: Path, machine: MachineConfig, name: str, device: Any) -> AcceleratorDevice:
    """Load the overlay on ``device``, or on this board, and drive its core."""
    import pynq

    from m3vit.host.pynq.loop import LoopThread
    from m3vit.host.pynq.platform import PynqPlatform

    loop = LoopThread() if device is None else None
    try:
        if loop is None:
            pynq.Device.active_device = device
            core = _core(path, lambda: pynq.Overlay(str(path), device=device))
        else:
            core = loop.call(lambda: _core(path, lambda: pynq.Overlay(str(path))))
    except BaseException:
        if loop is not None:
            loop.close()
        raise
    platform = PynqPlatform(core, name, Evidence.MEASURED, lock=f"{name} core", loop=loop)
    return AcceleratorDevice(Accelerator(platform, machine, say))


def _core(path: Path, load: Callable[[], Any]) -> Any:
    from m3vit.host.pynq.ip import VLNV, core_of

    core = core_of(load())
    if core is None:
        raise DeviceError(f"{path} holds no core {VLNV}; load the bitstream of `make bitstream`")
    return core


def open_simulated(machine: MachineConfig, detail: str = "") -> AcceleratorDevice:
    """The device ``pynq-sim``: PYNQ's classes over the RTL in simulation; options as of ``rtl``.

    Raises:
        ConfigurationError, DeviceError, ToolError: see ``m3vit.host.driver.simulated.open_rtl``.
    """
    carrier = open_simulation(machine, detail)
    try:
        platform = simulated_platform(carrier, metadata(machine))
    except BaseException:
        carrier.close()
        raise
    return AcceleratorDevice(Accelerator(platform, machine, say))


def metadata(machine: MachineConfig) -> str:
    """The .hwh text of ``machine`` on a ZCU104, from the description of its block design."""
    boards = "m3vit.boards"  # another part of the project, found when it is needed
    board = importlib.import_module(f"{boards}.board").load_board(BOARD)
    design = importlib.import_module(f"{boards}.system").system_design(board, machine)
    text: str = importlib.import_module(f"{boards}.hwh").hwh_text(design)
    return text


def simulated_core(carrier: Platform, hwh: str) -> Any:
    """Our core in an overlay with the metadata ``hwh`` on a device that ``carrier`` backs.

    Raises:
        DeviceError: the metadata holds no core of ours.
    """
    import pynq
    from pynqmetadata.frontends import Metadata
    from pynqmetadata.views.runtime import RuntimeMetadataParser

    from m3vit.host.pynq.ip import VLNV
    from m3vit.host.pynq.simulated_device import SimulatedDevice

    with tempfile.TemporaryDirectory(prefix="m3vit-pynq-") as folder:
        path = write_bytes(Path(folder) / BITSTREAM, b"")
        described = write_text(path.with_suffix(".hwh"), hwh)
        cores = RuntimeMetadataParser(Metadata(input=str(described))).ip_dict.values()
        bases = [entry["phys_addr"] for entry in cores if entry["type"] == VLNV]
        device = SimulatedDevice(carrier, bases[0] if bases else 0)
        pynq.Device.active_device = device
        with warnings.catch_warnings():  # of interrupts, which this computer has no files for
            warnings.simplefilter("ignore")
            return _core(path, lambda: pynq.Overlay(str(path), device=device, download=False))


def simulated_platform(carrier: Platform, hwh: str) -> Platform:
    """``carrier`` through Overlay, DefaultIP, MMIO and allocate of pynq.

    Raises:
        DeviceError: the metadata holds no core of ours.
    """
    from m3vit.host.pynq.platform import PynqPlatform

    core = simulated_core(carrier, hwh)
    return PynqPlatform(core, "pynq-sim", carrier.evidence, carrier=carrier)
