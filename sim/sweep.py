"""Many simulations from one file: every combination of the listed settings, in parallel.

A sweep file has ``kind`` (``decode``, ``offload`` or ``dram``), a table ``fixed`` of settings that
never change and a table ``grid`` of lists.  Each case becomes one record in the output folder,
named by a digest of its settings, so that an interrupted sweep goes on where it stopped.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from m3vit.hw import files
from m3vit.hw.errors import ConfigurationError, M3vitError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Settings = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """The cases of a sweep, in the order of the file."""

    kind: str
    cases: tuple[dict[str, Any], ...]


def _decode(settings: Settings) -> dict[str, Any]:
    from m3vit.sim.system.presets import decode_record

    plain = {"machine": "duplex", "workload": "mixtral", "batch": 32, "context": 1024.0}
    chosen = _complete(settings, plain | {"devices": None, "prefill": 0})
    return decode_record(
        chosen["machine"],
        chosen["workload"],
        chosen["batch"],
        chosen["context"],
        chosen["devices"],
        chosen["prefill"],
    )


def _offload(settings: Settings) -> dict[str, Any]:
    from m3vit.sim.system.presets import offload_record
    from m3vit.sim.system.shapes import find_shape
    from m3vit.sim.system.workload import generated

    plain = {"machine": "zcu104", "workload": "m3vit-small", "policy": "m3vit"}
    sizes = {"slots": 2, "dense_us": None, "routing": "uniform", "passes": 4, "tokens": 197}
    chosen = _complete(settings, plain | sizes | {"tasks": 1, "seed": 1})
    shape = find_shape(chosen["workload"])
    steps = generated(
        chosen["routing"],
        passes=chosen["passes"],
        blocks=shape.moe_layers,
        experts=shape.experts,
        top_k=shape.top_k,
        tokens=chosen["tokens"],
        tasks=chosen["tasks"],
        seed=chosen["seed"],
    )
    slots, dense_us = chosen["slots"], chosen["dense_us"]
    dense_ns = None if dense_us is None else dense_us * 1000
    found = offload_record(chosen["machine"], shape.name, chosen["policy"], steps, slots, dense_ns)
    return found | {"routing": chosen["routing"]}


def _dram(settings: Settings) -> dict[str, Any]:
    from m3vit.sim.dram.channel import simulate
    from m3vit.sim.dram.load import load_memory
    from m3vit.sim.dram.options import Options
    from m3vit.sim.dram.record import record
    from m3vit.sim.dram.tracing import parse_source

    plain = {"memory": "ddr4-2400", "trace": "stream:1048576", "mapping": "RoBaRaCoCh"}
    more = {"scheduler": "frfcfs-rowhit", "page": "open", "refresh": "all-bank", "queue": 32}
    chosen = _complete(settings, plain | more)
    table = load_memory(chosen["memory"])
    options = Options(
        mapping=chosen["mapping"],
        scheduler=chosen["scheduler"],
        page=chosen["page"],
        refresh=chosen["refresh"],
        read_queue=chosen["queue"],
        write_queue=chosen["queue"],
    )
    trace = parse_source(chosen["trace"], table.access_bytes)
    return record(table, options, simulate(table, trace, options)) | {"trace": chosen["trace"]}


KINDS: Mapping[str, Callable[[Settings], dict[str, Any]]] = {
    "decode": _decode,
    "offload": _offload,
    "dram": _dram,
}


def _complete(settings: Settings, defaults: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(settings) - set(defaults))
    if unknown:
        raise ConfigurationError(
            f"unknown settings {', '.join(unknown)}; known are {', '.join(defaults)}"
        )
    return defaults | dict(settings)


def read_sweep(path: Path) -> Sweep:
    """Read a sweep file.

    Raises:
        ConfigurationError: missing or invalid file, unknown kind, or a grid that is no table of
            lists.
    """
    try:
        raw = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"sweep file {path} cannot be read: {error}") from error
    kind, fixed, grid = str(raw.get("kind")), raw.get("fixed", {}), raw.get("grid", {})
    if kind not in KINDS:
        raise ConfigurationError(f"unknown kind {kind!r}; known are {', '.join(KINDS)}")
    if not all(isinstance(values, list) and values for values in grid.values()):
        raise ConfigurationError(f"sweep file {path}: every entry of [grid] must be a list")
    cases = (fixed | dict(zip(grid, values, strict=True)) for values in product(*grid.values()))
    return Sweep(kind=kind, cases=tuple(cases))


def record_path(folder: Path, kind: str, settings: Settings) -> Path:
    """Where a case's record lies."""
    text = json.dumps([kind, dict(settings)], sort_keys=True)
    return folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"


def run_case(kind: str, settings: Settings, folder: Path) -> Path:
    """Simulate one case unless its record is there already; returns the record's path."""
    path = record_path(folder, kind, settings)
    if not path.exists():
        try:
            record = KINDS[kind](settings)
        except M3vitError as error:
            raise type(error)(f"case {json.dumps(dict(settings))}: {error}") from error
        except TypeError as error:
            raise ConfigurationError(f"case {json.dumps(dict(settings))}: {error}") from error
        files.write_json(path, {"kind": kind, "settings": dict(settings), "record": record})
    return path


def run_sweep(
    sweep: Sweep,
    folder: Path,
    *,
    workers: int = 1,
    backend: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[dict[str, Any]]:
    """Run what is missing through joblib and return all records in the order of the cases.

    ``backend`` is joblib's (``loky``, ``threading``, or ``dask`` and ``ray`` once connected);
    a cluster's workers are all used.
    """
    import joblib

    missing = [c for c in sweep.cases if not record_path(folder, sweep.kind, c).exists()]
    done = len(sweep.cases) - len(missing)
    progress(done, len(sweep.cases))
    everywhere = backend in ("dask", "ray")
    with joblib.parallel_config(backend=backend or "loky", n_jobs=-1 if everywhere else workers):
        jobs = [joblib.delayed(run_case)(sweep.kind, case, folder) for case in missing]
        for _ in _finished(jobs, backend):
            done += 1
            progress(done, len(sweep.cases))
    paths = (record_path(folder, sweep.kind, case) for case in sweep.cases)
    return [json.loads(path.read_text()) for path in paths]


_PORTION = 32
"""Cases handed over at once where a backend returns nothing before all are done."""


def _finished(jobs: Sequence[Any], backend: str | None) -> Iterator[Path]:
    """Paths as the cases end; Ray's backend gives no generator, hence portions."""
    import joblib

    if backend != "ray":
        yield from joblib.Parallel(return_as="generator_unordered")(jobs)
        return
    for first in range(0, len(jobs), _PORTION):
        yield from joblib.Parallel()(jobs[first : first + _PORTION])


def result_lines(cases: Sequence[Mapping[str, Any]]) -> str:
    """What a sweep gave as this project's result records, one a line (none of bare memories)."""
    from m3vit.sim.system.records import decode_line, offload_lines

    lines = []
    for case in cases:
        if case["kind"] == "decode":
            lines.append(decode_line(case["record"]))
        elif case["kind"] == "offload":
            lines += offload_lines(case["record"])
    return "".join(f"{line.to_json()}\n" for line in lines)
