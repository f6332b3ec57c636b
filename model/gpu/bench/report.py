"""The benchmark's results as text."""

from collections.abc import Sequence

from m3vit.hw.record_table import text_table
from m3vit.model.gpu.bench.encoder_bench import EncoderResult
from m3vit.model.gpu.bench.layer_bench import LayerResult
from m3vit.model.gpu.bench.roofline import Roofline

TARGET_SPEED_UP = 1.2
TARGET_SHARE, TARGET_BATCH = 0.6, 16

_LAYER = ("model", "tokens", "batch", "variant", "ms", "p10-p90", "launches", "graph", "roofline")
_ENCODER = ("model", "batch", "variant", "ms/image", "images/s", "launches", "mJ/image", "MB")


def layer_table(results: Sequence[LayerResult]) -> str:
    """Every size and variant, and under it whether the aims are met."""
    rows = [list(_LAYER)]
    for result in results:
        for row in result.rows:
            timing = row.timing
            rows.append(
                [
                    result.model,
                    str(result.tokens),
                    str(result.batch),
                    row.variant,
                    f"{timing.median_ms:.4f}",
                    f"{timing.low_ms:.4f}-{timing.high_ms:.4f}",
                    str(row.launches),
                    "yes" if row.recorded else "no",
                    f"{100 * row.roofline_share:.1f} %",
                ]
            )
    right = [False, True, True, False, True, True, True, False, True]
    refused = [
        f"{result.model} batch {result.batch}: {name} does not run here: {reason}"
        for result in results
        for name, reason in result.refused.items()
    ]
    return "\n".join([text_table(rows, right), "", *map(verdict, results), *refused])


def verdict(result: LayerResult) -> str:
    """One line: the best baseline over ours, our share of the roofline, and the aims."""
    share = result.rows[0].roofline_share
    missed = [] if result.speed_up >= TARGET_SPEED_UP else [f"speed-up below {TARGET_SPEED_UP}"]
    if result.batch >= TARGET_BATCH and share < TARGET_SHARE:
        missed.append(f"roofline below {100 * TARGET_SHARE:.0f} %")
    return (
        f"{result.model} batch {result.batch}: {result.speed_up:.2f} times the best baseline, "
        f"{100 * share:.1f} % of the roofline, {result.rows[0].launches} launches; "
        f"{', '.join(missed) or 'aims met'}"
    )


def encoder_table(results: Sequence[EncoderResult]) -> str:
    """Every way to run the encoder; energy includes what the idle device draws."""
    rows = [list(_ENCODER)]
    for result in results:
        per_image = result.timing.median_ms / result.batch
        rows.append(
            [
                result.config.name,
                str(result.batch),
                result.variant,
                f"{per_image:.4f}",
                f"{1e3 / per_image:.1f}",
                str(result.launches),
                f"{result.energy.per_image_mj:.2f}" if result.energy else "not measured",
                f"{result.memory_bytes / 1e6:.1f}" if result.memory_bytes else "not measured",
            ]
        )
    return text_table(rows, [False, True, False, True, True, True, True, True])


def roofline_line(roofline: Roofline) -> str:
    """The measured limits."""
    return (
        f"roofline: {roofline.bytes_per_s / 1e9:.0f} GB/s copied (read and written), "
        f"{roofline.flops_per_s / 1e12:.1f} TFLOP/s by a large matrix product"
    )


def render(
    layers: Sequence[LayerResult], encoders: Sequence[EncoderResult], roofline: Roofline
) -> str:
    """Everything as text."""
    parts = [roofline_line(roofline), layer_table(layers), encoder_table(encoders)]
    return "\n\n".join(parts)
