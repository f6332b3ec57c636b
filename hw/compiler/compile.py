"""From a quantised model to a package directory: limits, commands, checks, recorded sample."""

from pathlib import Path

from m3vit.hw.commands.check import check_program
from m3vit.hw.commands.order import in_token_order
from m3vit.hw.compiler.program import emit_program
from m3vit.hw.compiler.sample import Progress, procedural_image, record
from m3vit.hw.config import ModelConfig
from m3vit.hw.cost.limits import exceeded_limits
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.formats import UInt8
from m3vit.hw.machine import MachineConfig
from m3vit.hw.package import write_package
from m3vit.hw.package_check import windows_of
from m3vit.hw.quantised import QuantisedModel


def check_fits(config: ModelConfig, machine: MachineConfig) -> None:
    """Refuse a network that is too large for the machine.

    Raises:
        ConfigurationError: naming every limit exceeded, what is needed and what there is.
    """
    exceeded = exceeded_limits(config, machine)
    if exceeded:
        raise ConfigurationError(
            f"{config.name} does not fit machine {machine.name}: {'; '.join(exceeded)}; choose a "
            "larger machine, or a smaller model or image"
        )


def compile_model(
    model: QuantisedModel,
    machine: MachineConfig,
    path: Path,
    sample: UInt8 | None = None,
    progress: Progress | None = None,
    reorder: bool = True,
) -> str:
    """Write the package directory ``path`` and return its digest.

    Args:
        model: every integer of the network.
        machine: what the package is for; the order of its weights depends on it.
        path: directory to write, at once or not at all.
        sample: image uint8 [H, W, 3] whose layers are recorded; None = a procedural one.
        progress: called with each step's name.
        reorder: whether experts run one by one, each with all its tokens; else token by token.

    Raises:
        ConfigurationError: the model exceeds the machine, or the sample has another size.
        CommandError: a command cannot be encoded or lies outside the machine's limits.
        WriteError: the file system refused; an older package at ``path`` is untouched.
    """
    config = model.config
    check_fits(config, machine)
    program = emit_program(model, machine)
    if not reorder:
        program.commands = list(in_token_order(program.commands))
    windows = windows_of(config, len(program.memory.data), program.trace.size)
    check_program(program.commands, machine, windows)
    if sample is None:
        sample = procedural_image(config.image_height, config.image_width)
    golden = record(model, sample, progress)
    if progress:
        progress(f"writing {path}")
    return write_package(path, program, golden)
