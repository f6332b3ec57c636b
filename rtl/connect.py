"""Wires between ports."""

from typing import Any

from amaranth.hdl import Module, Value


def connect(m: Module, source: Any, sink: Any) -> None:
    """A stream from ``source`` to ``sink``, whichever way their ports are declared."""
    m.d.comb += [
        Value.cast(sink.payload).eq(Value.cast(source.payload)),
        sink.valid.eq(source.valid),
        source.ready.eq(sink.ready),
    ]
