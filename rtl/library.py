"""Verilog of a component; blocks that repeat are converted once and instantiated.

Amaranth writes every elaborated instance as a module of its own: a group of 16 columns would be
16 equal modules.  :func:`shared` makes an ``Instance`` instead and notes the block for
:func:`convert`, which adds its text once.
"""

import re
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import verilog
from amaranth.hdl import ClockSignal, Instance, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib.wiring import Component

from m3vit.hw.errors import ConfigurationError
from m3vit.rtl.emission import quick_memories

PRIMITIVES = Path(__file__).with_name("dsp48e2.v")
"""Behavioural model of the vendor primitives that blocks instantiate, for simulation only."""

_ZEROS = re.compile(r"  initial begin\n(?:    \w+\[\d+\] = \d+'[dh]0+;\n)+  end\n")
"""Memories without contents: thousands of lines, and ultra RAM takes no initial values."""

_REPEATED = re.compile(r"(?<=[{,] )([^,{}\n]+)(?:, \1){2,}(?=,| \})")
"""One bit repeated inside a concatenation: a sign extension."""

_noted: ContextVar[dict[str, Component] | None] = ContextVar("noted", default=None)


@dataclass(frozen=True, kw_only=True)
class Design:
    """Verilog modules by name; vendor primitives are left as black boxes."""

    top: str
    modules: Mapping[str, str]

    @property
    def text(self) -> str:
        """All modules in one file, the top last."""
        return "\n".join(self.modules.values())


def shared(component: Component, **connections: Value) -> Instance:
    """An instance of ``component``'s module, which :func:`convert` writes once.

    The component has flat ports, a clock, and an attribute ``module_name`` that names class and
    parameters.  Every port is connected by its name.

    Raises:
        ConfigurationError: a port is missing or unknown, or no conversion is running.
    """
    noted = _noted.get()
    name = component.module_name
    if noted is None:
        raise ConfigurationError(f"{name}: shared blocks exist only inside library.convert()")
    members = component.signature.members
    if set(connections) != set(members):
        wrong = sorted(set(connections) ^ set(members))
        raise ConfigurationError(f"{name}: ports {wrong} are missing or unknown")
    noted.setdefault(name, component)
    component._MustUse__silence = True  # the module may come from an equal block noted before
    ports = {
        ("i_" if members[port].flow.name == "In" else "o_") + port: value
        for port, value in connections.items()
    }
    return Instance(name, i_clk=ClockSignal(), i_rst=ResetSignal(), **ports)


def convert(component: Component, name: str, models: bool = False) -> Design:
    """Reproducible Verilog of ``component`` as module ``name`` and of all it shares.

    Args:
        component: the top.
        name: its module's name.
        models: a shared block that has a ``model`` (Verilog of an equal module that simulates
            faster) is written as that.
    """
    done: dict[str, str] = {}
    pending: dict[str, Component] = {name: component}
    while pending:
        current = next(iter(pending))
        block = pending.pop(current)
        if models and current != name and hasattr(block, "model"):
            done[current] = block.model
            continue
        done[current], found = _convert_one(block, current)
        pending.update({key: each for key, each in found.items() if key not in done})
    return Design(top=name, modules=dict(reversed(done.items())))


def _convert_one(component: Component, name: str) -> tuple[str, dict[str, Component]]:
    found: dict[str, Component] = {}
    token = _noted.set(found)
    try:
        with quick_memories():
            text = verilog.convert(component, name=name, strip_internal_attrs=True, emit_src=False)
    finally:
        _noted.reset(token)
    return _REPEATED.sub(_replicated, _ZEROS.sub("", text)), found


def _replicated(match: re.Match[str]) -> str:
    """``x, x, x`` inside a concatenation as ``{3{x}}``: simulators treat it as one value."""
    item = match[1]
    times = (len(match[0]) + 2) // (len(item) + 2)
    return f"{{{times}{{{item}}}}}"


def lanes(vector: Value, width: int) -> list[Value]:
    """The fields of ``width`` bits that make up ``vector``, lane 0 lowest.

    Raises:
        ConfigurationError: the vector is no whole number of lanes.
    """
    if len(vector) % width:
        raise ConfigurationError(f"vector has {len(vector)} bits, expected a multiple of {width}")
    return [vector[start : start + width] for start in range(0, len(vector), width)]


def chosen(words: Sequence[Value], index: Value) -> Value:
    """``words[index]`` by multiplexers, lowest bit of ``index`` first.

    As hardware the same as ``Cat(*words).word_select``, which simulators shift in full width.

    Raises:
        ConfigurationError: the number of words is not that of the values of ``index``.
    """
    if len(words) != 1 << len(index):
        raise ConfigurationError(
            f"{len(words)} words cannot be chosen by {len(index)} bits, expected {1 << len(index)}"
        )
    level = list(words)
    for bit in index:
        pairs = zip(level[1::2], level[::2], strict=True)
        level = [Mux(bit, high, low) for high, low in pairs]
    return level[0]


def register(width: int, name: str) -> Signal:
    """A pipeline register without reset: shift registers stay mappable, reset nets short."""
    return Signal(width, name=name, reset_less=True)


def delayed(m: Module, value: Value, cycles: int, name: str) -> Value:
    """``value`` that many cycles later, without reset (a shift register)."""
    for stage in range(cycles):
        held = register(len(value), f"{name}_d{stage + 1}")
        m.d.sync += held.eq(value)
        value = held
    return value
