"""Which modules of the Verilog are a block of this folder, and where the rest is counted."""

import re
from collections.abc import Mapping
from types import MappingProxyType

_CORE = r"m3vit\.machine\.core"
_ENGINE = rf"{_CORE}\.engine"

BLOCKS: Mapping[str, str] = MappingProxyType(
    {
        "accumulator": r"accumulator_\w+",
        "activations": rf"{_ENGINE}\.(xn|qoh)",
        "array": rf"{_ENGINE}\.array",
        "attention_nest": rf"{_CORE}\.attention_nest",
        "axi_read": r"axi_read_\w+",
        "axi_write": r"axi_write_\w+",
        "checks": r"m3vit\.machine\.checks",
        "column": r"column_\w+",
        "command_list": r"m3vit\.machine\.list",
        "core": _CORE,
        "counters": r"m3vit\.counters",
        "dma": r"m3vit\.machine\.dma",
        "dma_in": r"m3vit\.machine\.dma\.input",
        "dma_out": r"m3vit\.machine\.dma\.output",
        "dma_plan": r"m3vit\.machine\.dma\.plan",
        "engine": _ENGINE,
        "expert_run": r"m3vit\.machine\.sequencer\.run",
        "fetch": r"m3vit\.machine\.fetch",
        "fifo": r"fifo_\w+",
        "gate_bank": r"gate_bank_\w+",
        "gate_exponential": r"gate_exponential",
        "gate_results": r"m3vit\.machine\.gate",
        "gate_row": r"gate_row_\w+",
        "gate_slot": r"gate_slot_\w+",
        "gelu": r"gelu_\w+",
        "gemm_nest": rf"{_CORE}\.gemm_nest",
        "group": r"group_\w+",
        "hidden_write": rf"{_ENGINE}\.retire\.hidden",
        "issue": rf"{_ENGINE}\.issue",
        "key_value": r"key_value_\w+",
        "layernorm": r"layernorm_n\w+",
        "layernorm_lane": r"layernorm_lane_\w+",
        "lists": r"m3vit\.machine\.lists",
        "loader": rf"{_ENGINE}\.loader",
        "machine": r"m3vit\.machine",
        "norm_server": r"m3vit\.machine\.norm",
        "operand": rf"{_ENGINE}\.operand",
        "parameters": rf"{_ENGINE}\.array\.parameters",
        "plan": r"m3vit\.machine\.plan",
        "progress": rf"{_CORE}\.progress",
        "query": rf"{_ENGINE}\.query",
        "region_size": r"m3vit\.machine\.(fetch|sequencer)\.size",
        "registers": r"m3vit\.registers",
        "requantise": r"requantise_\w+",
        "residual": rf"{_ENGINE}\.retire\.residual\.add\d",
        "residual_store": rf"{_ENGINE}\.residual",
        "residual_write": rf"{_ENGINE}\.retire\.residual",
        "results": rf"{_ENGINE}\.results",
        "retire": rf"{_ENGINE}\.retire",
        "ring": rf"{_ENGINE}\.ring",
        "rowfactor": r"rowfactor_\w+",
        "rowmax": r"rowmax_\w+",
        "run_control": r"m3vit\.control",
        "score_store": r"score_store_\w+",
        "scores": r"scores?_(c|lane)\w*",
        "sequencer": r"m3vit\.machine\.sequencer",
        "slices": r"m3vit\.machine\.slices",
        "softmax": r"softmax_\w+|exponential",
        "tables": r"m3vit\.machine\.tables",
        "token_order": r"m3vit\.machine\.order",
        "top": r"m3vit",
        "value_sums": rf"{_ENGINE}\.sums",
        "weigh": rf"{_ENGINE}\.retire\.residual\.weigh\d|weigh_lane",
        "xn_writer": r"m3vit\.machine\.writer",
    }
)
"""A file's name, and the whole names of its modules.  Lanes are counted with their block."""

INSIDE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "axi_bursts": ("axi_read", "axi_write"),
        "axi_lite": ("registers",),
        "blocks": ("attention_nest", "gemm_nest"),
        "check_rules": ("checks",),
        "check_sizes": ("checks",),
        "check_stages": ("checks",),
        "command": ("checks", "dma", "expert_run", "fetch", "region_size", "sequencer"),
        "engine_stores": ("engine",),
        "events": ("machine",),
        "machine_memory": ("machine",),
        "machine_order": ("machine",),
        "machine_stores": ("machine",),
        "layernorm_statistics": ("layernorm",),
        "multiply": ("checks", "layernorm", "layernorm_lane"),
        "normalise": ("gate_row", "layernorm", "rowfactor"),
        "pipe": ("array",),
        "posts": ("array",),
        "product": ("dma", "fetch"),
        "reasons": ("machine",),
        "reciprocal": ("gate_row", "layernorm", "rowfactor"),
        "row_walk": ("dma_in", "dma_out"),
        "shift_saturate": ("array", "layernorm_lane", "requantise", "scores", "weigh"),
        "topk": ("gate_row",),
        "waits": ("issue",),
    }
)
"""Files whose hardware is counted in the blocks that use it."""

EVERYWHERE = ("connect", "library", "memory")
"""Wires, registers and stores of any block, counted there."""

_PATTERNS = {name: re.compile(pattern) for name, pattern in BLOCKS.items()}


def block_of(module: str) -> str:
    """The block that a module is cut off as; empty: it stays inside its parent."""
    for name, pattern in _PATTERNS.items():
        if pattern.fullmatch(module):
            return name
    return ""
