"""Whether what answers on the bus is the machine that packages are compiled for."""

from m3vit.host.driver.register_file import RegisterFile
from m3vit.hw.errors import DeviceError, DigestMismatchError
from m3vit.hw.machine import CONTRACT_VERSION, MachineConfig
from m3vit.hw.registers import MAGIC, identity_values


def check_identity(registers: RegisterFile, machine: MachineConfig, name: str) -> None:
    """Refuse anything but ``machine``; called before anything is moved or started.

    Raises:
        DeviceError: no accelerator of ours answers.
        DigestMismatchError: it follows another contract, or is another machine.
    """
    magic = registers.read("MAGIC")
    if magic != MAGIC:
        raise DeviceError(
            f"{name}: the identity register reads {magic:#010x}, expected {MAGIC:#010x}; the "
            "device is off, or its bitstream is not this accelerator: load the right one"
        )
    contract = registers.read("CONTRACT")
    if contract != CONTRACT_VERSION:
        raise DigestMismatchError(
            f"{name}: the bitstream follows contract {contract}, this software {CONTRACT_VERSION}; "
            "build and load a bitstream of the same release"
        )
    digest = registers.read_pair("DIGEST")
    if digest != int(machine.digest[:16], 16):
        raise DigestMismatchError(
            f"{name}: the bitstream is a machine of digest {digest:016x} "
            f"({_differences(registers, machine)}), expected {machine.name} "
            f"({machine.digest[:16]}); load its bitstream, or compile the package for this machine"
        )


def _differences(registers: RegisterFile, machine: MachineConfig) -> str:
    """The identity registers that read otherwise."""
    other = [
        f"{name} {got:#x} instead of {value:#x}"
        for name, value in identity_values(machine).items()
        if not name.startswith("DIGEST") and (got := registers.read(name)) != value
    ]
    return ", ".join(other) or "equal in all that registers show"
