"""LayerNorm against golden: tokens back to back and with gaps, several widths, two tables."""

import cocotb
import numpy as np
import pytest

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.golden.layernorm import layer_norm, residual_view
from m3vit.hw.machine import MACHINES, MachineConfig
from m3vit.hw.quantised import LayerNorm as Parameters
from m3vit.rtl.layernorm import LayerNorm
from m3vit.rtl.run_control import RESET_CYCLES
from tests.rtl.bench.player import pack, play, reset, start, unpack
from tests.rtl.bench.runner import bench_settings, run_bench

TOKENS = 30


def residuals(width: int, rng: np.random.Generator) -> np.ndarray:
    """[TOKENS, width] of 18 bits: all scales, constant tokens, both limits."""
    scale = 1 << rng.integers(1, 18, (TOKENS, 1))
    x = rng.integers(-scale, scale, (TOKENS, width))
    x[0], x[1], x[2] = 0, (1 << 17) - 1, -(1 << 17)
    x[3] = np.where(np.arange(width) % 2, (1 << 17) - 1, -(1 << 17))
    return x


def parameters(width: int, rng: np.random.Generator) -> Parameters:
    """Random table, extremes among them."""
    gamma = rng.integers(-32768, 32768, width).astype(np.int16)
    beta = rng.integers(-(1 << 31), 1 << 31, width).astype(np.int32) >> rng.integers(0, 16, width)
    gamma[0], beta[-1] = -32768, -(1 << 31)
    epsilon = int(rng.integers(1, 1 << 32))
    return Parameters(gamma=gamma, beta=beta, shift=int(rng.integers(0, 32)), epsilon=epsilon)


def entries(norm: Parameters) -> list[int]:
    """Table words, two channels each."""
    words = [
        (int(g) & 0xFFFF) | (int(b) & 0xFFFFFFFF) << 16
        for g, b in zip(norm.gamma, norm.beta, strict=True)
    ]
    return [low | high << 48 for low, high in zip(words[::2], words[1::2], strict=True)]


@cocotb.test()
async def tokens_of_several_widths(dut: object) -> None:
    size, widest = bench_settings()["size"], bench_settings()["max_width"]
    rng = np.random.default_rng(10)
    block = LayerNorm(size=size, max_width=widest)
    await start(dut)
    for bank, width in enumerate((16, widest, 48, widest)):
        norm, x = parameters(width, rng), residuals(width, rng)
        chunks = width // size
        load = {
            "table_we": [1] * (width // 2),
            "table_bank": [bank % 2],
            "table_channel": list(range(0, width, 2)),
            "table_entry": entries(norm),
        }
        await play(dut, load, [])
        gaps = rng.integers(0, 3, TOKENS) * rng.integers(0, 2, TOKENS)
        starts = np.arange(TOKENS) * chunks + np.cumsum(gaps)
        when = (starts[:, None] + np.arange(chunks)).reshape(-1)
        words = np.zeros((when[-1] + 1, size), np.int64)
        words[when] = x.reshape(-1, size)
        valid, first = np.zeros(len(words), np.int64), np.zeros(len(words), np.int64)
        valid[when], first[starts] = 1, 1
        stimuli = {
            "table_we": [0],
            "x": pack(words, 18),
            "valid": pack(valid, 1) + [0],
            "first": pack(first, 1),
            "units": [width // 16],
            "chunks": [chunks],
            "epsilon": [norm.epsilon],
            "shift": [norm.shift],
            "bank": [bank % 2],
        }
        await play(dut, {name: stimuli[name] for name in ("units", "chunks", "shift", "bank")}, [])
        late = block.latency(chunks)
        seen = await play(dut, stimuli, ["y", "y_valid", "y_first"], extra=late)
        assert [c for c, flag in enumerate(seen["y_valid"]) if flag] == (when + late).tolist()
        assert [c for c, flag in enumerate(seen["y_first"]) if flag] == (starts + late).tolist()
        got = unpack([seen["y"][c + late] for c in when], 8, size).reshape(TOKENS, width)
        want = layer_norm(residual_view(x.astype(np.int32)), norm)
        np.testing.assert_array_equal(got, want)


@cocotb.test()
async def what_a_reset_interrupts_never_comes_out(dut: object) -> None:
    size, widest = bench_settings()["size"], bench_settings()["max_width"]
    chunks, late = widest // size, LayerNorm(size=size, max_width=widest).latency(widest // size)
    await start(dut)
    tokens = {"valid": [1] * 8 * chunks, "first": ([1] + [0] * (chunks - 1)) * 8}
    await play(dut, tokens | {"chunks": [chunks], "units": [widest // 16]}, [])
    await play(dut, {"valid": [0], "first": [0]}, [])
    await reset(dut)
    seen = await play(dut, {"valid": [0]}, ["y_valid", "y_first"], extra=2 * late)
    assert not any(seen["y_valid"]) and not any(seen["y_first"])


TESTS = ("tokens_of_several_widths", "what_a_reset_interrupts_never_comes_out")


@pytest.mark.parametrize(
    "size, max_width", [(4, 64), pytest.param(16, 768, marks=pytest.mark.slow)]
)
def test_layernorm_equals_golden(size: int, max_width: int) -> None:
    block = LayerNorm(size=size, max_width=max_width)
    run_bench(block, __name__, TESTS, size=size, max_width=max_width)


@pytest.mark.parametrize("machine", MACHINES.values(), ids=lambda machine: machine.name)
def test_the_reset_outlasts_it(machine: MachineConfig) -> None:
    block = LayerNorm(size=machine.layernorm_lanes, max_width=machine.max_width)
    assert block.latency(block.max_chunks) < RESET_CYCLES


def test_size_is_checked() -> None:
    with pytest.raises(ConfigurationError, match="layernorm: size must be even and divide 768"):
        LayerNorm(size=7, max_width=768)
