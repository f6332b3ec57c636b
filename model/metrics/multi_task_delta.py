"""Multi-task performance relative to single-task networks."""

import math
from collections.abc import Collection, Mapping

from m3vit.hw.errors import ConfigurationError


def multi_task_delta(
    values: Mapping[str, float],
    reference: Mapping[str, float],
    lower_is_better: Collection[str],
) -> float:
    """Mean over tasks of the relative change against ``reference``, in per cent.

    The change is (value - reference) / reference, negated for tasks in ``lower_is_better``, so
    that positive is better (Maninis et al., 2019; Delta m of M3ViT's tables).

    Raises:
        ConfigurationError: the tasks differ, or a reference is zero or not finite.
    """
    if not values or set(values) != set(reference) or not set(lower_is_better) <= set(values):
        raise ConfigurationError(
            f"delta m: tasks {sorted(values)} against {sorted(reference)} with "
            f"{sorted(lower_is_better)} lower, expected the same tasks in both"
        )
    changes = []
    for task, value in values.items():
        base = reference[task]
        if not (math.isfinite(base) and base != 0):
            raise ConfigurationError(
                f"delta m: the reference of {task} is {base}, expected a finite value but zero"
            )
        change = (value - base) / base
        changes.append(-change if task in lower_is_better else change)
    return 100 * sum(changes) / len(changes)
