"""Every kernel in plain torch, on any device."""

from m3vit.model.kernels.interface import Kernels
from m3vit.model.kernels.plain.attention8 import attention8
from m3vit.model.kernels.plain.gate import route
from m3vit.model.kernels.plain.gate8 import route8
from m3vit.model.kernels.plain.grouped import combine, contract, expand
from m3vit.model.kernels.plain.grouped8 import combine8, contract8, expand8, linear8, project8
from m3vit.model.kernels.plain.norm8 import norm8
from m3vit.model.kernels.plain.sort import sort_pairs

KERNELS = Kernels(
    name="plain torch",
    recordable=False,
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
