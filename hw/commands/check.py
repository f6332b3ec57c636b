"""What a machine accepts: limits of sizes and address windows, checked before anything moves.

The fetch unit of the hardware makes the checks of one command as well; each failure has an error
code there and a sentence here.
"""

from collections.abc import Mapping, Sequence

from m3vit.hw.commands.extent import reads_of, writes_of
from m3vit.hw.commands.fields import HEADS_IN_FLIGHT, Base, Flag, Op, Post, Store
from m3vit.hw.commands.refused import refused
from m3vit.hw.commands.shapes import check_shapes
from m3vit.hw.commands.word import Command
from m3vit.hw.errors import CommandError
from m3vit.hw.formats import SHIFT_LIMIT
from m3vit.hw.machine import CONTRACT_VERSION, MachineConfig

Windows = Mapping[Base, int]
"""Bytes that may be touched from each base register; no TRACE entry = tracing is off."""

STORES: Mapping[Op, tuple[tuple[Store, ...], tuple[Store, ...]]] = {
    Op.CONFIG: ((Store.NONE,), (Store.NONE,)),
    Op.DMA: (
        (Store.NONE, Store.RES, Store.XN, Store.QOH, Store.PLAN),
        (Store.NONE, Store.RES, Store.XN),
    ),
    Op.NORM: ((Store.RES,), (Store.XN,)),
    Op.GEMM: ((Store.XN, Store.QOH), (Store.QOH, Store.RES, Store.KV)),
    Op.ATTN: ((Store.KV,), (Store.QOH,)),
    Op.GATE: ((Store.XN,), (Store.PLAN,)),
    Op.EXPERTS: ((Store.XN,), (Store.RES,)),
    Op.END: ((Store.NONE,), (Store.NONE,)),
}
"""Stores that each operation may read and write."""

_PAIRED = (Op.GEMM, Op.ATTN, Op.GATE, Op.EXPERTS)


def _limits(command: Command, machine: MachineConfig) -> dict[str, tuple[int, int]]:
    """Operand -> lowest and highest value."""
    widths = (16, machine.max_width)
    common = {"width": widths, "experts": (1, machine.max_experts)}
    return {
        Op.CONFIG: {
            "width": widths,
            "experts": (0, machine.max_experts),
            "top_k": (0, machine.max_top_k),
            "contract": (CONTRACT_VERSION, CONTRACT_VERSION),
            "heads": (1, machine.max_width // 16),
        },
        Op.DMA: {},
        Op.NORM: {"width": widths, "shift": (0, SHIFT_LIMIT)},
        Op.GEMM: {
            "shift": (1, SHIFT_LIMIT),
            "inner": (1, max(machine.max_width, 768)),
            "outputs": (1, machine.max_width),
            "post": (0, len(Post) - 1),
            "heads": (0, machine.groups),
        },
        Op.ATTN: {
            "heads": (1, machine.groups),
            "head_dim": (16, machine.max_width),
            **{f"gain_shift{i}": (0, 6) for i in range(HEADS_IN_FLIGHT)},
        },
        Op.GATE: {**common, "top_k": (1, machine.max_top_k)},
        Op.EXPERTS: {
            **common,
            "top_k": (1, machine.max_experts),
            "shift1": (1, SHIFT_LIMIT),
            "shift2": (1, SHIFT_LIMIT),
        },
        Op.END: {},
    }[command.op]


def check_command(command: Command, index: int, machine: MachineConfig, windows: Windows) -> None:
    """Check one command against the machine's limits and the address windows.

    Raises:
        CommandError: naming the command, the operand, the value and the limit.
    """
    sources, targets = STORES[command.op]
    if command.src not in sources or command.dst not in targets:
        route = f"{command.src.name}->{command.dst.name}"
        raise refused(index, command, "route", route, "stores that the operation connects")
    if command.tokens > machine.max_tokens:
        raise refused(index, command, "tokens", command.tokens, f"at most {machine.max_tokens}")
    for name, (low, high) in _limits(command, machine).items():
        if not low <= command[name] <= high:
            raise refused(index, command, name, command[name], f"{low} to {high}")
    if command.op in _PAIRED and not 1 <= command.pairs <= machine.accumulator_pairs:
        raise refused(index, command, "pairs", command.pairs, f"1 to {machine.accumulator_pairs}")
    _check_digest(command, index, machine)
    _check_capacity(command, index, machine)
    _check_windows(command, index, machine, windows)


def _check_digest(command: Command, index: int, machine: MachineConfig) -> None:
    if command.op is Op.CONFIG and command["digest"] != int(machine.digest[:16], 16):
        raise refused(index, command, "digest", f"{command['digest']:016x}", machine.digest[:16])


def _check_capacity(command: Command, index: int, machine: MachineConfig) -> None:
    """XN and QOH hold ``activation_bytes`` each; the residual has as many channels."""
    names = {Op.CONFIG: "width", Op.NORM: "width", Op.GEMM: "inner", Op.EXPERTS: "hidden"}
    width = names.get(command.op)
    if width is None:
        return
    bytes_needed = command.tokens * command[width]
    if bytes_needed > machine.activation_bytes:
        raise refused(
            index,
            command,
            f"tokens x {width}",
            bytes_needed,
            f"at most {machine.activation_bytes}, the activation store",
        )


def _check_windows(command: Command, index: int, machine: MachineConfig, windows: Windows) -> None:
    if is_traced(command) and Base.TRACE not in windows:
        return
    for extent in (*reads_of(command, machine), *writes_of(command)):
        limit = windows.get(extent.base, 0)
        if extent.end > limit:
            raise refused(
                index,
                command,
                f"address end in the {extent.base.name.lower()} window",
                extent.end,
                f"at most {limit}",
            )


def check_program(commands: Sequence[Command], machine: MachineConfig, windows: Windows) -> None:
    """Check a whole list: every command, CONFIG first, END last and only there, stores not left.

    Raises:
        CommandError: see :func:`check_command`.
    """
    if not commands or commands[0].op is not Op.CONFIG or commands[-1].op is not Op.END:
        raise CommandError("command list: expected CONFIG first and END last, recompile it")
    width = commands[0]["width"]
    for index, command in enumerate(commands):
        check_command(command, index, machine, windows)
        if index and command.op in (Op.CONFIG, Op.END) and index != len(commands) - 1:
            raise refused(index, command, "position", index, "CONFIG first and END last only")
        if "width" in command.operands and command["width"] != width:
            raise refused(index, command, "width", command["width"], f"{width} as in CONFIG")
        if command.tokens > commands[0].tokens:
            raise refused(index, command, "tokens", command.tokens, "at most CONFIG's tokens")
        check_shapes(command, index, commands[0], machine)


def is_traced(command: Command) -> bool:
    """Whether the command is skipped unless tracing is on."""
    return bool(command.flags & Flag.TRACE_ONLY)
