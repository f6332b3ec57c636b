"""Our core as PYNQ binds it: the class of ``overlay.m3vit``."""

from typing import Any

from pynq import DefaultIP

VLNV = "m3vit:m3vit:m3vit:1.0"
"""Vendor, library, name, version that the metadata (.hwh) gives the core."""

INTERRUPT = "interrupt"
"""Name of the core's interrupt pin."""


class AcceleratorIP(DefaultIP):
    """Registers by ``read`` and ``write``, named ones by ``register_map``; see ``pynq.DefaultIP``.

    PYNQ makes it for every core whose metadata has our VLNV.
    """

    bindto = [VLNV]

    @property
    def line(self) -> Any:
        """``pynq.Interrupt`` of the core, None where the device has none."""
        return getattr(self, INTERRUPT, None)


def core_of(overlay: Any) -> AcceleratorIP | None:
    """Our core in ``overlay``, None if it holds none."""
    for name, entry in overlay.ip_dict.items():
        if entry["type"] == VLNV:
            core: AcceleratorIP = getattr(overlay, name)
            return core
    return None
