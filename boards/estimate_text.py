"""An estimate as text: where the cycles go, the bytes, the size against the board."""

from collections.abc import Sequence

from m3vit.boards.estimate import Estimate
from m3vit.hw.cost.assumptions import MODEL_LIMITS, Assumptions, rows_of
from m3vit.hw.cost.macs import head_macs
from m3vit.hw.cost.reordering import ReorderingComparison
from m3vit.hw.cost.report import PHASES
from m3vit.hw.cost.resources import Resources
from m3vit.hw.record_table import text_table

_LABELS = ("DSP", "BRAM36", "URAM", "LUT", "FF")


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    right = [False] + [True] * (len(header) - 1)
    return text_table([header, *rows], right)


def _phases(estimate: Estimate) -> str:
    report, parts = estimate.cycles, estimate.cycles.by_phase()
    rows = [
        [
            name,
            f"{parts[name].cycles / 1e3:.1f}",
            f"{parts[name].busy / 1e3:.1f}",
            f"{100 * parts[name].cycles / report.total:.2f}",
        ]
        for name in PHASES
        if name in parts
    ]
    total = ["total", f"{report.total / 1e3:.1f}", f"{report.busy / 1e3:.1f}", "100.00"]
    return _table(["phase", "k cycles", "array busy", "%"], [*rows, total])


def _shares(estimate: Estimate) -> str:
    total = estimate.cycles.total
    rows = [
        [name, f"{share * total / 1e3:.1f}", f"{100 * share:.2f}"]
        for name, share in estimate.shares().items()
        if abs(share) >= 5e-5
    ]
    return _table(["where the cycles go", "k cycles", "%"], rows)


def _bytes(estimate: Estimate) -> str:
    report = estimate.cycles
    rows = [[kind, f"{size / 1e6:.3f}"] for kind, size in report.dram_bytes.items() if size]
    share = report.utilisation()["dram"]
    rows.append(["total", f"{report.dram_total / 1e6:.3f}"])
    text = _table(["DRAM", "MB"], rows)
    return f"{text}\nDRAM carries data {100 * share:.0f} % of the time"


def _resources(estimate: Estimate) -> str:
    rows = []
    for label, need, have in zip(_LABELS, estimate.needed, estimate.board.resources, strict=True):
        share = f"{100 * need / have:.0f} %" if have else "-"
        rows.append([label, str(need), str(have), share, "" if need <= have else "EXCEEDED"])
    title = f"size on {estimate.board.part}"
    return _table([title, "needed", "present", "share", ""], rows)


def units_table(estimate: Estimate) -> str:
    """Every unit of the machine with the source of its figures."""
    rows = [
        [unit.unit, *(str(n) if n else "" for n in unit.count), unit.source]
        for unit in estimate.units
    ]
    right = [False, *[True] * len(Resources._fields), False]
    return text_table([["unit", *_LABELS, "source"], *rows], right)


def _verdict(estimate: Estimate) -> str:
    lines = [
        f"does not fit the board: {kind.upper()} {need} needed, {have} present"
        for kind, (need, have) in estimate.exceeded.items()
    ]
    lines += [
        f"does not fit the machine: {text}; cycles are as if it did" for text in estimate.limits
    ]
    return "\n".join(lines) or "fits"


def _headline(estimate: Estimate) -> str:
    report, machine = estimate.cycles, estimate.machine
    return (
        f"{report.total / 1e6:.4f} M cycles = {report.latency_ms:.3f} ms at {machine.clock_mhz:g} "
        f"MHz, {report.macs / 1e9:.3f} GMAC, MAC utilisation {100 * estimate.mac_utilisation:.1f} "
        f"% of the chip's {estimate.board.resources.dsp} DSPs "
        f"({100 * report.mac_utilisation(report.multipliers):.1f} % of the array's "
        f"{report.multipliers})"
    )


def _title(estimate: Estimate) -> str:
    config, machine = estimate.config, estimate.machine
    mixture = (
        f"{config.top_k} of {config.experts} experts of {config.expert_hidden}"
        if config.moe_blocks
        else "dense"
    )
    return (
        f"{config.name} ({config.tokens} tokens, {mixture}) on {estimate.board.title}, machine "
        f"{machine.name} {machine.groups}x{machine.rows}x{machine.columns}, DRAM "
        f"{machine.memory_gbytes_per_s:g} GB/s; encoder, one image; every figure is modelled"
    )


def _heads(estimate: Estimate) -> str:
    config = estimate.config
    task = max(config.tasks, key=lambda task: head_macs(config, task))
    direct, commuted = head_macs(config, task), head_macs(config, task, commuted=True)
    return (
        f"not included: the task head, on the host in contract version 1 ({task.name}: "
        f"{direct / 1e9:.2f} GMAC as published, {commuted / 1e9:.2f} commuted)"
    )


def reordering_text(comparison: ReorderingComparison) -> str:
    """Both ways of doing the experts, side by side."""
    ways = (comparison.reordered, comparison.token_by_token)
    rows = [
        ["experts fetched", *(str(way.fetches) for way in ways)],
        ["expert MB from DRAM", *(f"{way.dram_bytes / 1e6:.2f}" for way in ways)],
        ["all MB from DRAM", *(f"{way.total_dram_bytes / 1e6:.2f}" for way in ways)],
        ["k cycles in experts", *(f"{way.expert_cycles / 1e3:.1f}" for way in ways)],
        ["k cycles in all", *(f"{way.total_cycles / 1e3:.1f}" for way in ways)],
        ["KiB on chip for experts", *(f"{way.memory_bytes / 1024:.0f}" for way in ways)],
    ]
    return _table(["random routing", "expert by expert", "token by token"], rows)


def estimate_text(estimate: Estimate) -> str:
    """The whole page."""
    parts = [
        _title(estimate),
        _phases(estimate),
        _shares(estimate),
        _headline(estimate),
        _bytes(estimate),
        _resources(estimate),
    ]
    if estimate.reordering:
        parts.append(reordering_text(estimate.reordering))
    return "\n\n".join([*parts, f"{_heads(estimate)}\n{_verdict(estimate)}"])


def assumptions_text(assumptions: Assumptions) -> str:
    """The table of assumptions, and what the model leaves out."""
    rows = [[row.name, f"{row.value:g}", row.unit, row.source] for row in rows_of(assumptions)]
    table = text_table(
        [["assumption", "value", "unit", "source"], *rows], [False, True, False, False]
    )
    return "\n".join([table, "", "left out:", *(f"- {text}" for text in MODEL_LIMITS)])
