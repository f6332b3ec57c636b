"""Delayed copies of a record, made once and shared by everyone who needs the same age."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value

from m3vit.rtl.library import register


class Pipe:
    """``at(t)``: the record t cycles later, without reset (a reset must outlast the pipe)."""

    def __init__(self, m: Module, value: Any, layout: Any, name: str) -> None:
        self._m, self._layout, self._name = m, layout, name
        self._stages: list[Any] = [value]

    def at(self, cycles: int) -> Any:
        """A view of the delayed record."""
        while len(self._stages) <= cycles:
            raw = Value.cast(self._stages[-1])
            held = register(len(raw), f"{self._name}_{len(self._stages)}")
            self._m.d.sync += held.eq(raw)
            view: Any = Signal(self._layout, name=f"{self._name}_{len(self._stages)}_view")
            self._m.d.comb += Cat(Value.cast(view)).eq(held)
            self._stages.append(view)
        return self._stages[cycles]
