"""A slow second implementation of the operators in Python integers, written from the contract.

Nothing is shared with hw/golden: no floats, no arrays, no BLAS, no tables but those of
hw/formats.py.  Rows are lists of integers.
"""

from collections.abc import Sequence

import numpy as np

from m3vit.hw.formats import (
    exponential_table,
    gate_exponential_table,
    reciprocal_root_table,
    reciprocal_table,
)
from m3vit.hw.quantised import Attention, Block, Expert, Gate, LayerNorm, Linear, QuantisedModel

Row = list[int]
Rows = list[Row]

EXP = exponential_table().tolist()
GEXP = gate_exponential_table().tolist()
RECIP = reciprocal_table().tolist()
RSQRT = reciprocal_root_table().tolist()


def rshift(x: int, n: int) -> int:
    return (x + (1 << (n - 1))) >> n if n else x


def sat(x: int, bits: int) -> int:
    return max(-(1 << (bits - 1)), min((1 << (bits - 1)) - 1, x))


def dot(a: Sequence[int], b: Sequence[int]) -> int:
    return sum(x * y for x, y in zip(a, b, strict=True))


def below_leading_one(x: int) -> int:
    """The ten bits of x below its leading one, zeros where it has fewer."""
    leading = x.bit_length() - 1
    return ((x << 10) >> leading) & 1023


def linear(rows: Rows, layer: Linear, bits: int, lowest: int | None = None) -> Rows:
    weight, bias, factor = layer.weight.tolist(), layer.bias.tolist(), layer.factor.tolist()
    result = []
    for row in rows:
        acc = [dot(row, w) + b for w, b in zip(weight, bias, strict=True)]
        assert all(abs(a) < 1 << 26 for a in acc)
        out = [sat(rshift(a * m, layer.shift), bits) for a, m in zip(acc, factor, strict=True)]
        result.append(out if lowest is None else [max(lowest, y) for y in out])
    return result


def layer_norm(x: Row, norm: LayerNorm) -> Row:
    count, total, squares = len(x), sum(x), dot(x, x)
    variance = count * squares - total * total + norm.epsilon
    leading = variance.bit_length() - 1
    root = RSQRT[(leading & 1) * 1024 + below_leading_one(variance)]
    n = [sat(rshift((count * v - total) * root, (leading >> 1) + 6), 16) for v in x]
    gamma, beta = norm.gamma.tolist(), norm.beta.tolist()
    return [sat(rshift(v * g + b, norm.shift), 8) for v, g, b in zip(n, gamma, beta, strict=True)]


def reciprocal(x: int) -> tuple[int, int]:
    return RECIP[below_leading_one(x)], x.bit_length() - 1


def score_row(q: Row, keys: Rows, shift: int) -> Row:
    return [sat(rshift(dot(q, k), shift), 10) for k in keys]


def softmax(scores: Row) -> tuple[Row, int]:
    largest, remainders, p = max(scores), [128] * 32, []
    for key, score in enumerate(scores):
        delta = min(255, largest - score)
        t = remainders[key % 32] + (EXP[delta & 15] >> (delta >> 4))
        p.append(t >> 8)
        remainders[key % 32] = t & 255
    return p, sum(p)


def attend(
    queries: Rows, keys: Rows, values: Rows, score_shift: int, gain: int, output_shift: int
) -> Rows:
    columns = list(zip(*values, strict=True))
    result = []
    for q in queries:
        p, total = softmax(score_row(q, keys, score_shift))
        inverse, leading = reciprocal(total)
        factor = (inverse * gain + (1 << 15)) >> 16
        stored = [x - 128 for x in p]
        acc = [dot(stored, column) + 128 * sum(column) for column in columns]
        result.append([sat(rshift(a * factor, 15 + leading - output_shift), 8) for a in acc])
    return result


