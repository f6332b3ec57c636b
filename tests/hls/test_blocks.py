"""Operators of the templates against golden where their ranges end."""

import subprocess
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from m3vit.hls.headers import TEMPLATES, ap_types, compiler
from m3vit.hw.golden.expert import weigh
from m3vit.hw.golden.gate import exponentials
from m3vit.hw.golden.layernorm import reciprocal_root
from m3vit.hw.golden.reciprocal import reciprocal
from m3vit.hw.golden.requantise import requantise
from tests.hls.layers import random_layer

pytestmark = pytest.mark.slow

Calls = Iterable[tuple[int, ...]]
Evaluate = Callable[[str, Calls], list[int]]


@pytest.fixture(scope="module")
def evaluate(tmp_path_factory: pytest.TempPathFactory) -> Evaluate:
    program = tmp_path_factory.mktemp("blocks") / "blocks"
    includes = ["-I", str(ap_types()), "-I", str(TEMPLATES)]
    source = Path(__file__).with_name("blocks.cpp")
    flags = ["-std=c++11", "-O1", "-Wno-unknown-pragmas"]  # the standard of hls4ml's Vitis flow
    subprocess.run([compiler(), *flags, *includes, str(source), "-o", str(program)], check=True)

    def run(name: str, calls: Calls) -> list[int]:
        rows = [(*call, 0, 0, 0, 0)[:4] for call in calls]
        text = "\n".join(" ".join(map(str, (name, *row))) for row in rows)
        done = subprocess.run(
            [str(program)], input=text, capture_output=True, text=True, check=True, timeout=60
        )
        return [int(line) for line in done.stdout.split()]

    return run


RNG = np.random.default_rng(0)
SUMS = [0, 1, -1, (1 << 26) - 1, -(1 << 26) + 1, *map(int, RNG.integers(-(1 << 26), 1 << 26, 40))]


@pytest.mark.parametrize("bits", [8, 18])
def test_requantise(evaluate: Evaluate, bits: int) -> None:
    calls = list(product(SUMS, [0, 1, 32768, 65535], [1, 2, 17, 25, 39, 40]))
    wanted = [int(requantise(np.array([a]), np.uint16(m), n, bits)[0]) for a, m, n in calls]
    assert evaluate(f"requantise{bits}", calls) == wanted


def test_contribution(evaluate: Evaluate) -> None:
    ends = [-(1 << 17), (1 << 17) - 1, 0, 1, -1, 8, -8]
    calls = list(product([*ends, *map(int, RNG.integers(-(1 << 17), 1 << 17, 50))], [0, 1, 65535]))
    wanted = [int(weigh(np.array([[y]]), np.array([w], np.uint16), 4)[0, 0]) for y, w in calls]
    assert evaluate("contribution", calls) == wanted


def test_exponential(evaluate: Evaluate) -> None:
    gate = random_layer().gates[0]
    low, high = -(1 << 31), (1 << 31) - 1
    pairs = [(high, low), (high, high), (0, low), (5, 4), (1 << 26, 0), ((1 << 26) - 1, 0)]
    pairs += [(max(p), min(p)) for p in RNG.integers(low, high, (60, 2)).tolist()]
    calls = [(*pair, m, n) for pair in pairs for m, n in [(1, 1), (65535, 40), (40000, 28)]]
    wanted = [
        int(exponentials(np.array([[a, b]], np.int32), replace(gate, factor=m, shift=n))[0, 1])
        for a, b, m, n in calls
    ]
    assert evaluate("exponential", calls) == wanted


def test_reciprocal(evaluate: Evaluate) -> None:
    values = [*range(1, 5000), *map(int, RNG.integers(1, 1 << 24, 2000)), (1 << 24) - 1]
    factor, leading = reciprocal(np.array(values))
    assert evaluate("reciprocal", [(v,) for v in values]) == (factor * 64 + leading).tolist()


def test_reciprocal_root(evaluate: Evaluate) -> None:
    powers = [(1 << p) + offset for p in range(2, 53) for offset in (-1, 0, 1)]
    values = [1, 2, *powers, *map(int, RNG.integers(1, 1 << 53, 2000))]
    values = [value for value in values if value < 1 << 53]
    factor, half = reciprocal_root(np.array(values, np.float64))
    assert evaluate("root", [(v,) for v in values]) == (factor * 64 + half).tolist()
