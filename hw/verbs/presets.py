"""``m3vit presets``: the models and machines that come with the project."""

import argparse
import json
from typing import Any


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _models() -> list[dict[str, Any]]:
    from m3vit.hw.cost.macs import encoder_macs, head_macs
    from m3vit.hw.cost.parameters import encoder_parameters, parameters
    from m3vit.hw.presets import MODELS

    return [
        {
            "name": config.name,
            "image": [config.image_height, config.image_width],
            "tokens": config.tokens,
            "width": config.width,
            "heads": config.heads,
            "experts": config.experts,
            "top_k": config.top_k,
            "expert_hidden": config.expert_hidden,
            "encoder_parameters": encoder_parameters(config),
            "parameters": parameters(config),
            "encoder_macs": encoder_macs(config),
            "head_macs": {task.name: head_macs(config, task) for task in config.tasks},
            "digest": config.digest,
        }
        for config in MODELS.values()
    ]


def _machines() -> list[dict[str, Any]]:
    from m3vit.hw.cost.resources import resources
    from m3vit.hw.machine import MACHINES

    return [
        {
            **machine.to_dict(),
            "multipliers": machine.multipliers,
            "digest": machine.digest,
            "resources": resources(machine)._asdict(),
        }
        for machine in MACHINES.values()
    ]


def _model_table(models: list[dict[str, Any]]) -> str:
    from m3vit.hw.record_table import text_table

    header = ["model", "image", "tokens", "width", "heads", "experts"]
    header += ["M parameters", "encoder GMAC", "largest head GMAC", "tasks"]
    rows = [
        [
            m["name"],
            "x".join(map(str, m["image"])),
            str(m["tokens"]),
            str(m["width"]),
            str(m["heads"]),
            f"{m['top_k']} of {m['experts']} x {m['expert_hidden']}",
            f"{m['parameters'] / 1e6:.2f}",
            f"{m['encoder_macs'] / 1e9:.3f}",
            f"{max(m['head_macs'].values()) / 1e9:.3f}",
            " ".join(m["head_macs"]),
        ]
        for m in models
    ]
    return text_table([header, *rows], [False] + [True] * 8 + [False])


def _machine_table(machines: list[dict[str, Any]]) -> str:
    from m3vit.hw.record_table import text_table

    header = ["machine", "array", "multipliers", "tokens", "width", "experts", "ring KiB", "digest"]
    rows = [
        [
            m["name"],
            f"{m['groups']}x{m['rows']}x{m['columns']}",
            str(m["multipliers"]),
            str(m["max_tokens"]),
            str(m["max_width"]),
            f"{m['max_top_k']} of {m['max_experts']}",
            str(m["ring_bytes"] // 1024),
            m["digest"][:16],
        ]
        for m in machines
    ]
    return text_table([header, *rows], [False] + [True] * 6 + [False])


def run(args: argparse.Namespace) -> int:
    """Print the presets."""
    models, machines = _models(), _machines()
    if args.json:
        print(json.dumps({"models": models, "machines": machines}))
        return 0
    print(_model_table(models))
    print(f"\n{_machine_table(machines)}")
    print("\nboards: m3vit estimate --list")
    return 0
