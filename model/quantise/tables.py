"""The report of `m3vit.model.quantise.report` as text."""

from collections.abc import Iterator, Sequence
from typing import Any

Record = dict[str, Any]


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        first, *rest = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join([row[0].ljust(widths[0]), *rest]) if first else ""


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _tasks(record: Record) -> Iterator[str]:
    rows = [["task", "metric", "float", "integer", "change"]]
    for name, one in record["tasks"].items():
        metric = f"{one['metric']} [{one['unit']}] {'down' if one['lower_is_better'] else 'up'}"
        numbers = [_number(one[key], ".4f") for key in ("float", "integer")]
        rows.append([name, metric, *numbers, _number(one["relative_change"], "+.2%")])
    return _table(rows)


def _routing(record: Record) -> Iterator[str]:
    rows = [["experts", "same set", "same pairs", "gap where other: mean", "max", "all: margin"]]
    for name, one in record["routing"].items():
        shares = [f"{one[key]:.2%}" for key in ("same_set", "same_pairs")]
        gaps = [one[key] for key in ("swapped_gap_mean", "swapped_gap_max", "margin_mean")]
        rows.append([name, *shares, *(f"{gap:.4f}" for gap in gaps)])
    return _table(rows)


def _residual(record: Record) -> Iterator[str]:
    rows = [["residual after", "routes fixed, dB", "free, dB"]]
    free = record["residual_db"]["free"]
    for name, value in record["residual_db"]["fixed"].items():
        rows.append([name, _number(value, ".1f"), _number(free[name], ".1f")])
    return _table(rows)


def _saturation(record: Record) -> Iterator[str]:
    rows = [["codes at a limit", "share"]]
    values = dict(record["saturation"])
    count = values.pop("residual_additions")
    rows += [[name, f"{share:.3%}"] for name, share in values.items()]
    rows.append(["residual additions", str(count)])
    return _table(rows)


def report_lines(record: Record) -> Iterator[str]:
    """Lines of four tables: metrics, routing, error after each block, saturation."""
    yield f"{record['model']} on {record['scenes']} unseen scenes, float against integer"
    yield from ("", *_tasks(record))
    if record["not_scored"]:
        yield f"scenes have no ground truth for {', '.join(record['not_scored'])}"
    if record["routing"]:
        yield from ("", *_routing(record))
    yield from ("", *_residual(record))
    yield from ("", *_saturation(record))
