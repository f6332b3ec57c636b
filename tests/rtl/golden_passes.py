"""The loop nests in plain Python: the passes of a job, field by field."""

from collections.abc import Iterator
from typing import Any

from m3vit.hw.layout.blocks import spans as cut
from m3vit.hw.machine import CASCADE, MachineConfig
from m3vit.rtl.passes import Post, Source, Tile, Wait

Fields = dict[str, Any]
Early = tuple[int, int]
"""Pairs, and the result that completes them."""
Past = tuple[int, int, int]
"""First result and blocks of the job before, and its panels if its blocks were outside."""


def spans(tokens: int, limit: int, ramp: bool = False) -> list[tuple[int, int]]:
    """First pair and pairs of each block."""
    return [(start, end - start) for start, end in cut(tokens, limit, ramp)]


def panel_groups(job: Fields) -> list[range]:
    size = min(job["panels_group"], job["panels"])
    return [
        range(start, min(start + size, job["panels"])) for start in range(0, job["panels"], size)
    ]


def third_of(job: Fields, panel: int) -> Fields:
    """Where the panel's results go."""
    if not job["thirds"]:
        column = job["column"] + panel * job["column_step"]
        return {"post": job["post"], "shift": job["shift"], "column": column}
    third, inside = divmod(panel, job["thirds"])
    column = inside * job["column_step"] + (job["column"] if third == 2 else 0)
    post = (Post.VALUE, Post.KEY, Post.HIDDEN)[third]
    shift = job[("shift", "shift_key", "shift_query")[third]]
    return {"post": post, "shift": shift, "column": column}


def queries_end(job: Fields, panel: int, last: bool) -> bool:
    """The pass completes Q of its block."""
    return bool(job["thirds"]) and last and panel == job["panels"] - 1


def waits(
    job: Fields, step: int, block: int, end: int, start: int, past: Past, early: Early, m: Any
) -> Fields:
    """``end``: pair behind the last of block number ``block``; ``start``: number at the job's
    start; ``early``: pairs of the job before that are complete, with what."""
    if job["follow"]:
        panel = -(-m.rows * (step + 1) // m.panel) - 1
        first, blocks, panels = past
        ahead = block * panels + panel if panels else blocks * (panel + 1) - 1
        return {"wait": Wait.RETIRED, "wait_for": first + ahead}
    if step or job["wait"] == Wait.NOTHING:
        return {"wait": Wait.NOTHING}
    if job["wait"] == Wait.TOKENS:
        return {"wait": Wait.TOKENS, "wait_for": min(2 * end, job["tokens"])}
    return {"wait": job["wait"], "wait_for": early[1] if end <= early[0] else start - 1}


def gemm_passes(
    job: Fields, machine: MachineConfig, number: int, past: Past, early: Early
) -> Iterator[Fields]:
    """Passes of a linear layer; ``number`` that of its first result."""
    words = CASCADE // machine.chains
    blocks = spans(job["tokens"], job["block_pairs"], job["ramp"])
    groups = panel_groups(job)
    panel_words, start = words + CASCADE * job["steps"], number
    for group in groups:
        for index, block in enumerate(blocks):
            for panel in group:
                for step in range(job["steps"]):
                    last = step == job["steps"] - 1
                    final = last and panel == job["panels"] - 1
                    very = final and block is blocks[-1]
                    yield {
                        "pairs": block[1],
                        "first_pair": block[0],
                        **{
                            name: job[name]
                            for name in (
                                "tokens first_token source gather buffer weighted guard "
                                "group_step limit"
                            ).split()
                        },
                        "channel": step * machine.rows // 8,
                        "row": step * machine.rows // 128 * job["row_step"],
                        "tile": Tile.RING,
                        "address": (
                            job["address"]
                            + panel * panel_words
                            + (words + CASCADE * step if step else 0)
                        ),
                        "parameters": step == 0,
                        "release": block is blocks[-1],
                        "first": step == 0,
                        "last": last,
                        **third_of(job, panel),
                        **waits(job, step, index, sum(block), start, past, early, machine),
                        "wait_query": 0,
                        **({"number": number} if last else {}),
                        "publish": queries_end(job, panel, last)
                        or (final and job["publish"])
                        or (very and job["publish_all"]),
                        "end": 0,
                    }
                    number += last


def attention_items(
    job: Fields, machine: MachineConfig, number: int, scored: int, keys: int, early: Early
) -> Iterator[Fields]:
    """Query loads (with ``steps``) and passes; ``scored``: number of the last score pass so far;
    ``keys``: result that completes K; ``early``: of Q."""
    blocks, start = spans(job["tokens"], job["block_pairs"]), number
    parts = (
        max(machine.rows, machine.columns) // machine.columns,
        max(machine.rows, machine.columns) // machine.rows,
    )
    ends = []
    for turn in range(len(blocks) + 1):
        if turn < len(blocks):
            first, pairs = blocks[turn]
            common = {"pairs": pairs, "first_pair": first, "half": turn & 1}
            yield {
                **common,
                **{name: job[name] for name in ("column", "group_step")},
                "steps": job["query_steps"],
                "units": job["units"],
                "wait_for": early[1] if first + pairs <= early[0] else start - 1,
            }
            for tile in range(job["key_tiles"]):
                for step in range(job["query_steps"]):
                    last = step == job["query_steps"] - 1
                    opening = tile == step == 0
                    yield {
                        **common,
                        "tokens": job["tokens"],
                        "source": Source.QUERY,
                        "channel": step,
                        "row": tile // parts[0] * pairs,
                        "tile": Tile.KEY,
                        "address": tile * job["query_steps"] + step,
                        "first": step == 0,
                        "last": last,
                        "post": Post.SCORE,
                        "key": tile,
                        "wait": Wait.RETIRED if opening else Wait.NOTHING,
                        **({"wait_for": keys} if opening else {}),
                        "wait_query": opening,
                        "number": scored + 1,
                        "publish": 0,
                        "end": last and tile == job["key_tiles"] - 1,
                    }
                    scored += last
            ends.append(scored)
        if turn:
            first, pairs = blocks[turn - 1]
            for column in range(job["value_columns"]):
                for tile in range(job["value_tiles"]):
                    opening, last = tile == column == 0, tile == job["value_tiles"] - 1
                    yield {
                        "pairs": pairs,
                        "first_pair": first,
                        "half": (turn - 1) & 1,
                        "tokens": job["tokens"],
                        "source": Source.PROBABILITY,
                        "channel": column,
                        "row": tile // parts[1] * pairs,
                        "tile": Tile.VALUE,
                        "address": tile * job["value_columns"] + column,
                        "first": tile == 0,
                        "last": last,
                        "post": Post.OUTPUT,
                        "column": job["column"] + column,
                        "group_step": job["group_step"],
                        "limit": job["limit"],
                        "key": tile,
                        "wait": Wait.SCORED if opening else Wait.NOTHING,
                        **({"wait_for": ends[turn - 1]} if opening else {}),
                        "wait_query": 0,
                        **({"number": number} if last else {}),
                        "publish": last and column == job["value_columns"] - 1,
                        "end": 0,
                    }
                    number += last
