"""Whether a network fits a machine: every limit, in words, before anything is compiled."""

from m3vit.hw.config import ModelConfig
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.layout.sizes import panel_bytes
from m3vit.hw.machine import MachineConfig


def _needs(config: ModelConfig, machine: MachineConfig) -> dict[str, tuple[str, int, int]]:
    """Limit's name -> what needs it, in words, how much of it, and how much there is."""
    hidden = config.expert_hidden if config.moe_blocks else config.width
    widest = max(config.width, hidden, config.patch_elements)
    needs = {
        "max_tokens": ("tokens", config.tokens, machine.max_tokens),
        "max_width": ("width", config.width, machine.max_width),
        "activation_bytes": (
            f"tokens x max(width, expert hidden) = {config.tokens} x {max(config.width, hidden)}",
            config.tokens * max(config.width, hidden),
            machine.activation_bytes,
        ),
        "ring_bytes": (
            f"one panel of weights with {widest} inputs",
            panel_bytes(machine, widest),
            machine.ring_bytes,
        ),
    }
    if config.moe_blocks:
        needs["max_experts"] = ("experts", config.experts, machine.max_experts)
        needs["max_top_k"] = ("experts a token", config.top_k, machine.max_top_k)
    return needs


def check_fits(config: ModelConfig, machine: MachineConfig) -> None:
    """Refuse a network that exceeds the machine.

    Raises:
        ConfigurationError: naming the first limit exceeded, the need and what there is.
    """
    for limit, (what, need, room) in _needs(config, machine).items():
        if need > room:
            raise ConfigurationError(
                f"{config.name} does not fit machine {machine.name}: {what} needs {need}, "
                f"{limit} is {room}; choose a larger machine or a smaller model or image"
            )
