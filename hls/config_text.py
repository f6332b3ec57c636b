"""The configuration of a layer's kernel as C++: one struct of constants."""

from collections.abc import Mapping

from m3vit.hls.layer import HlsLayer, Kind, Parallelism

CHOICE_BITS = 32


def constants(layer: HlsLayer, parallelism: Parallelism) -> dict[str, int]:
    """Every constant that the templates read, see templates/layout.h."""
    machine, at = layer.machine, layer.addresses
    norm, mlp = layer.norm, layer.mlp
    return {
        "tokens": layer.tokens,
        "width": layer.width,
        "hidden": layer.hidden,
        "experts": layer.experts,
        "top_k": layer.top_k,
        "groups": machine.groups,
        "columns": machine.columns,
        "rows": machine.rows,
        "unroll": parallelism.unroll,
        "lanes": parallelism.lanes,
        "word_bytes": parallelism.word_bytes,
        "norm_shift": int(norm.shift) if norm else 0,
        "norm_epsilon": int(norm.epsilon) if norm else 0,
        "shift1": int(mlp.experts[0].fc1.shift) if mlp else 0,
        "shift2": int(mlp.experts[0].fc2.shift) if mlp else 0,
        "guard_bits": mlp.guard_bits if mlp else 0,
        "norm_at": at.norm,
        "gate_at": at.gate,
        "gate_stride": at.gate_stride,
        "gelu_at": at.gelu,
        "experts_at": at.experts,
        "expert_stride": at.expert_stride,
    }


def ports(layer: HlsLayer, parallelism: Parallelism) -> dict[str, int]:
    """Widths and depths of the kernel's own ports."""
    values, lanes = layer.tokens * layer.width, parallelism.lanes
    memory = -(-len(layer.memory) // parallelism.word_bytes)
    if layer.kind is Kind.GATE:
        words = {"input_bits": 8 * lanes, "output_bits": CHOICE_BITS}
        depths = {"input_words": values // lanes, "output_words": layer.tokens * layer.top_k}
    else:
        words = {"input_bits": 32 * lanes, "output_bits": 32 * lanes}
        depths = {"input_words": values // lanes, "output_words": values // lanes}
    return {**words, **depths, "memory_words": memory}


def struct(name: str, values: Mapping[str, int], identity: bool) -> str:
    """A C++ struct of static constants."""
    lines = [f"    static const unsigned {key} = {value}u;" for key, value in values.items()]
    flag = f"    static const bool identity = {str(identity).lower()};"
    return "\n".join([f"struct {name} {{", *lines, flag, "};", ""])


def header(layer: HlsLayer, parallelism: Parallelism) -> str:
    """config.h of a project.

    Raises:
        ConfigurationError: the templates cannot build the layer so.
    """
    parallelism.check(layer)
    values = {**constants(layer, parallelism), **ports(layer, parallelism)}
    body = struct("Config", values, identity=layer.kind is Kind.MLP)
    return "\n".join(
        [
            f"// {layer.name} for machine {layer.machine.name}; see layout.h for the meanings.",
            "#ifndef M3VIT_CONFIG_H_",
            "#define M3VIT_CONFIG_H_",
            "",
            f"#define M3VIT_TOP m3vit_{layer.kind.value}",
            "",
            body,
            "#endif",
            "",
        ]
    )
