"""The machine's stores between the core, LayerNorm and DMA."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Value


def connect_stores(m: Module, machine: Any) -> None:
    """Side ports of ``machine``'s core; LayerNorm and DMA never use a store together."""
    _residual(m, machine.core, machine.norm, machine.dma)
    _normalised(m, machine)
    for store in ("xn", "qoh"):
        _activations(m, machine.core, machine.dma, store)


def _residual(m: Module, core: Any, norm: Any, dma: Any) -> None:
    place = Value.cast(core.res_read_place)
    m.d.comb += [
        core.res_read.eq(norm.res_read | dma.res_read),
        place.eq(Mux(norm.res_read, Value.cast(norm.res_place), Cat(dma.bank, dma.row))),
        norm.res_ready.eq(core.res_read_ready),
        dma.res_ready.eq(core.res_read_ready & ~norm.res_read),
        norm.res_data.eq(core.res_data),
        dma.res_data.eq(core.res_data),
        core.res_write.eq(dma.res_write),
        Value.cast(core.res_write_place).eq(Cat(dma.in_bank, dma.in_row)),
        core.res_write_data.eq(dma.res_write_data),
    ]


def _normalised(m: Module, machine: Any) -> None:
    """XN's writer, behind LayerNorm or DMA."""
    core, norm, dma, writer = machine.core, machine.norm, machine.dma, machine.writer
    m.d.comb += [
        writer.start.eq(norm.start | dma.xn_start),
        writer.tokens.eq(Mux(dma.xn_start, dma.xn_tokens, norm.tokens)),
        writer.width16.eq(Mux(dma.xn_start, dma.xn_units, norm.width16)),
        writer.reserve.eq(norm.reserve),
        writer.y.eq(norm.y),
        writer.y_valid.eq(norm.y_valid),
        writer.word.eq(dma.xn_word),
        writer.word_valid.eq(dma.xn_valid),
        norm.room.eq(writer.room),
        dma.xn_room.eq(writer.room),
        norm.done.eq(writer.done & norm.busy),
        core.xn_write.eq(writer.xn_write),
        core.xn_write_bank.eq(writer.xn_bank),
        core.xn_write_row.eq(writer.xn_row),
        core.xn_write_data.eq(writer.xn_data),
        core.xn_write_mask.eq(0b1111),
        writer.xn_ready.eq(core.xn_write_ready),
        core.xn_tokens.eq(writer.finished),
        core.publish_clear.eq(norm.done | machine.start),
    ]


def _activations(m: Module, core: Any, dma: Any, store: str) -> None:
    """Readers of XN or QOH besides the array."""
    m.d.comb += [
        getattr(core, f"{store}_enable").eq(getattr(dma, f"{store}_read")),
        getattr(dma, f"{store}_ready").eq(getattr(core, f"{store}_ready")),
        getattr(dma, f"{store}_data").eq(getattr(core, f"{store}_data0")),
        getattr(core, f"{store}_bank").eq(dma.bank),
        getattr(core, f"{store}_row0").eq(dma.row),
        getattr(core, f"{store}_row1").eq(dma.row),
    ]
