"""Linear layers as commands: panels in memory and one GEMM each."""

from m3vit.hw.commands.fields import Flag, Op, Post, Store
from m3vit.hw.compiler.builder import Program
from m3vit.hw.layout.panels import natural_columns, pack
from m3vit.hw.layout.sizes import panel_bytes
from m3vit.hw.machine import MachineConfig
from m3vit.hw.quantised import Linear


def place_linear(program: Program, name: str, kind: str, layer: Linear) -> int:
    """Pack ``layer`` in natural order and return its address."""
    columns = natural_columns(program.machine, layer.bias.size)
    return program.memory.place(name, kind, pack(layer, columns, program.machine))


def panels_group(machine: MachineConfig, outputs: int, inner: int) -> int:
    """Panels that fit nine tenths of the ring, so that the next operator can already be fetched."""
    fitting = int(0.9 * machine.ring_bytes) // panel_bytes(machine, inner)
    return max(1, min(-(-outputs // machine.panel), fitting))


def emit_gemm(
    program: Program,
    layer: Linear,
    address: int,
    src: Store,
    block: int,
    flags: Flag,
    tokens: int,
    first_token: int,
) -> None:
    """A layer whose requantised sums are added to the residual from ``first_token`` on."""
    outputs, inner = layer.weight.shape
    program.emit(
        Op.GEMM,
        src=src,
        dst=Store.RES,
        flags=flags,
        block=block,
        tokens=tokens,
        weights=address,
        inner=inner,
        outputs=outputs,
        panels_group=panels_group(program.machine, outputs, inner),
        dst_channel=0,
        first_token=first_token,
        post=Post.RESIDUAL,
        head_dim=0,
        heads=0,
        shift=layer.shift,
        shift_key=0,
        shift_query=0,
    )
