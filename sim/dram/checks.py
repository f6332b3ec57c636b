"""What a memory table must satisfy before it is simulated: names, sizes, peak, possible timing."""

from dataclasses import fields

from m3vit.hw.errors import ConfigurationError
from m3vit.sim.dram import commands
from m3vit.sim.dram.table import CONTROLLERS, LEVELS, MemoryTable, Rule

_PEAK_TOLERANCE = 0.01


def check(table: MemoryTable) -> None:
    """Check a table.

    Raises:
        ConfigurationError: what is wrong, with the numbers that contradict each other.
    """
    _check_names(table)
    _check_sizes(table)
    _check_peak(table)
    for rule in table.rules:
        _check_rule(table, rule)
    _check_refresh(table)


def _check_names(table: MemoryTable) -> None:
    if table.controller not in CONTROLLERS:
        known = ", ".join(CONTROLLERS)
        raise ConfigurationError(
            f"memory {table.name}: unknown controller {table.controller!r}; known are {known}"
        )
    for rule in table.rules:
        if rule.level not in LEVELS:
            raise ConfigurationError(
                f"memory {table.name}: unknown level {rule.level!r}; known are {', '.join(LEVELS)}"
            )
    for name in table.energy.command_nj:
        if name not in commands.BY_NAME:
            raise ConfigurationError(f"memory {table.name}: energy of unknown command {name!r}")


def _check_sizes(table: MemoryTable) -> None:
    size = table.organisation
    sizes = {item.name: getattr(size, item.name) for item in fields(size)} | {
        "rate_mtps": table.rate_mtps,
        "clock_ps": table.clock_ps,
        "ticks_per_clock": table.ticks_per_clock,
        "transfers_per_clock": table.transfers_per_clock,
        "bus_bits": table.bus_bits,
        "burst": table.burst,
    }
    for name, value in sizes.items():
        if not isinstance(value, int) or value <= 0:
            raise ConfigurationError(
                f"memory {table.name}: {name} must be a positive whole number, got {value!r}"
            )
    for name in ("ranks", "stacks", "groups", "banks", "rows", "columns"):
        if sizes[name] & (sizes[name] - 1):
            raise ConfigurationError(
                f"memory {table.name}: {name} must be a power of two for address mapping, "
                f"got {sizes[name]}"
            )


def _check_peak(table: MemoryTable) -> None:
    """Catch rates in MHz for MT/s: the peak and the clock both have to agree with the rate."""
    buses = table.organisation.ranks if table.controller.startswith("dual") else 1
    peak = table.rate_mtps * table.bus_bits / 8 * buses / 1000
    if abs(peak - table.peak_gbps) > _PEAK_TOLERANCE * table.peak_gbps:
        hint = "; is the rate given in MHz?" if peak < 0.7 * table.peak_gbps else ""
        raise ConfigurationError(
            f"memory {table.name}: {table.rate_mtps} MT/s x {table.bus_bits} bit x {buses} bus(es) "
            f"give {peak:.1f} GB/s, the table says {table.peak_gbps} GB/s{hint}"
        )
    clocked = table.transfers_per_clock * 1e6 / table.clock_ps
    if abs(clocked - table.rate_mtps) > _PEAK_TOLERANCE * table.rate_mtps:
        raise ConfigurationError(
            f"memory {table.name}: {table.transfers_per_clock} transfers per clock of "
            f"{table.clock_ps} ps are {clocked:.0f} MT/s, the table says {table.rate_mtps} MT/s "
            "(MT/s are transfers, MHz are clocks)"
        )


def _check_rule(table: MemoryTable, rule: Rule) -> None:
    where = f"memory {table.name}, rule {rule}"
    if rule.latency < 0:
        raise ConfigurationError(f"{where}: latency is {rule.latency} ticks, expected 0 or more")
    if not 1 <= rule.window <= 8:
        raise ConfigurationError(f"{where}: window is {rule.window}, expected 1 to 8")
    if rule.window > 1 and rule.level not in ("channel", "rank"):
        raise ConfigurationError(f"{where}: windows are counted per channel or rank only")
    if rule.window > 1 and rule.level == "channel" and table.organisation.ranks > 1:
        raise ConfigurationError(f"{where}: a window over several ranks is not supported")
    if rule.sibling and rule.level not in ("rank", "stack"):
        raise ConfigurationError(f"{where}: siblings are ranks or stacks only")
    inside = rule.level in ("stack", "group", "bank")
    if inside and any(i in commands.ALL_BANKS for i in rule.before):
        raise ConfigurationError(f"{where}: all-bank commands are ruled at rank or channel level")


def _check_refresh(table: MemoryTable) -> None:
    """Rules that can never be met: a refresh that is due again before it can be over."""
    for interval, length in (("nREFI", "nRFC"), ("nREFIpb", "nRREFD")):
        due, busy = table.ticks(interval), table.ticks(length)
        if due and busy >= due:
            raise ConfigurationError(
                f"memory {table.name}: {length} = {busy} ticks never ends before the next refresh "
                f"falls due ({interval} = {due} ticks); no request could ever be served"
            )
    for rule in table.rules:
        due = table.ticks("nREFI")
        if due and rule.latency >= due:
            raise ConfigurationError(
                f"memory {table.name}, rule {rule}: {rule.latency} ticks reach past the refresh "
                f"interval nREFI = {due}; the rule can never be met between two refreshes"
            )
    limit, gap = table.ticks("nAAD"), _gap(table, commands.ACT, commands.ACT2)
    if table.controller == "split-activate" and limit <= gap:
        raise ConfigurationError(
            f"memory {table.name}: the second activate must follow within nAAD = {limit} ticks, "
            f"but a rule keeps it away for {gap}; this can never be met"
        )


def _gap(table: MemoryTable, before: int, after: int) -> int:
    waits = (r.latency for r in table.rules if before in r.before and after in r.after)
    return max(waits, default=0)
