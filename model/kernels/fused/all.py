"""Every kernel in Triton."""

from m3vit.model.kernels.fused.attention8 import attention8
from m3vit.model.kernels.fused.combine import combine
from m3vit.model.kernels.fused.combine8 import combine8
from m3vit.model.kernels.fused.gate import route
from m3vit.model.kernels.fused.gate8 import route8
from m3vit.model.kernels.fused.grouped import contract, expand
from m3vit.model.kernels.fused.grouped8 import contract8, expand8, linear8, project8
from m3vit.model.kernels.fused.norm8 import norm8
from m3vit.model.kernels.fused.sort import sort_pairs
from m3vit.model.kernels.interface import Kernels

KERNELS = Kernels(
    name="Triton",
    recordable=True,
    route=route,
    sort_pairs=sort_pairs,
    expand=expand,
    contract=contract,
    combine=combine,
    route8=route8,
    expand8=expand8,
    contract8=contract8,
    combine8=combine8,
    linear8=linear8,
    project8=project8,
    norm8=norm8,
    attention8=attention8,
)
