"""What every notebook starts with: a package, and the device that the environment names."""

import os
from pathlib import Path

from m3vit.host.cache import folder_of
from m3vit.host.devices.device import Device
from m3vit.host.devices.table import open_device
from m3vit.host.images import read_image
from m3vit.hw.errors import ConfigurationError, PackageError
from m3vit.hw.formats import UInt8
from m3vit.hw.package import Package, read_package
from m3vit.hw.package_files import MANIFEST

DEVICE, PACKAGE, PHOTO = "M3VIT_DEVICE", "M3VIT_PACKAGE", "M3VIT_PHOTO"
"""Names of environment variables."""


def root() -> Path:
    """The folder that holds the project's parts."""
    return folder_of("m3vit.host").parent


def package_path() -> Path:
    """The package that the environment names, else what `make demo` left.

    Raises:
        PackageError: neither is there.
    """
    path = Path(os.environ.get(PACKAGE) or root() / "build" / "demo" / "package")
    if not (path / MANIFEST).is_file():
        raise PackageError(f"{path} is no package; run `make demo` first, or set {PACKAGE}")
    return path


def start(device: str | None = None) -> tuple[Package, Device]:
    """A package, and the open device called ``device``, by default what the environment says.

    Raises:
        PackageError: there is no package.
        ConfigurationError: there is no such device.
    """
    package = read_package(package_path())
    opened = open_device(device or os.environ.get(DEVICE, "reference"), package.machine)
    opened.load(package)
    return package, opened


def photo(package: Package) -> UInt8:
    """The photograph that the environment names, else the one that ships, else the sample."""
    if PHOTO in os.environ:
        return read_image(Path(os.environ[PHOTO]))
    try:
        return read_image(folder_of("m3vit.model") / "samples" / "coffee.jpg")
    except ConfigurationError:  # a board has no model folder
        image: UInt8 = package.golden()["image"]
        return image
