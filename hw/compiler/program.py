"""From the quantised model to commands and a memory image.

The list is the same for every image, task and routing: a data-dependent layer is the static pair
GATE, EXPERTS, and the task only offsets the gate's address.
"""

from collections.abc import Iterator

import numpy as np

from m3vit.hw.commands.fields import Base, Element, Flag, Op, Store
from m3vit.hw.compiler.attention import emit_attention
from m3vit.hw.compiler.builder import Program
from m3vit.hw.compiler.heads import place_head
from m3vit.hw.compiler.linear import emit_gemm, place_linear
from m3vit.hw.compiler.mlp import emit_mlp
from m3vit.hw.layout.tables import pack_layernorm
from m3vit.hw.machine import CONTRACT_VERSION, MachineConfig
from m3vit.hw.quantised import LayerNorm, QuantisedModel


def emit_program(model: QuantisedModel, machine: MachineConfig) -> Program:
    """Compile ``model`` for ``machine``; limits are checked by the caller."""
    program = Program(model=model, machine=machine)
    _emit_config(program)
    _emit_embedding(program)
    for number, block in enumerate(model.blocks):
        _emit_norm(program, block.norm1, number, 1)
        emit_attention(program, block.attention, number)
        program.dump("mid", Store.RES, number, Element.INT32, program.width)
        _emit_norm(program, block.norm2, number, 2)
        emit_mlp(program, block, number)
        program.dump("out", Store.RES, number, Element.INT32, program.width)
    _emit_result(program)
    for task, head in zip(model.config.tasks, model.heads, strict=True):
        program.heads.append(place_head(program.memory, task.name, head))
    return program


def _emit_config(program: Program) -> None:
    config = program.model.config
    program.emit(
        Op.CONFIG,
        contract=CONTRACT_VERSION,
        digest=int(program.machine.digest[:16], 16),
        width=config.width,
        heads=config.heads,
        experts=config.experts if config.moe_blocks else 0,
        top_k=config.top_k if config.moe_blocks else 0,
    )


def _emit_embedding(program: Program) -> None:
    model, width = program.model, program.width
    rows = np.ascontiguousarray(model.position, "<i2")
    address = program.memory.place("position", "position", rows.tobytes())
    program.emit(
        Op.DMA,
        dst=Store.RES,
        base=Base.PACKAGE,
        address=address,
        elements=width,
        stride=2 * width,
        element=Element.INT16,
        first_token=0,
        first_channel=0,
    )
    address = place_linear(program, "embedding", "dense", model.embedding)
    for start, count in _image_chunks(program):
        _emit_patches(program, address, start, count)
    program.dump("embed", Store.RES, 0, Element.INT32, width)


def _image_chunks(program: Program) -> Iterator[tuple[int, int]]:
    """First patch and number of patches, equal shares that fit XN."""
    patches = program.tokens - 1
    fitting = max(1, program.machine.activation_bytes // program.model.config.patch_elements)
    chunks = -(-patches // fitting)
    size = -(-patches // max(1, chunks))
    return ((start, min(size, patches - start)) for start in range(0, patches, size))


def _emit_patches(program: Program, weights: int, start: int, count: int) -> None:
    """Image rows into XN, then the embedding added to their tokens (the class token is first)."""
    elements = program.model.config.patch_elements
    program.emit(
        Op.DMA,
        dst=Store.XN,
        tokens=count,
        base=Base.IMAGE,
        address=start * elements,
        elements=elements,
        stride=elements,
        element=Element.INT8,
        first_token=0,
        first_channel=0,
    )
    flags = Flag.BLOCK_ORDER | Flag.ADD
    emit_gemm(program, program.model.embedding, weights, Store.XN, 0, flags, count, start + 1)


def _emit_norm(program: Program, norm: LayerNorm, block: int, which: int) -> None:
    data = pack_layernorm(norm)
    table = program.memory.place(f"blocks.{block}.norm{which}", "tables", data)
    program.emit(
        Op.NORM,
        src=Store.RES,
        dst=Store.XN,
        block=block,
        table=table,
        width=program.width,
        epsilon=norm.epsilon,
        shift=norm.shift,
    )
    program.dump(f"ln{which}", Store.XN, block, Element.INT8, program.width)


def _emit_result(program: Program) -> None:
    program.emit(
        Op.DMA,
        src=Store.RES,
        flags=Flag.WRITE,
        base=Base.RESULT,
        address=0,
        elements=program.width,
        stride=2 * program.width,
        element=Element.INT16,
        first_token=0,
        first_channel=0,
    )
    program.emit(Op.END, flags=Flag.INTERRUPT, tokens=0, status=0)
