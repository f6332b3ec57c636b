"""The machine's side of memory: ports, what reads and writes through them."""

from typing import Any

from amaranth.hdl import Module, Signal, Value

from m3vit.rtl.axi_read import AxiRead, read_ports
from m3vit.rtl.axi_write import AxiWrite, write_ports
from m3vit.rtl.library import shared
from m3vit.rtl.slices import PORT_BITS, Slices

READS = 4
"""Read ports: weights and rows of DMA in program order; before them the last carries commands."""


def connect_memory(m: Module, machine: Any) -> None:
    """Ports of ``machine``, which has its units and AXI signals as attributes."""
    _stream(m, machine)
    _write_port(m, machine)
    dma, sequencer = machine.dma, machine.sequencer
    m.d.comb += [
        dma.word.eq(sequencer.word),
        Value.cast(dma.bases).eq(Value.cast(machine.bases)),
        dma.start.eq(sequencer.dma_start),
        sequencer.dma_busy.eq(dma.busy),
        dma.half_tokens.eq(sequencer.half_tokens),
    ]


def _stream(m: Module, machine: Any) -> None:
    """Regions in program order; what arrives goes into the ring or to the DMA unit."""
    fetch, beats, rows = machine.fetch, machine.core.beats, machine.dma.beats
    m.submodules.slices = machine.slices = slices = Slices(READS)
    m.d.comb += [
        slices.valid.eq(fetch.valid),
        fetch.ready.eq(slices.ready),
        slices.address.eq(fetch.address),
        slices.words.eq(fetch.lines),
        slices.rows.eq(fetch.rows),
        slices.tag.eq(fetch.index),
        beats.valid.eq(slices.out.valid & ~slices.out_rows),
        beats.payload.eq(slices.out.payload),
        rows.valid.eq(slices.out.valid & slices.out_rows),
        rows.payload.eq(slices.out.payload),
        slices.out.ready.eq((beats.ready & ~slices.out_rows) | (rows.ready & slices.out_rows)),
    ]
    for number in range(READS):
        port = _read_port(m, machine, number)
        for name in ("valid", "address", "beats", "tag", "data_ready"):
            m.d.comb += port[name].eq(getattr(slices, f"{name}{number}"))
        for name in ("ready", "data_valid", "data"):
            m.d.comb += getattr(slices, f"{name}{number}").eq(port[name])
    _commands(m, machine, machine.ports[f"read{READS - 1}"])


def _read_port(m: Module, machine: Any, number: int) -> dict[str, Signal]:
    block = AxiRead(data_bits=PORT_BITS)
    ports = {
        name: Signal(member.shape, name=f"read{number}_{name}")
        for name, member in block.signature.members.items()
        if not name.startswith("m_axi")
    }
    outer = {
        name: getattr(machine, name.replace("m_axi", f"m{number}_axi"))
        for name in read_ports(PORT_BITS)
    }
    m.submodules[f"read{number}"] = shared(block, **ports, **outer)
    m.d.comb += ports["hold"].eq(machine.hold)
    machine.ports[f"read{number}"] = ports
    return ports


def _commands(m: Module, machine: Any, port: dict[str, Signal]) -> None:
    """The list is there before anything is fetched: the port changes hands once."""
    listed, slices, last = machine.list, machine.slices, READS - 1
    m.d.comb += [listed.ready.eq(port["ready"]), listed.data.eq(port["data"])]
    with m.If(listed.busy):
        m.d.comb += [
            port["valid"].eq(listed.valid),
            port["address"].eq(listed.address),
            port["beats"].eq(listed.beats),
            port["tag"].eq(machine.sequencer.index),
            port["data_ready"].eq(1),
            listed.data_valid.eq(port["data_valid"]),
            getattr(slices, f"ready{last}").eq(0),
            getattr(slices, f"data_valid{last}").eq(0),
        ]


def _write_port(m: Module, machine: Any) -> None:
    block, dma = AxiWrite(data_bits=PORT_BITS), machine.dma
    ports = {
        name: Signal(member.shape, name=f"write_{name}")
        for name, member in block.signature.members.items()
        if not name.startswith("m_axi")
    }
    outer = {
        name: getattr(machine, name.replace("m_axi", "m0_axi")) for name in write_ports(PORT_BITS)
    }
    m.submodules.write0 = shared(block, **ports, **outer)
    machine.ports["write"] = ports
    m.d.comb += [
        ports["valid"].eq(dma.write_valid),
        dma.write_ready.eq(ports["ready"]),
        ports["address"].eq(dma.write_address),
        ports["beats"].eq(dma.write_beats),
        ports["data_valid"].eq(dma.out.valid),
        dma.out.ready.eq(ports["data_ready"]),
        ports["data"].eq(dma.out.payload),
        dma.write_idle.eq(ports["idle"]),
        ports["hold"].eq(machine.hold),
    ]
