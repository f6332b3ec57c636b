"""The writer of XN: lanes and whole words, half last words, banks that are read for long."""

import random
from collections import Counter, deque
from typing import Any

import cocotb
from cocotb.triggers import ReadOnly, RisingEdge, Timer

from m3vit.hw.machine import machine_preset
from m3vit.rtl.activations import BANKS, CHANNELS
from m3vit.rtl.xn_writer import QUEUE, XnWriter
from tests.rtl.bench.player import start
from tests.rtl.bench.runner import run_bench

MACHINE = machine_preset("mini")
LANES = MACHINE.layernorm_lanes
LATE = 11
"""Cycles from a reserved place to the first of its lanes."""

INPUTS = ("start", "tokens", "width16", "reserve", "y", "y_valid", "word", "word_valid", "xn_ready")


class Bench:
    """LayerNorm or DMA in front of the writer, XN behind it."""

    def __init__(self, dut: Any, seed: int, share: float) -> None:
        self.dut, self.rng, self.share = dut, random.Random(seed), share
        self.blocked: set[int] = set()
        self.xn: dict[tuple[int, int], bytes] = {}
        self.written: Counter[int] = Counter()
        self.lanes: deque[tuple[int, int]] = deque()
        self.now = self.done = 0

    async def begin(self, tokens: int, units: int) -> None:
        """An operation with random rows; ``rows[t][w]``: word w of token t."""
        d = self.dut
        self.tokens, self.units, self.count = tokens, units, -(-units // 2)
        self.rows = [
            [self.rng.randbytes(CHANNELS) for _ in range(self.count)] for _ in range(tokens)
        ]
        self.xn, self.written, self.done = {}, Counter(), 0
        d.start.value, d.tokens.value, d.width16.value = 1, tokens, units
        await self.cycle()
        d.start.value, d.tokens.value, d.width16.value = 0, 0, 0
        for _ in range(2):
            await self.cycle()

    def place(self, token: int, word: int) -> tuple[int, int]:
        return word % BANKS, word // BANKS * self.tokens + token

    def whole(self, token: int, word: int) -> bytes | None:
        """What counts of a word that has been written."""
        data = self.xn.get(self.place(token, word))
        half = self.units % 2 and word == self.count - 1
        return data and (data[: CHANNELS // 2] if half else data)

    def complete(self) -> int:
        """Tokens from the first on that lie in XN."""
        tokens = range(self.tokens)
        missing = (t for t in tokens if any(not self.whole(t, w) for w in range(self.count)))
        return next(missing, self.tokens)

    async def cycle(self) -> None:
        d = self.dut
        bank = int(d.xn_bank.value)
        free = bank not in self.blocked and self.rng.random() >= self.share
        d.xn_ready.value = int(free)
        given = bool(self.lanes) and self.lanes[0][0] <= self.now
        given = given and self.rng.random() >= self.share
        d.y_valid.value = int(given)
        d.y.value = self.lanes.popleft()[1] if given else self.rng.getrandbits(8 * LANES)
        await ReadOnly()
        if int(d.xn_write.value) and free:
            place = (bank, int(d.xn_row.value))
            assert place not in self.xn, "written twice"
            self.xn[place] = int(d.xn_data.value).to_bytes(CHANNELS, "little")
            self.written[bank] += 1
        self.done += int(d.done.value)
        self.now += 1
        await RisingEdge(d.clk)
        await Timer(1, "ns")
        if not int(d.start.value):
            assert int(d.finished.value) <= self.complete()

    async def by_lanes(self, tokens: range) -> None:
        """LayerNorm: a token's places are reserved when there is room, its lanes come later."""
        for token in tokens:
            while not int(self.dut.room.value):
                await self.cycle()
            data = b"".join(self.rows[token])[: 16 * self.units]
            for at in range(0, len(data), LANES):
                self.lanes.append(
                    (self.now + LATE, int.from_bytes(data[at : at + LANES], "little"))
                )
            self.dut.reserve.value = 1
            await self.cycle()
            self.dut.reserve.value = 0

    async def by_words(self) -> None:
        """DMA: a word whenever there is room."""
        for row in self.rows:
            for word in row:
                while not int(self.dut.room.value) or self.rng.random() < self.share:
                    await self.cycle()
                self.dut.word.value = int.from_bytes(word, "little")
                self.dut.word_valid.value = 1
                await self.cycle()
                self.dut.word_valid.value = 0

    async def end(self) -> None:
        """Everything lies in XN; done came once and only then."""
        for _ in range(4000):
            if self.done:
                break
            assert int(self.dut.finished.value) <= self.tokens
            await self.cycle()
        assert self.complete() == self.tokens == int(self.dut.finished.value)
        for _ in range(10):
            await self.cycle()
        assert self.done == 1 and sum(self.written.values()) == self.tokens * self.count
        for token, row in enumerate(self.rows):
            for word, data in enumerate(row):
                got = self.whole(token, word)
                assert got == data[: len(got or b"")]


async def ready(dut: Any, seed: int, share: float) -> Bench:
    for name in INPUTS:
        getattr(dut, name).value = 0
    await start(dut)
    return Bench(dut, seed, share)


SHAPES = ((5, 6), (1, 1), (9, 3), (7, 2), (12, MACHINE.max_width // 16), (3, 9), (40, 8))
"""Tokens, units of 16 channels: fewer words than banks, half last words."""


@cocotb.test()
async def lanes_and_words_reach_their_places(dut: Any) -> None:
    for share in (0.0, 0.4):
        bench = await ready(dut, 17, share)
        for tokens, units in SHAPES:
            await bench.begin(tokens, units)
            await bench.by_lanes(range(tokens))
            await bench.end()
            await bench.begin(tokens, units)
            await bench.by_words()
            await bench.end()


@cocotb.test()
async def a_bank_that_is_read_holds_up_no_other(dut: Any) -> None:
    """Behind a closed bank every other bank takes the tokens that its queue has room for."""
    bench = await ready(dut, 18, 0.0)
    for closed in range(BANKS):
        bench.blocked = {closed}
        await bench.begin(2 * QUEUE, 2 * BANKS)
        await bench.by_lanes(range(QUEUE))
        for _ in range(QUEUE * BANKS * CHANNELS // LANES + 100):
            await bench.cycle()
        assert not int(dut.room.value) and int(dut.finished.value) == 0
        others = {bank: QUEUE for bank in range(BANKS) if bank != closed}
        assert bench.written == others
        bench.blocked = set()
        await bench.by_lanes(range(QUEUE, 2 * QUEUE))
        await bench.end()


@cocotb.test()
async def a_word_a_cycle(dut: Any) -> None:
    """Whole rows of DMA at full speed."""
    bench = await ready(dut, 19, 0.0)
    await bench.begin(32, 2 * BANKS)
    began = bench.now
    await bench.by_words()
    await bench.end()
    assert bench.now - began <= 32 * BANKS + 20


TESTS = (
    "lanes_and_words_reach_their_places",
    "a_bank_that_is_read_holds_up_no_other",
    "a_word_a_cycle",
)


def test_xn_writer() -> None:
    run_bench(XnWriter(MACHINE), __name__, TESTS)
