"""What the counters count: the machine's events of a cycle, by counter."""

from typing import Any

from amaranth.hdl import Const, Module, Signal, Value

from m3vit.hw.commands.fields import Op
from m3vit.rtl.command import header
from m3vit.rtl.waits import COUNTER, Cause


def events(m: Module, machine: Any) -> dict[str, Value]:
    """Event of every counter but CYCLES; ``machine`` has its units as attributes."""
    core, norm = machine.core, machine.norm
    cause = _cause(m, machine)
    return {
        **{name: cause == each for each, name in COUNTER.items()},
        "norm_busy": norm.playing,
        "norm_starved": norm.starved,
        "norm_blocked": norm.blocked,
        "combine_busy": core.adding,
        "combine_blocked": core.results_full,
        "gate_busy": machine.gate.busy,
        "fetch_blocked": core.ring_full,
        "fetch_starved": machine.slices.waiting,
        "read_beats": _beats(machine),
        "write_beats": machine.m0_axi_wvalid & machine.m0_axi_wready,
        "experts_loaded": _step(m, machine.fetch.loaded),
        "experts_dropped": _step(m, machine.fetch.dropped),
        "saturations": core.saturated,
    }


def _cause(m: Module, machine: Any) -> Signal:
    """The engine's cause; where it has no pass, what the sequencer is waiting for."""
    core, sequencer, dma = machine.core, machine.sequencer, machine.dma
    cause, deciding = Signal(Cause), Signal()
    op = header(sequencer.word)["op"]
    with m.If(sequencer.gate_start):
        m.d.sync += deciding.eq(1)
    with m.Elif(sequencer.list_valid):
        m.d.sync += deciding.eq(0)
    m.d.sync += cause.eq(core.cause)
    with m.If(core.cause == Cause.COMMAND):
        with m.If(dma.busy):
            m.d.sync += cause.eq(Cause.OPERAND)
        with m.Elif(deciding):
            m.d.sync += cause.eq(Cause.GATE)
        with m.Elif(op == Op.NORM):
            m.d.sync += cause.eq(Cause.NORM)
    return cause


def _beats(machine: Any) -> Value:
    """Of all read ports."""
    taken: Value = Const(0, 1)
    for number in range(machine.reads):
        valid, ready = (getattr(machine, f"m{number}_axi_r{name}") for name in ("valid", "ready"))
        taken = taken + (valid & ready)
    return taken


def _step(m: Module, number: Signal) -> Value:
    """A running number moves on."""
    before = Signal(len(number))
    m.d.sync += before.eq(number)
    return number != before
