"""The command ``m3vit``: one verb, one module, imported only when it is asked for.

A verb's module has ``configure(parser)`` and ``run(args) -> int``.  Verbs live beside what they
drive (``m3vit.model.verbs.train``, ``m3vit.hw.verbs.compile``, ...) and are named here as strings,
so that a missing optional dependency breaks only its own verb.
"""

import argparse
import contextlib
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NoReturn

from m3vit.hw.errors import ConfigurationError, M3vitError

VERBS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "doctor": ("m3vit.host.verbs.doctor", "tools and versions, what each absence disables"),
        "demo": ("m3vit.host.verbs.demo", "a photo and a scene, every task as a picture"),
        "presets": ("m3vit.hw.verbs.presets", "list models, machines and boards"),
        "train": ("m3vit.model.verbs.train", "train a network on rendered scenes or a data set"),
        "evaluate": ("m3vit.model.verbs.evaluate", "metrics of a checkpoint on unseen scenes"),
        "scene": ("m3vit.model.verbs.scene", "a rendered scene with its ground truth, as files"),
        "score": ("m3vit.model.verbs.score", "metrics of predictions against ground truth"),
        "quantize": ("m3vit.model.verbs.quantize", "checkpoint to integers, with the loss shown"),
        "compile": ("m3vit.hw.verbs.compile", "integers to a package: commands, weights, digest"),
        "disasm": ("m3vit.hw.verbs.disasm", "a package's commands as text"),
        "estimate": ("m3vit.boards.verbs.estimate", "cycles, bytes and size without weights"),
        "bitstream": ("m3vit.boards.verbs.bitstream", "a board's Vivado project and bitstream"),
        "deploy": ("m3vit.boards.verbs.deploy", "bitstream, driver and notebooks to a board"),
        "run": ("m3vit.host.verbs.run", "images to predictions on a device"),
        "validate": ("m3vit.host.verbs.validate", "a folder of images, OK or NOK against golden"),
        "power": ("m3vit.host.verbs.power", "a board's rails while it runs, energy an image"),
        "verify": ("m3vit.host.verbs.verify", "a device against the reference, layer by layer"),
        "reordering": ("m3vit.host.verbs.reordering", "experts reordered against token by token"),
        "notebooks": (
            "m3vit.host.verbs.notebooks",
            "run the notebooks headless, pictures as files",
        ),
        "compare": ("m3vit.host.verbs.compare", "one table of all machines, with evidence"),
        "hls": ("m3vit.hls.verbs.hls", "layers as Vitis HLS kernels: C simulation, reports"),
        "registers": ("m3vit.hw.verbs.registers", "the register table as text, JSON or C"),
        "rtl": ("m3vit.rtl.verbs.rtl", "the accelerator's Verilog for a machine"),
        "simulate": ("m3vit.sim.verbs.simulate", "experts on near-memory and loading machines"),
        "sweep": ("m3vit.sim.verbs.sweep", "many simulations from one file, resumable"),
        "dram": ("m3vit.sim.verbs.dram", "a memory trace through simulated DRAM channels"),
        "bench": ("m3vit.model.verbs.bench", "speed as ratios to PyTorch in the same run"),
    }
)


def _usage() -> str:
    width = max(map(len, VERBS))
    lines = [f"  {name:{width}}  {text}" for name, (_, text) in VERBS.items()]
    return "\n".join(["usage: m3vit [--debug] VERB ...", "", *lines, "", "m3vit VERB --help"])


class _Parser(argparse.ArgumentParser):
    """Errors of arguments are one line like all others."""

    def error(self, message: str) -> NoReturn:
        raise ConfigurationError(f"{message}; see `{self.prog} --help`")


def _parser(verb: str, text: str) -> argparse.ArgumentParser:
    parser = _Parser(prog=f"m3vit {verb}", description=text)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def _run_verb(verb: str, rest: Sequence[str]) -> int:
    module_name, text = VERBS[verb]
    module = importlib.import_module(module_name)
    parser = _parser(verb, text)
    module.configure(parser)
    code = int(module.run(parser.parse_args(rest)))
    sys.stdout.flush()  # a full disk behind standard output shows here, not at exit
    return code


def _explain(error: Exception) -> str | None:
    """One line for an error that is the user's to resolve, None for a fault of ours."""
    if isinstance(error, M3vitError):
        return str(error)
    if isinstance(error, ModuleNotFoundError) and not (error.name or "m3vit").startswith("m3vit"):
        return (
            f"the Python package {error.name!r} is not installed; run `make install`, or "
            "`m3vit doctor` to see what is missing"
        )
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}"
    return None


def _drop_output() -> None:
    """Nobody reads standard output any more, or its disk is full: do not fail again at exit."""
    with contextlib.suppress(OSError, ValueError):
        target = sys.stdout.fileno()
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), target)


def _guarded(verb: str, rest: Sequence[str], debug: bool) -> int:
    try:
        return _run_verb(verb, rest)
    except BrokenPipeError:
        _drop_output()
        return 2
    except KeyboardInterrupt:
        print(f"m3vit {verb}: interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        line = _explain(error)
        if debug or line is None:
            raise
        if isinstance(error, OSError):
            _drop_output()
        print(f"m3vit {verb}: {line}", file=sys.stderr)
        return 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code (2 for errors that are the user's to resolve)."""
    rest = list(sys.argv[1:] if arguments is None else arguments)
    debug = bool(rest and rest[0] == "--debug")
    rest = rest[1:] if debug else rest
    if not rest or rest[0] in ("-h", "--help", "help"):
        print(_usage())
        return 0 if rest else 2
    if rest[0] not in VERBS:
        print(f"m3vit: unknown verb {rest[0]!r}; verbs are {', '.join(VERBS)}", file=sys.stderr)
        return 2
    return _guarded(rest[0], rest[1:], debug or "--debug" in rest)


if __name__ == "__main__":
    sys.exit(main())
