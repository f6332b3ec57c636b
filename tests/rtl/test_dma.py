"""DMA against golden: every route, with memory, stream and stores that make it wait."""

import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import cocotb
import numpy as np
from amaranth.hdl import Const
from cocotb.triggers import ReadOnly, RisingEdge, Timer
from numpy.typing import NDArray

from m3vit.hw.commands.fields import WORD_BITS, Element, Flag, Op, Store
from m3vit.hw.commands.word import Command, encode
from m3vit.hw.formats import RESIDUAL_BITS, RESIDUAL_GUARD_BITS
from m3vit.hw.golden.layernorm import residual_view
from m3vit.hw.machine import machine_preset
from m3vit.rtl.activations import Activations
from m3vit.rtl.dma import Dma
from m3vit.rtl.plan import PlanStore
from m3vit.rtl.residual_store import ResidualStore
from m3vit.rtl.ring import BEAT_BYTES
from tests.rtl.bench.player import start
from tests.rtl.bench.runner import run_bench

MACHINE = machine_preset("mini")
BEAT = 16
BASES = (0x10000, 0x20000, 0x30000, 0x40000)
MASK = (1 << RESIDUAL_BITS) - 1
STORES = ("res", "xn", "qoh")
LATENCIES = {
    "res": ResidualStore.LATENCY,
    "xn": Activations.SIDE_LATENCY,
    "qoh": Activations.SIDE_LATENCY,
    "plan": PlanStore.READ_LATENCY,
}
Place = tuple[int, int]


