"""What a trace buffer holds, region by region of the package's trace map."""

import numpy as np

from m3vit.hw.compiler.tracing import TraceRegion
from m3vit.hw.formats import UInt8
from m3vit.hw.package import Package
from m3vit.hw.routing import RoutingPlan

PLAN = "PLAN"


def rows_of(region: TraceRegion, trace: UInt8) -> UInt8:
    """The region's bytes [tokens, stride]."""
    own = trace[region.offset : region.offset + region.size]
    return own.reshape(region.tokens, region.stride)


def plans_of(package: Package, trace: UInt8) -> dict[int, RoutingPlan]:
    """Routing by block: four bytes a rank, expert u8, zero u8, weight u16."""
    plans = {}
    for region in package.trace:
        if region.element == PLAN:
            words = rows_of(region, trace)[:, : 4 * region.columns]
            ranks = np.ascontiguousarray(words).reshape(region.tokens, region.columns, 4)
            plans[region.block] = RoutingPlan.from_choices(
                ranks[:, :, 0],
                np.ascontiguousarray(ranks[:, :, 2:]).view("<u2")[:, :, 0],
                experts=package.config.experts,
            )
    return plans
