"""Quick emission of memories without contents.

Amaranth writes a memory's first contents as one constant, bit by bit in Python: half of the
conversion's time goes into megabits of zeros.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amaranth.back import rtlil


@contextmanager
def quick_memories() -> Iterator[None]:
    """While this is open, a memory of zeros is written at once; the text stays the same."""
    emitter: Any = rtlil.ModuleEmitter
    slow = emitter.emit_memory

    def emit_memory(self: Any, index: int, cell: Any) -> None:
        if any(cell.init):
            slow(self, index, cell)
            return
        bits = cell.width * cell.depth
        self.builder.cell(
            "$meminit_v2",
            ports={
                "ADDR": self.sigspec(),
                "DATA": f"{bits}'{'0' * bits}",
                "EN": f"{cell.width}'{'1' * cell.width}",
            },
            parameters={
                "MEMID": self.memories[index].memid,
                "ABITS": 0,
                "WIDTH": cell.width,
                "WORDS": cell.depth,
                "PRIORITY": 0,
            },
            src_loc=cell.src_loc,
        )

    emitter.emit_memory = emit_memory
    try:
        yield
    finally:
        emitter.emit_memory = slow
