"""Why the array idles: exactly one cause a cycle, so that busy cycles and waits add up."""

from amaranth.lib import enum


class Cause(enum.Enum, shape=4):
    """What the array did in a cycle; the counters of the same names have the words."""

    COMMAND = 0
    """Nothing to do, and no unit known to be behind it."""
    BUSY = 1
    WEIGHTS = 2
    REFILL = 3
    OPERAND = 4
    NORM = 5
    SOFTMAX = 6
    GATE = 7
    BLOCKED = 8


COUNTER = {
    cause: {"BUSY": "array_busy", "BLOCKED": "array_blocked"}.get(
        cause.name, f"array_wait_{cause.name.lower()}"
    )
    for cause in Cause.__members__.values()
}
"""Counter of each cause."""
