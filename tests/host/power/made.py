"""Made hwmon folders, as Linux shows a ZCU104's chips."""

from pathlib import Path


def chip(root: Path, number: int, name: str, bus: str, readings: dict[str, object]) -> Path:
    """One hwmon folder, its ``device`` a link to the I2C device as in sysfs."""
    device = root.parent / "devices" / bus
    device.mkdir(parents=True, exist_ok=True)
    folder = root / f"hwmon{number}"
    folder.mkdir(parents=True)
    (folder / "device").symlink_to(device)
    (folder / "name").write_text(f"{name}\n")
    for file, value in readings.items():
        (folder / file).write_text(f"{value}\n")
    return folder


def zcu104(root: Path) -> Path:
    """An INA226 on the 12 V input, two IRPS5401 regulators, and the chip's temperature."""
    ina = {"in0_input": 2, "in1_input": 12040, "curr1_input": 830, "power1_input": 9_993_000}
    chip(root, 0, "ina226", "3-0040", ina)
    for number, bus in ((1, "3-0043"), (2, "3-0044")):
        regulator = {
            "power1_input": 4_000_000,
            "power1_label": "pin",
            "power2_input": 1_500_000,
            "power2_label": "pout1",
            "power3_input": 250_000,
            "power3_label": "pout2",
        }
        chip(root, number, "irps5401", bus, regulator)
    chip(root, 3, "ams", "ams", {"temp1_input": 41000})
    return root
