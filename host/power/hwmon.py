"""Power rails as Linux shows them: sysfs's hwmon folders (INA226, IRPS5401 and their like).

``pynq.get_rails()`` reads the same files through libsensors; here nothing but files is needed.
Units are the kernel's (Documentation/hwmon/sysfs-interface): microwatts, millivolts, milliamperes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from m3vit.hw.errors import DeviceError

ROOT = Path("/sys/class/hwmon")
_MICRO, _MILLI = 1e-6, 1e-3


@dataclass(frozen=True, kw_only=True)
class Rail:
    """One rail with a power reading."""

    name: str
    chip: str
    """Name of the driver's chip, such as ``ina226``."""
    label: str
    """Of the reading: ``power1``, ``pout2``."""
    power: Path | None
    """File of microwatts; None = voltage times current."""
    voltage: Path | None = None
    """File of millivolts."""
    current: Path | None = None
    """File of milliamperes."""

    def watts(self) -> float:
        """The power now.

        Raises:
            OSError: the chip did not answer.
            ValueError: it answered no number.
        """
        if self.power is not None:
            return _MICRO * int(self.power.read_text())
        assert self.voltage is not None and self.current is not None
        return _MILLI * int(self.voltage.read_text()) * _MILLI * int(self.current.read_text())


def find_rails(root: Path = ROOT) -> list[Rail]:
    """Every rail below ``root`` whose power can be read, by chip.

    Raises:
        DeviceError: there is none.
    """
    rails = [rail for folder in sorted(root.glob("hwmon*")) for rail in _rails_of(folder)]
    if not rails:
        raise DeviceError(
            f"{root} shows no power rail; run on a board whose kernel has its drivers"
        )
    return rails


def _rails_of(folder: Path) -> list[Rail]:
    chip = _text(folder / "name")
    if chip is None:
        return []
    # Two chips of one kind differ by their bus address.
    device = folder / "device"
    where = f"{chip} {device.resolve().name}" if device.exists() else f"{chip} {folder.name}"
    powers = sorted(folder.glob("power*_input"))
    if powers:
        return [_rail(where, chip, _label(path), power=path) for path in powers]
    # ina2xx counts the shunt's voltage as 0 and the bus's as 1.
    pairs = [(folder / f"in{n}_input", folder / f"curr{n}_input") for n in range(1, 9)]
    return [
        _rail(where, chip, _label(current), voltage=voltage, current=current)
        for voltage, current in pairs
        if voltage.exists() and current.exists()
    ]


def _rail(
    where: str,
    chip: str,
    label: str,
    *,
    power: Path | None = None,
    voltage: Path | None = None,
    current: Path | None = None,
) -> Rail:
    return Rail(
        name=f"{where} {label}",
        chip=chip,
        label=label,
        power=power,
        voltage=voltage,
        current=current,
    )


def _label(reading: Path) -> str:
    name = reading.name.removesuffix("_input")
    return _text(reading.with_name(f"{name}_label")) or name


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except OSError:
        return None


def whole_board(rails: Sequence[Rail]) -> list[Rail]:
    """Rails whose sum is the board's power, none of them counted twice.

    An INA chip measures a supply: on a ZCU104 the 12 V input, on a ZCU102 each of the chip's rails.
    Regulators report input and output both, so that only without an INA chip their outputs are
    summed.

    Raises:
        DeviceError: neither is there.
    """
    measured = [rail for rail in rails if rail.chip.startswith("ina")]
    made = [rail for rail in rails if rail.label.startswith("pout")]
    if not measured and not made:
        raise DeviceError(
            f"none of the rails {', '.join(rail.name for rail in rails)} is the board's input or a "
            "regulator's output; name those to sum with --rail"
        )
    return measured or made


def chosen_rails(rails: Sequence[Rail], names: Sequence[str]) -> list[Rail]:
    """The rails whose names hold one of ``names``, else :func:`whole_board`.

    Raises:
        DeviceError: a name fits no rail; the message lists all.
    """
    if not names:
        return whole_board(rails)
    for name in names:
        if not any(name in rail.name for rail in rails):
            raise DeviceError(
                f"no rail is called {name!r}; rails are {', '.join(r.name for r in rails)}"
            )
    return [rail for rail in rails if any(name in rail.name for name in names)]
