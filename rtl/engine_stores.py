"""The engine's stores: who reads and writes XN, QOH and RES, and the ports for other units."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Value
from amaranth.lib.wiring import In, Out

from m3vit.hw.machine import MachineConfig
from m3vit.rtl.activations import BANKS, MASK_BITS, WORD_BITS, row_bits
from m3vit.rtl.residual_store import WORD_BITS as RESIDUAL_WORD
from m3vit.rtl.residual_store import place_layout


def store_ports(machine: MachineConfig) -> dict[str, Any]:
    """Side readers of XN, QOH and RES, side writers of XN and RES."""
    row, place = row_bits(machine), place_layout(machine)
    side: dict[str, Any] = {}
    for store in ("xn", "qoh"):
        side |= {
            f"{store}_enable": In(1),
            f"{store}_ready": Out(1),
            f"{store}_bank": In(2),
            f"{store}_row0": In(row),
            f"{store}_row1": In(row),
            f"{store}_data0": Out(WORD_BITS),
            f"{store}_data1": Out(WORD_BITS),
        }
    return side | {
        "xn_write": In(1),
        "xn_write_ready": Out(1),
        "xn_write_bank": In(2),
        "xn_write_row": In(row),
        "xn_write_data": In(WORD_BITS),
        "xn_write_mask": In(MASK_BITS),
        "res_read": In(1),
        "res_read_ready": Out(1),
        "res_read_place": In(place),
        "res_data": Out(RESIDUAL_WORD),
        "res_write": In(1),
        "res_write_place": In(place),
        "res_write_data": In(RESIDUAL_WORD),
    }


def connect_stores(m: Module, engine: Any) -> None:
    """Everything between the units of ``engine`` and its stores."""
    for name in ("xn", "qoh"):
        store, operand = getattr(engine, f"_{name}"), engine._operand
        for port in ("enable", "bank", "row0", "row1"):
            m.d.comb += getattr(store, port).eq(getattr(operand, f"{name}_{port}"))
        for port in ("data0", "data1"):
            data = getattr(store, port)
            m.d.comb += getattr(operand, f"{name}_{port}").eq(data)
            m.d.comb += getattr(engine, f"{name}_{port}").eq(data)
    _side_readers(m, engine)
    _xn_writer(m, engine)
    retire, qoh = engine._retire, engine._qoh
    m.d.comb += retire.reading.eq(qoh.reading)
    for name in ("row", "data", "mask"):
        m.d.comb += getattr(qoh, f"write_{name}").eq(getattr(retire, f"write_{name}"))
    _residual(m, engine)


def _side_readers(m: Module, engine: Any) -> None:
    """The query loader goes before other readers of QOH."""
    query, qoh, xn = engine._query, engine._qoh, engine._xn
    m.d.comb += xn.side_enable.eq(engine.xn_enable)
    m.d.comb += engine.xn_ready.eq(xn.side_ready)
    for name in ("bank", "row0", "row1"):
        own, other = getattr(query, f"read_{name}"), getattr(engine, f"qoh_{name}")
        m.d.comb += getattr(xn, f"side_{name}").eq(getattr(engine, f"xn_{name}"))
        m.d.comb += getattr(qoh, f"side_{name}").eq(Mux(query.read_enable, own, other))
    m.d.comb += [
        qoh.side_enable.eq(query.read_enable | engine.qoh_enable),
        query.read_ready.eq(qoh.side_ready),
        engine.qoh_ready.eq(qoh.side_ready & ~query.read_enable),
        query.data0.eq(qoh.data0),
        query.data1.eq(qoh.data1),
    ]


def _xn_writer(m: Module, engine: Any) -> None:
    """One bank a cycle."""
    xn, bank = engine._xn, engine.xn_write_bank
    masks = [
        Mux(engine.xn_write & (bank == index), engine.xn_write_mask, Const(0, MASK_BITS))
        for index in range(BANKS)
    ]
    m.d.comb += [
        engine.xn_write_ready.eq(~xn.reading.bit_select(bank, 1)),
        xn.write_mask.eq(Cat(*masks)),
        xn.write_row.eq(engine.xn_write_row.replicate(BANKS)),
        xn.write_data.eq(engine.xn_write_data.replicate(BANKS)),
    ]


def _residual(m: Module, engine: Any) -> None:
    retire, residual = engine._retire, engine._residual
    for member in range(2):
        for name in (f"read{member}", f"write{member}", f"write{member}_data"):
            m.d.comb += getattr(residual, name).eq(getattr(retire, name))
        for name in (f"read{member}_place", f"write{member}_place"):
            sink, source = getattr(residual, name), getattr(retire, name)
            m.d.comb += Value.cast(sink).eq(Value.cast(source))
        m.d.comb += getattr(retire, f"data{member}").eq(getattr(residual, f"data{member}"))
    m.d.comb += [
        residual.side_read.eq(engine.res_read),
        Value.cast(residual.side_read_place).eq(Value.cast(engine.res_read_place)),
        engine.res_read_ready.eq(residual.side_read_ready),
        engine.res_data.eq(residual.side_data),
        residual.side_write.eq(engine.res_write),
        Value.cast(residual.side_write_place).eq(Value.cast(engine.res_write_place)),
        residual.side_write_data.eq(engine.res_write_data),
    ]