def residual_place(token: int, word: int, tokens: int) -> Place:
    """Bank and row of 16 channels of RES (rtl/DESIGN.md 3)."""
    half = -(-tokens // 2)
    return (word + 4 * (token % 2)) % 8, (2 * (word // 8) + token % 2) * half + token // 2


def activation_place(token: int, word: int, tokens: int) -> Place:
    """Bank and row of 32 channels of XN or QOH."""
    return word % 4, word // 4 * tokens + token


@dataclass
class Bench:
    """Memory, stream and stores around the unit; everything may refuse at random."""

    dut: Any
    rng: random.Random
    share: float
    memory: bytearray = field(default_factory=lambda: bytearray(1 << 19))
    held: dict[str, dict[Place, int]] = field(default_factory=lambda: {s: {} for s in STORES})
    plan: dict[int, int] = field(default_factory=dict)
    stream: deque[int] = field(default_factory=deque)
    """Words of 64 bytes that have arrived for this unit."""
    ahead: bytes = b""
    """What has arrived of the next command."""
    writing: deque[int] = field(default_factory=deque)
    to_xn: list[int] = field(default_factory=list)
    begun: list[tuple[int, int]] = field(default_factory=list)
    """Tokens and units that the writer of XN was started with."""
    late: dict[str, deque[int]] = field(default_factory=dict)

    def may(self) -> int:
        return int(self.rng.random() >= self.share)

    async def cycle(self) -> bool:
        """One clock; whether the unit is busy."""
        d = self.dut
        for name in ("write_ready", "out__ready", "xn_room"):
            getattr(d, name).value = self.may()
        for name in STORES:
            getattr(d, f"{name}_ready").value = self.may()
        d.write_idle.value = int(not self.writing and self.may())
        offered = bool(self.stream) and bool(self.may() or int(d.beats__valid.value))
        d.beats__valid.value = int(offered)
        d.beats__payload.value = self.stream[0] if offered else 0
        for name in (*STORES, "plan"):
            line = self.late.setdefault(name, deque([0] * LATENCIES[name]))
            port = d.plan_entry if name == "plan" else getattr(d, f"{name}_data")
            port.value = line[0]
        await ReadOnly()
        busy = bool(int(d.busy.value))
        if offered and int(d.beats__ready.value):
            self.stream.popleft()
        self._write()
        self._stores()
        await RisingEdge(d.clk)
        await Timer(1, "ns")
        return busy

    def _write(self) -> None:
        d = self.dut
        if int(d.out__valid.value) and int(d.out__ready.value):
            at = self.writing.popleft()
            self.memory[at : at + BEAT] = int(d.out__payload.value).to_bytes(BEAT, "little")
        if int(d.write_valid.value) and int(d.write_ready.value):
            first, count = int(d.write_address.value), int(d.write_beats.value)
            self.writing.extend(range(first, first + BEAT * count, BEAT))

    def _stores(self) -> None:
        """Data only for what was granted: a store has other readers."""
        d = self.dut
        here = (int(d.bank.value), int(d.row.value))
        found = {"plan": self.plan.get(int(d.plan_token.value), 0)}
        for name in STORES:
            granted = int(getattr(d, f"{name}_read").value) & int(getattr(d, f"{name}_ready").value)
            found[name] = self.held[name].get(here, 0) if granted else self.rng.getrandbits(64)
        for name, value in found.items():
            self.late[name].popleft()
            self.late[name].append(value)
        if int(d.res_write.value):
            there = (int(d.in_bank.value), int(d.in_row.value))
            self.held["res"][there] = int(d.res_write_data.value)
        if int(d.xn_start.value):
            self.begun.append((int(d.xn_tokens.value), int(d.xn_units.value)))
        if int(d.xn_valid.value):
            assert int(d.xn_room.value)
            self.to_xn.append(int(d.xn_word.value))

    def arrive(self, size: int) -> bytes:
        """A command's bytes; two words behind them are in the stream too, the next command's."""
        words = -(-size // BEAT_BYTES)
        data = self.ahead + self.rng.randbytes((words + 2) * BEAT_BYTES - len(self.ahead))
        for at in range(len(self.ahead), len(data), BEAT_BYTES):
            self.stream.append(int.from_bytes(data[at : at + BEAT_BYTES], "little"))
        self.ahead = data[words * BEAT_BYTES :]
        return data[:size]

    async def execute(self, command: Command, tokens: int) -> None:
        """One command to its end; one that reads from memory does not need its word for long."""
        d = self.dut
        d.word.value = int.from_bytes(encode(command), "little")
        d.half_tokens.value = -(-tokens // 2)
        d.start.value = 1
        await self.cycle()
        d.start.value = 0
        if not command.flags & Flag.WRITE:
            d.word.value = self.rng.getrandbits(WORD_BITS)
        for _ in range(30_000):
            if not await self.cycle():
                return
        raise AssertionError("the unit did not finish")


def command(
    src: Store, dst: Store, element: Element, tokens: int, elements: int, **more: int
) -> Command:
    size = {Element.INT8: 1, Element.INT16: 2}.get(element, 4)
    operands = {
        "base": 3,
        "address": 640,
        "elements": elements,
        "stride": size * elements,
        "element": element,
        "first_token": 0,
        "first_channel": 0,
        **more,
    }
    flags = Flag.WRITE if dst is Store.NONE else Flag(0)
    return Command(op=Op.DMA, flags=flags, src=src, dst=dst, tokens=tokens, operands=operands)


AT = BASES[3] + 640


def codes(values: NDArray[np.int64], bits: int) -> int:
    return sum((int(value) & ((1 << bits) - 1)) << bits * i for i, value in enumerate(values))


async def begin(dut: Any, share: float, seed: int) -> Bench:
    for name in ("start", "word", "half_tokens", "beats__valid", "beats__payload"):
        getattr(dut, name).value = 0
    dut.bases.value = sum(base << 48 * i for i, base in enumerate(BASES))
    await start(dut)
    return Bench(dut, random.Random(seed), share)


def written(bench: Bench, want: NDArray[Any]) -> None:
    """Exactly ``want`` in memory, nothing but padding of the last beat behind it."""
    assert bench.memory[AT : AT + want.nbytes] == want.tobytes()
    end = AT + -(-want.nbytes // BEAT) * BEAT
    assert not any(bench.memory[end:]) and not any(bench.memory[:AT])
    bench.memory[:] = bytes(len(bench.memory))


SHAPES = ((5, 96, 0), (8, 32, 7), (1, 192, 13), (13, 64, 2))
"""Tokens, channels, first unit of 16 channels."""


async def residual_out(bench: Bench, tokens: int, width: int, first: int) -> None:
    """A part of a larger image's residual."""
    whole, token0 = tokens + 3, 1 + first % 3
    values = np.random.default_rng(tokens).integers(-(1 << 17), 1 << 17, (tokens, width))
    values[0, :4] = [(1 << 17) - 1, (1 << 17) - 2, -(1 << 17), -1]
    for token, word in np.ndindex(tokens, width // 16):
        own = values[token, 16 * word : 16 * word + 16]
        place = residual_place(token0 + token, first + word, whole)
        bench.held["res"][place] = codes(own, RESIDUAL_BITS)
    where = {"first_token": token0, "first_channel": 16 * first}
    for element, want in (
        (Element.INT16, residual_view(values.astype(np.int32)).astype("<i2")),
        (Element.INT32, values.astype("<i4")),
    ):
        given = command(Store.RES, Store.NONE, element, tokens, width, **where)
        await bench.execute(given, whole)
        written(bench, want)


async def activations_out(bench: Bench, tokens: int, width: int, first: int) -> None:
    rng = np.random.default_rng(width + first)
    for store in (Store.XN, Store.QOH):
        values = rng.integers(-128, 128, (tokens, width)).astype(np.int8)
        for token, word in np.ndindex(tokens, width // 32):
            own = values[token, 32 * word : 32 * word + 32].tobytes()
            place = activation_place(token, word, tokens)
            bench.held[store.name.lower()][place] = int.from_bytes(own, "little")
        await bench.execute(command(store, Store.NONE, Element.INT8, tokens, width), tokens)
        written(bench, values)


async def plan_out(bench: Bench, tokens: int, width: int, first: int) -> None:
    rng, layout = np.random.default_rng(tokens + width), Dma(MACHINE).plan.plan
    for ranks in range(1, MACHINE.max_top_k + 1):
        experts = rng.integers(0, MACHINE.max_experts, (tokens, layout.length))
        weights = rng.integers(0, 1 << 16, (tokens, layout.length))
        want = np.zeros((tokens, ranks), [("expert", "u1"), ("zero", "u1"), ("weight", "<u2")])
        want["expert"], want["weight"] = experts[:, :ranks], weights[:, :ranks]
        for token in range(tokens):
            entries = [
                {"present": 1, "expert": int(e), "weight": int(w)}
                for e, w in zip(experts[token], weights[token], strict=True)
            ]
            bench.plan[first + token] = Const.cast(layout.const(entries)).value
        given = command(Store.PLAN, Store.NONE, Element.PLAN, tokens, ranks, first_token=first)
        await bench.execute(given, tokens)
        written(bench, want)


async def residual_in(bench: Bench, tokens: int, width: int, first: int) -> None:
    """Into the middle of a larger image's residual."""
    whole, token0 = tokens + 3, 2 - first % 2
    values = np.frombuffer(bench.arrive(2 * tokens * width), "<i2").reshape(tokens, width)
    bench.held["res"].clear()
    where = {"first_token": token0, "first_channel": 16 * first}
    given = command(Store.NONE, Store.RES, Element.INT16, tokens, width, **where)
    await bench.execute(given, whole)
    assert bench.held["res"] == {
        residual_place(token0 + token, first + word, whole): codes(
            values[token, 16 * word : 16 * word + 16].astype(np.int64) << RESIDUAL_GUARD_BITS,
            RESIDUAL_BITS,
        )
        for token, word in np.ndindex(tokens, width // 16)
    }
    assert len(bench.stream) in (1, 2), "one word of the next command may wait in the unit"


async def image_in(bench: Bench, tokens: int, width: int, first: int) -> None:
    """Words of XN in order; of a row that ends with half a word only that half counts."""
    elements = width + 16 * (first % 2)
    values = np.frombuffer(bench.arrive(tokens * elements), np.int8).reshape(tokens, elements)
    bench.to_xn, bench.begun = [], []
    await bench.execute(command(Store.NONE, Store.XN, Element.INT8, tokens, elements), tokens + 1)
    assert bench.begun == [(tokens, elements // 16)]
    words = -(-elements // 32)
    got = np.frombuffer(b"".join(w.to_bytes(32, "little") for w in bench.to_xn), np.int8)
    assert len(bench.to_xn) == tokens * words
    np.testing.assert_array_equal(got.reshape(tokens, 32 * words)[:, :elements], values)
    assert len(bench.stream) in (1, 2), "one word of the next command may wait in the unit"


ROUTES: Mapping[str, Callable[[Bench, int, int, int], Any]] = {
    each.__name__: each for each in (residual_out, activations_out, plan_out, residual_in, image_in)
}


@cocotb.test()
async def every_route(dut: Any) -> None:
    """At full speed, then with refusals, in an order that is never the same."""
    for share in (0.0, 0.4):
        bench = await begin(dut, share, 60)
        for tokens, width, first in SHAPES:
            for route in bench.rng.sample(list(ROUTES.values()), len(ROUTES)):
                await route(bench, tokens, min(width, 64) if share else width, first)
                assert not bench.writing


def test_dma() -> None:
    run_bench(Dma(MACHINE), __name__, ("every_route",))
