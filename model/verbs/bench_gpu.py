"""``m3vit bench --device cuda``: kernels and encoder on a GPU against the best of torch."""

import argparse
import sys
from pathlib import Path

GPU_REPEATS = 100


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options that only a GPU's benchmark reads."""
    group = parser.add_argument_group("with --device cuda")
    group.add_argument(
        "--batch", type=int, action="append", metavar="N", help="images at a time (1 4 16 64)"
    )
    group.add_argument("--kind", choices=("bf16", "fp16"), default="bf16", help="float type")
    group.add_argument(
        "--library",
        action="append",
        default=[],
        metavar="MODULE:FUNCTION",
        help="another MoE implementation to compare with",
    )
    group.add_argument("--out", type=Path, metavar="FILE", help="write the records (JSON lines)")


def run(args: argparse.Namespace) -> int:
    """Measure all sizes; a machine without a CUDA device is one line."""
    from m3vit.hw.errors import ConfigurationError
    from m3vit.hw.presets import model_preset
    from m3vit.model.gpu.bench import report
    from m3vit.model.gpu.bench.session import (
        BATCHES,
        MODELS,
        Outcome,
        counters,
        environment_of,
        meter_of,
        quantised_preset,
        run_session,
        save,
        setting_of,
    )
    from m3vit.model.gpu.devices import require_cuda

    repeats = GPU_REPEATS if args.repeats is None else args.repeats
    batches = args.batch or BATCHES
    if repeats < 1 or min(batches) < 1:
        raise ConfigurationError(
            f"--repeats is {repeats} and --batch {min(batches)}, expected at least 1 of both"
        )
    configs = [model_preset(name) for name in args.model or MODELS]
    device = require_cuda()
    nvml = counters(_say)
    _say("measuring copy bandwidth and matrix rate")
    setting = setting_of(device, args.kind, repeats, args.library)
    outcome = Outcome(environment=environment_of(setting, " ".join(["m3vit", *sys.argv[1:]]), nvml))
    meter = meter_of(nvml)
    try:
        run_session(outcome, configs, batches, setting, meter, quantised_preset, _say)
    finally:
        if args.out:
            _say(f"wrote {save(outcome, args.out)}")
    if args.json:
        print("\n".join(outcome.lines()))
    else:
        print(report.render(outcome.layers, outcome.encoders, setting.roofline))
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
