"""The reference machine: executes a package's commands on a memory image, in golden integers.

It is the definition that RTL simulation and the board are compared with: the same commands, the
same bytes in, the same bytes out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from m3vit.hw.commands.check import check_program, is_traced
from m3vit.hw.commands.fields import Base, Op
from m3vit.hw.commands.word import Command
from m3vit.hw.errors import CommandError, M3vitError
from m3vit.hw.executor.dma import bind_dma
from m3vit.hw.executor.encoder import bind_attn, bind_experts, bind_gate, bind_gemm, bind_norm
from m3vit.hw.executor.state import State, initial_state
from m3vit.hw.executor.steps import Binder, Source, Step
from m3vit.hw.formats import UInt8
from m3vit.hw.machine import MachineConfig
from m3vit.hw.routing import RoutingPlan

Progress = Callable[[int, int], None]
"""Called with commands done and commands in all."""


_BINDERS: Mapping[Op, Binder] = {
    Op.DMA: bind_dma,
    Op.NORM: bind_norm,
    Op.GEMM: bind_gemm,
    Op.ATTN: bind_attn,
    Op.GATE: bind_gate,
    Op.EXPERTS: bind_experts,
}
"""CONFIG and END change no store."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run leaves besides the result in memory."""

    plans: dict[int, RoutingPlan]
    """Routing of every mixture block."""
    saturations: int
    """Residual additions that saturated."""
    commands: int
    """Commands executed."""


class Engine:
    """A loaded program; weights are unpacked once, runs leave nothing behind.

    Args:
        commands: the list, CONFIG first and END last.
        package: the static memory behind the package's base register.
        machine: what it was compiled for; commands outside its limits are refused.

    Raises:
        CommandError: a command is outside the machine's limits or the memory.
    """

    def __init__(
        self, commands: tuple[Command, ...], package: bytes, machine: MachineConfig
    ) -> None:
        # Buffers behind the other bases are sized by the commands and checked when a run starts.
        windows = {Base.PACKAGE: len(package), Base.IMAGE: 1 << 62, Base.RESULT: 1 << 62}
        check_program(commands, machine, windows)
        self._config = commands[0]
        self._commands = commands
        self._package = np.frombuffer(package, np.uint8)
        source = Source(machine=machine, package=package)
        self._steps = [
            _BINDERS[command.op](command, source) if command.op in _BINDERS else None
            for command in commands
        ]

    def run(
        self, memory: Mapping[Base, UInt8], task: int, progress: Progress | None = None
    ) -> Outcome:
        """Execute the list for ``task``; the result appears behind ``memory[Base.RESULT]``.

        Raises:
            CommandError: a buffer is too small, or a store is read before it is written.
        """
        state = self._start(memory, task)
        done = 0
        for index, (command, step) in enumerate(zip(self._commands, self._steps, strict=True)):
            if is_traced(command) and Base.TRACE not in memory:
                continue
            if step is not None:
                self._run_step(index, command, step, state)
            done += 1
            if progress is not None:
                progress(index + 1, len(self._commands))
        return Outcome(plans=state.plans, saturations=state.saturations, commands=done)

    def _start(self, memory: Mapping[Base, UInt8], task: int) -> State:
        if task < 0:
            raise CommandError(f"task is {task}, expected 0 or more")
        config = self._config
        return initial_state(
            {**memory, Base.PACKAGE: self._package}, task, config.tokens, config["width"]
        )

    @staticmethod
    def _run_step(index: int, command: Command, step: Step, state: State) -> None:
        try:
            step(state)
        except M3vitError as error:
            raise CommandError(f"command {index} ({command.op.name}): {error}") from error


def image_bytes(tiles: np.ndarray[tuple[int, ...], np.dtype[np.int8]]) -> UInt8:
    """Patches [T-1, 768] as they lie behind the image's base register."""
    return np.ascontiguousarray(tiles).view(np.uint8).reshape(-1)
