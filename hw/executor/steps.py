"""Steps: a decoded command bound to the weights it streams, ready to change the state.

Binding happens once when a package is loaded; running a step touches only the state, so that any
number of images can follow each other.
"""

from collections.abc import Callable
from dataclasses import dataclass

from m3vit.hw.commands.word import Command
from m3vit.hw.executor.state import State
from m3vit.hw.machine import MachineConfig

Step = Callable[[State], None]


@dataclass(frozen=True, kw_only=True)
class Source:
    """What commands are bound against: the machine and the package's static memory."""

    machine: MachineConfig
    package: bytes

    def bytes_at(self, address: int) -> memoryview:
        """The package from ``address`` on."""
        return memoryview(self.package)[address:]


Binder = Callable[[Command, Source], Step]
