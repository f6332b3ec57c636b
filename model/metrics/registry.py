"""From the kind of a task to the metric of the field's tables."""

from collections.abc import Callable

from m3vit.hw.errors import ConfigurationError
from m3vit.model.metrics.depth_rmse import DepthRmse
from m3vit.model.metrics.edge_ods import EdgeOdsF
from m3vit.model.metrics.mean_iou import MeanIou
from m3vit.model.metrics.metric import Metric
from m3vit.model.metrics.normals_angle import NormalsAngle
from m3vit.model.metrics.parts_iou import PartsIou
from m3vit.model.metrics.saliency_iou import SaliencyIou

_MAKERS: dict[str, Callable[[int], Metric]] = {
    "segmentation": MeanIou,
    "parts": PartsIou,
    "depth": lambda channels: DepthRmse(),
    "normals": lambda channels: NormalsAngle(),
    "edges": lambda channels: EdgeOdsF(),
    "saliency": lambda channels: SaliencyIou(),
}


def make_metric(kind: str, channels: int) -> Metric:
    """Make an empty metric for a task of ``kind``; ``channels`` = classes where there are any.

    Raises:
        ConfigurationError: no such kind.
    """
    try:
        return _MAKERS[kind](channels)
    except KeyError:
        raise ConfigurationError(
            f"task kind {kind!r} has no metric, expected one of {', '.join(_MAKERS)}"
        ) from None
