"""DMA against golden: every route, with memory and stores that make it wait."""

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

from m3vit.hw.commands.fields import Element, Flag, Op, Store
from m3vit.hw.commands.word import Command, encode
from m3vit.hw.formats import RESIDUAL_BITS, RESIDUAL_GUARD_BITS
from m3vit.hw.golden.layernorm import residual_view
from m3vit.hw.machine import machine_preset
from m3vit.rtl.dma import Dma
from tests.rtl.bench.player import start
from tests.rtl.bench.runner import run_bench

MACHINE = machine_preset("mini")
BEAT = 16
BASES = (0x10000, 0x20000, 0x30000, 0x40000)
MASK = (1 << RESIDUAL_BITS) - 1
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
    """Memory and stores around the unit; everything may refuse at random."""

    dut: Any
    rng: random.Random
    share: float
    memory: bytearray = field(default_factory=lambda: bytearray(1 << 19))
    res: dict[Place, int] = field(default_factory=dict)
    xn: dict[Place, int] = field(default_factory=dict)
    qoh: dict[Place, int] = field(default_factory=dict)
    plan: dict[int, int] = field(default_factory=dict)
    reading: deque[int] = field(default_factory=deque)
    writing: deque[int] = field(default_factory=deque)
    late: dict[str, deque[int]] = field(default_factory=dict)

    def may(self) -> int:
        return int(self.rng.random() >= self.share)

    async def cycle(self) -> bool:
        """One clock; whether the unit is busy."""
        d = self.dut
        for name in ("read_ready", "write_ready", "out_ready"):
            getattr(d, name).value = self.may()
        for name in ("xn_ready", "qoh_ready", "res_read_ready", "res_write_ready"):
            getattr(d, name).value = self.may()
        d.xn_write_ready.value, d.write_idle.value = self.may(), int(not self.writing)
        offered = bool(self.reading) and bool(self.may() or int(d.data_valid.value))
        d.data_valid.value = int(offered)
        if offered:
            at = self.reading[0]
            d.data.value = int.from_bytes(self.memory[at : at + BEAT], "little")
        for name, delay in (("res", 3), ("xn", 3), ("qoh", 3), ("plan", 2)):
            line = self.late.setdefault(name, deque([0] * delay))
            port = d.plan_entry if name == "plan" else getattr(d, f"{name}_data")
            port.value = line[0]
        await ReadOnly()
        busy = bool(int(d.busy.value))
        self._regions()
        self._beats(offered)
        self._stores()
        await RisingEdge(d.clk)
        await Timer(1, "ns")
        return busy

    def _regions(self) -> None:
        d = self.dut
        for name, beats in (("read", self.reading), ("write", self.writing)):
            if int(getattr(d, f"{name}_valid").value) and int(getattr(d, f"{name}_ready").value):
                first = int(getattr(d, f"{name}_address").value)
                count = int(getattr(d, f"{name}_beats").value)
                beats.extend(range(first, first + BEAT * count, BEAT))

    def _beats(self, offered: bool) -> None:
        d = self.dut
        if offered and int(d.data_ready.value):
            self.reading.popleft()
        if int(d.out_valid.value) and int(d.out_ready.value):
            at = self.writing.popleft()
            self.memory[at : at + BEAT] = int(d.out.value).to_bytes(BEAT, "little")

    def _stores(self) -> None:
        d = self.dut
        here = (int(d.bank.value), int(d.row.value))
        place = int(d.res_place.value)
        there = (place & 7, place >> 3)
        found = {"res": self.res.get(there, 0), "plan": self.plan.get(int(d.plan_token.value), 0)}
        found |= {"xn": self.xn.get(here, 0), "qoh": self.qoh.get(here, 0)}
        for name, value in found.items():
            self.late[name].popleft()
            self.late[name].append(value)
        if int(d.res_write.value) and int(d.res_write_ready.value):
            self.res[there] = int(d.res_data_out.value)
        if int(d.xn_write.value) and int(d.xn_write_ready.value):
            quarter, enables = (1 << 64) - 1, int(d.xn_mask.value)
            mask = sum(quarter << 64 * i for i in range(4) if enables >> i & 1)
            old = self.xn.get(here, 0)
            self.xn[here] = old & ~mask | int(d.xn_data_out.value) & mask

    async def execute(self, command: Command, tokens: int) -> None:
        """One command to its end."""
        d = self.dut
        d.word.value = int.from_bytes(encode(command), "little")
        d.half_tokens.value = -(-tokens // 2)
        d.start.value = 1
        await self.cycle()
        d.start.value = 0
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
    for name in ("start", "word", "half_tokens", "data_valid", "data"):
        getattr(dut, name).value = 0
    dut.bases.value = sum(base << 48 * i for i, base in enumerate(BASES))
    await start(dut)
    return Bench(dut, random.Random(seed), share)


SHAPES = ((5, 96), (8, 32), (1, 192), (13, 64))


async def residual_out(bench: Bench, tokens: int, width: int) -> None:
    values = np.random.default_rng(tokens).integers(-(1 << 17), 1 << 17, (tokens, width))
    values[0, :4] = [(1 << 17) - 1, (1 << 17) - 2, -(1 << 17), -1]
    for token, word in np.ndindex(tokens, width // 16):
        own = values[token, 16 * word : 16 * word + 16]
        bench.res[residual_place(token, word, tokens)] = codes(own, RESIDUAL_BITS)
    for element, want in (
        (Element.INT16, residual_view(values.astype(np.int32)).astype("<i2")),
        (Element.INT32, values.astype("<i4")),
    ):
        await bench.execute(command(Store.RES, Store.NONE, element, tokens, width), tokens)
        assert bench.memory[AT : AT + want.nbytes] == want.tobytes()


async def activations_out(bench: Bench, tokens: int, width: int) -> None:
    rng = np.random.default_rng(width)
    for store, held in ((Store.XN, bench.xn), (Store.QOH, bench.qoh)):
        values = rng.integers(-128, 128, (tokens, width)).astype(np.int8)
        for token, word in np.ndindex(tokens, width // 32):
            own = values[token, 32 * word : 32 * word + 32].tobytes()
            held[activation_place(token, word, tokens)] = int.from_bytes(own, "little")
        await bench.execute(command(store, Store.NONE, Element.INT8, tokens, width), tokens)
        assert bench.memory[AT : AT + values.size] == values.tobytes()


async def plan_out(bench: Bench, tokens: int, width: int) -> None:
    rng, layout = np.random.default_rng(tokens + width), Dma(MACHINE).plan
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
            bench.plan[token] = Const.cast(layout.const(entries)).value
        await bench.execute(command(Store.PLAN, Store.NONE, Element.PLAN, tokens, ranks), tokens)
        assert bench.memory[AT : AT + want.nbytes] == want.tobytes()


async def residual_in(bench: Bench, tokens: int, width: int) -> None:
    """Into the middle of a larger image's residual."""
    whole, first = tokens + 3, 2
    values = np.random.default_rng(1).integers(-(1 << 15), 1 << 15, (tokens, width)).astype("<i2")
    bench.memory[AT : AT + values.nbytes] = values.tobytes()
    bench.res.clear()
    given = command(
        Store.NONE, Store.RES, Element.INT16, tokens, width, first_token=first, first_channel=32
    )
    await bench.execute(given, whole)
    want = {
        residual_place(first + token, 2 + word, whole): codes(
            values[token, 16 * word : 16 * word + 16].astype(np.int64) << RESIDUAL_GUARD_BITS,
            RESIDUAL_BITS,
        )
        for token, word in np.ndindex(tokens, width // 16)
    }
    assert bench.res == want


async def image_in(bench: Bench, tokens: int, width: int) -> None:
    elements = 8 * width
    values = np.random.default_rng(2).integers(-128, 128, (tokens, elements)).astype(np.int8)
    bench.memory[AT : AT + values.size] = values.tobytes()
    bench.xn.clear()
    await bench.execute(command(Store.NONE, Store.XN, Element.INT8, tokens, elements), tokens + 1)
    want = {
        activation_place(token, word, tokens): int.from_bytes(
            values[token, 32 * word : 32 * word + 32].tobytes(), "little"
        )
        for token, word in np.ndindex(tokens, elements // 32)
    }
    assert bench.xn == want


ROUTES: Mapping[str, Callable[[Bench, int, int], Any]] = {
    each.__name__: each for each in (residual_out, activations_out, plan_out, residual_in, image_in)
}


@cocotb.test()
async def every_route(dut: Any) -> None:
    """At full speed, then with refusals."""
    for share in (0.0, 0.4):
        bench = await begin(dut, share, 60)
        for tokens, width in SHAPES if share else SHAPES[:2]:
            for route in ROUTES.values():
                await route(bench, tokens, min(width, 64) if share else width)
                assert not bench.reading and not bench.writing


def test_dma() -> None:
    run_bench(Dma(MACHINE), __name__, ("every_route",))