def attention(h: Rows, layer: Attention, heads: int) -> Rows:
    q = linear(h, layer.query, 8)
    k, v = (linear(h, part, 8, lowest=-127) for part in (layer.key, layer.value))
    size = len(q[0]) // heads
    parts = []
    for head in range(heads):
        own = slice(head * size, (head + 1) * size)
        constants = (layer.score_shift, layer.output_gain, layer.output_shift)
        cut = ([row[own] for row in rows] for rows in (q, k, v))
        parts.append(attend(*cut, *(int(each[head]) for each in constants)))
    return [sum(rows, []) for rows in zip(*parts, strict=True)]


def logits(h: Row, gate: Gate) -> Row:
    """From the two int8 columns of every expert, as the machine does."""
    result = []
    for weights, bias in zip(gate.weight.tolist(), gate.bias.tolist(), strict=True):
        low = [((w + 64) & 127) - 64 for w in weights]
        high = [(w - x) // 128 for w, x in zip(weights, low, strict=True)]
        assert all(-127 <= x <= 127 for x in high)
        result.append(128 * dot(h, high) + dot(h, low) + bias)
    return result


def route(z: Row, gate: Gate, top_k: int) -> list[tuple[int, int]]:
    """Experts, best first, with their scores."""
    chosen: Row = []
    for _ in range(top_k):
        best = -1
        for expert, value in enumerate(z):
            if expert not in chosen and (best < 0 or value > z[best]):
                best = expert
        chosen.append(best)
    deltas = [
        min(1023, rshift(min(max(z) - v, (1 << 26) - 1) * gate.factor, gate.shift)) for v in z
    ]
    x = [GEXP[d & 63] >> (d >> 6) for d in deltas]
    inverse, leading = reciprocal(sum(x))
    return [(e, min(65535, rshift(x[e] * inverse, leading))) for e in chosen]


def expert_output(h: Row, expert: Expert, table: Rows) -> Row:
    (codes,) = linear([h], expert.fc1, 8)
    classes = expert.hidden_class.tolist()
    hidden = [table[c][x + 128] for c, x in zip(classes, codes, strict=True)]
    return linear([hidden], expert.fc2, 18)[0]


def add(x: Row, contribution: Row) -> Row:
    return [sat(a + b, 18) for a, b in zip(x, contribution, strict=True)]


def view(x: Row) -> Row:
    return [sat(rshift(v, 2), 16) for v in x]


def mlp(x: Rows, block: Block, task: int, top_k: int) -> Rows:
    table, g = block.mlp.gelu.tolist(), block.mlp.guard_bits
    result = []
    for row in x:
        h = layer_norm(view(row), block.norm2)
        if block.gates:
            gate = block.gates[task]
            visits = sorted(route(logits(h, gate), gate, top_k))
            for e, w in visits:
                y = expert_output(h, block.mlp.experts[e], table)
                row = add(row, [rshift(v * w, 16 + g) for v in y])
        else:
            for chunk in block.mlp.experts:
                row = add(row, expert_output(h, chunk, table))
        result.append(row)
    return result


def patches(image: np.ndarray, size: int) -> Rows:
    pixels = image.tolist()
    return [
        [
            pixels[top + y][left + x][colour] - 128
            for y in range(size)
            for x in range(size)
            for colour in range(3)
        ]
        for top in range(0, len(pixels), size)
        for left in range(0, len(pixels[0]), size)
    ]


def encode(model: QuantisedModel, image: np.ndarray, task: int) -> Rows:
    """The whole encoder: int16 rows [T][d]."""
    config = model.config
    x = [[4 * v for v in row] for row in model.position.tolist()]
    tiles = linear(patches(image, config.patch), model.embedding, 18)
    x = [x[0], *(add(row, tile) for row, tile in zip(x[1:], tiles, strict=True))]
    for block in model.blocks:
        h = [layer_norm(view(row), block.norm1) for row in x]
        o = attention(h, block.attention, config.heads)
        update = linear(o, block.attention.proj, 18)
        x = [add(row, part) for row, part in zip(x, update, strict=True)]
        x = mlp(x, block, task, config.top_k)
    return [view(row) for row in x]
