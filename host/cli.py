"""The command ``m3vit``: one verb, one module, imported only when it is asked for.

A verb's module has ``configure(parser)`` and ``run(args) -> int``.  Verbs live beside what they
drive (``m3vit.model.verbs.train``, ``m3vit.hw.verbs.compile``, ...) and are named here as strings,
so that a missing optional dependency breaks only its own verb.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from m3vit.hw.errors import M3vitError

VERBS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "doctor": ("m3vit.host.verbs.doctor", "tools and versions, what each absence disables"),
        "demo": ("m3vit.host.verbs.demo", "a photo and a scene, every task as a picture"),
        "presets": ("m3vit.hw.verbs.presets", "list models, machines and boards"),
        "train": ("m3vit.model.verbs.train", "train a network on rendered scenes or a data set"),
        "evaluate": ("m3vit.model.verbs.evaluate", "metrics of a checkpoint on unseen scenes"),
        "quantize": ("m3vit.model.verbs.quantize", "checkpoint to integers, with the loss shown"),
        "compile": ("m3vit.hw.verbs.compile", "integers to a package: commands, weights, digest"),
        "disasm": ("m3vit.hw.verbs.disasm", "a package's commands as text"),
        "estimate": ("m3vit.boards.verbs.estimate", "cycles, bytes and size without weights"),
        "run": ("m3vit.host.verbs.run", "images to predictions on a device"),
        "registers": ("m3vit.hw.verbs.registers", "the register table as text, JSON or C"),
        "bench": ("m3vit.model.verbs.bench", "speed as ratios to PyTorch in the same run"),
    }
)


def _usage() -> str:
    width = max(map(len, VERBS))
    lines = [f"  {name:{width}}  {text}" for name, (_, text) in VERBS.items()]
    return "\n".join(["usage: m3vit [--debug] VERB ...", "", *lines, "", "m3vit VERB --help"])


def _parser(verb: str, text: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"m3vit {verb}", description=text)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def _run_verb(verb: str, rest: Sequence[str], debug: bool) -> int:
    module_name, text = VERBS[verb]
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("m3vit"):
            raise
        print(
            f"m3vit {verb}: the Python package {error.name!r} is not installed; "
            "run `make install` or `m3vit doctor`",
            file=sys.stderr,
        )
        return 2
    parser = _parser(verb, text)
    module.configure(parser)
    args = parser.parse_args(rest)
    return _guarded(verb, lambda: int(module.run(args)), debug or args.debug)


def _guarded(verb: str, action: Callable[[], int], debug: bool) -> int:
    try:
        return action()
    except M3vitError as error:
        if debug:
            raise
        print(f"m3vit {verb}: {error}", file=sys.stderr)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print(f"m3vit {verb}: interrupted", file=sys.stderr)
        return 130
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
    return _run_verb(rest[0], rest[1:], debug)
