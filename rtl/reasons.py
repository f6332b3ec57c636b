"""Why the machine stops: what its units report, as one error code and the command's index."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value

from m3vit.hw.error_codes import ErrorCode
from m3vit.rtl.checks import INDEX_BITS


def stop_reason(m: Module, machine: Any) -> tuple[Value, Value, Value]:
    """Whether there is a reason to stop, its error code, and the command that it belongs to.

    What memory refuses comes before what the checks refuse: they may have seen its garbage.
    ``machine`` has its units and ports as attributes.
    """
    checks = machine.checks
    failed: Value = checks.failed
    code: Value = checks.code
    index: Value = checks.index
    writes = machine.ports["write"]
    # Rows are written by one command at a time, which waits for all answers.
    sources = [(writes["error"], ErrorCode.WRITE_ERROR, machine.sequencer.index)]
    for number in range(machine.reads):
        port = machine.ports[f"read{number}"]
        sources.append((port["error"], ErrorCode.READ_ERROR, port["error_tag"]))
    # Commands come through the last port: the one that was on its way.
    reading, place = Signal(), Signal(INDEX_BITS)
    with m.If(~sources[-1][0]):
        m.d.sync += [reading.eq(machine.list.busy), place.eq(machine.list.place)]
    sources.append((sources[-1][0] & reading, ErrorCode.READ_ERROR, place))
    for error, its_code, its_index in sources:
        failed = failed | error
        code = Mux(error, its_code, code)
        index = Mux(error, its_index, index)
    return failed, code, index
