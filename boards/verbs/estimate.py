"""``m3vit estimate``: cycles, bytes and size of any preset on any board, without weights."""

import argparse
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from m3vit.boards.board import BoardConfig
    from m3vit.hw.config import ModelConfig
    from m3vit.hw.machine import MachineConfig

_MODEL_CHANGES = ("experts", "top_k", "expert_ratio", "mlp_ratio", "blocks")
_HELP = {
    "experts": "experts a block",
    "top_k": "experts a token",
    "expert_ratio": "hidden units of an expert over the width",
    "mlp_ratio": "hidden units of the dense layers over the width",
    "blocks": "transformer blocks",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--model", help="preset (see --list)")
    parser.add_argument("--board", default="zcu104", help="board or a .toml file; zcu104")
    parser.add_argument("--machine", help="machine preset instead of the board's own")
    for name in _MODEL_CHANGES:
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=int, metavar="N", help=_HELP[name])
    parser.add_argument("--dense", action="store_true", help="the twin without experts")
    parser.add_argument("--clock-mhz", type=float, help="instead of the board's")
    parser.add_argument("--gbytes-per-s", type=float, help="DRAM instead of the planned")
    parser.add_argument("--no-reordering", action="store_true", help="compare token by token")
    parser.add_argument("--units", action="store_true", help="size unit by unit, with sources")
    parser.add_argument("--assumptions", action="store_true", help="print what is assumed")
    parser.add_argument("--list", action="store_true", help="list models, machines and boards")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _model(args: argparse.Namespace) -> "ModelConfig":
    from dataclasses import replace

    from m3vit.hw.errors import ConfigurationError
    from m3vit.hw.presets import model_preset

    if args.model is None:
        raise ConfigurationError("no model given, expected --model PRESET; --list shows them")
    given = {name: getattr(args, name) for name in _MODEL_CHANGES}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    config = model_preset(args.model)
    if changes:
        marks = "-".join(f"{name}{value}" for name, value in changes.items())
        config = replace(config, name=f"{config.name}-{marks}", **changes)
    return config.dense_twin() if args.dense else config


def _machine(args: argparse.Namespace, board: "BoardConfig") -> "MachineConfig":
    from dataclasses import replace

    from m3vit.hw.errors import ConfigurationError

    changes: dict[str, Any] = {}
    for option, name in (("clock_mhz", "clock_mhz"), ("gbytes_per_s", "memory_gbytes_per_s")):
        value = getattr(args, option)
        if value is not None and not 0 < value < 1e6:
            raise ConfigurationError(
                f"--{option.replace('_', '-')} is {value}, expected a positive number"
            )
        if value is not None:
            changes[name] = value
    return replace(board.machine(args.machine), **changes)


def _listing() -> dict[str, list[str]]:
    from m3vit.boards.board import board_names
    from m3vit.hw.machine import MACHINES
    from m3vit.hw.presets import MODELS

    return {"models": list(MODELS), "machines": list(MACHINES), "boards": list(board_names())}


def _print_list(as_json: bool) -> None:
    listing = _listing()
    if as_json:
        print(json.dumps(listing))
        return
    for kind, names in listing.items():
        print(f"{kind}: {', '.join(names)}")


def _print_assumptions(as_json: bool) -> None:
    from m3vit.boards.estimate_text import assumptions_text
    from m3vit.hw.cost.assumptions import ASSUMPTIONS, Assumptions

    if as_json:
        print(json.dumps([vars(row) for row in ASSUMPTIONS]))
    else:
        print(assumptions_text(Assumptions()))


def run(args: argparse.Namespace) -> int:
    """Estimate and print."""
    from m3vit.boards.board import load_board
    from m3vit.boards.estimate import estimate
    from m3vit.boards.estimate_text import estimate_text, units_table

    if args.list:
        _print_list(args.json)
        return 0
    if args.assumptions and args.model is None:
        _print_assumptions(args.json)
        return 0
    board = load_board(args.board)
    result = estimate(_model(args), board, _machine(args, board), compare=args.no_reordering)
    if args.json:
        print(json.dumps(result.to_dict()))
        return 0
    print(estimate_text(result))
    if args.units:
        print(f"\n{units_table(result)}")
    if args.assumptions:
        print()
        _print_assumptions(as_json=False)
    return 0
