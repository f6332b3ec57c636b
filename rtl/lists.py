"""Token lists of the live experts, in ascending order, built one ahead of the array.

An expert's list is found by scanning the records once, a token a cycle: no sort, no queue a
token could overflow, and no memory that grows with the number of experts.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from m3vit.rtl.library import delayed, register
from m3vit.rtl.memory import Memory
from m3vit.rtl.plan import WEIGHT_BITS, PlanStore, record

BUFFERS = 2


class ExpertLists(Component):
    """Lists of (token, weight) of every expert with tokens, experts ascending.

    Ports: ``start`` with ``tokens`` T and ``experts`` E once the plan is complete; ``live``,
    ``ra``, ``read`` to the plan; a list is offered by ``valid`` with ``expert``, ``count`` and
    ``buffer``, taken by ``ready`` and read until ``free`` gives the oldest back; ``exhausted``
    when all have been taken.  Reading:
    ``pair`` and ``which`` buffer; ``READ_LATENCY`` cycles later ``token`` [2], ``weight`` [2] of
    entries 2 * pair and 2 * pair + 1.  ``direct`` makes a list of one token by itself, into the
    buffer ``filling``, in which it is when ``listed``; ``held`` lists are built and not free.

    A list takes T + 6 cycles, behind which the search for the next live expert takes one cycle
    an expert.
    """

    READ_LATENCY = 2

    def __init__(self, *, max_tokens: int, max_experts: int, top_k: int) -> None:
        self.max_tokens, self.max_experts, self.top_k = max_tokens, max_experts, top_k
        self.token_bits = max(1, (max_tokens - 1).bit_length())
        self.index_bits = max(1, (max_experts - 1).bit_length())
        self.count_bits = max_tokens.bit_length()
        self.layout = record(top_k, self.index_bits)
        pair_bits = max(1, self.token_bits - 1)
        super().__init__(
            {
                "start": In(1),
                "tokens": In(self.count_bits),
                "experts": In(self.index_bits + 1),
                "live": In(max_experts),
                "ra": Out(self.token_bits),
                "read": In(self.layout.size),
                "valid": Out(1),
                "ready": In(1),
                "free": In(1),
                "expert": Out(self.index_bits),
                "count": Out(self.count_bits),
                "buffer": Out(1),
                "exhausted": Out(1),
                "pair": In(pair_bits),
                "which": In(1),
                "token": Out(2 * self.token_bits),
                "weight": Out(2 * WEIGHT_BITS),
                "direct": In(1),
                "direct_expert": In(self.index_bits),
                "direct_token": In(self.token_bits),
                "direct_weight": In(WEIGHT_BITS),
                "filling": Out(1),
                "listed": Out(1),
                "held": Out(range(BUFFERS + 1)),
            }
        )
        self.pair_bits = pair_bits

    def elaborate(self, platform: object) -> Module:
        """Builder and offered lists."""
        m = Module()
        number, filled = register(self.index_bits, "number"), Signal(self.count_bits)
        done, buffer = self.listed, self.filling
        held, offered = self.held, Signal(range(BUFFERS + 1))
        scanning = self._build(m, number, done, held, offered)
        self._match(m, number, scanning, buffer, filled, done)
        m.d.sync += held.eq(held + done - self.free)
        self._offer(m, number, filled, done, buffer, offered)
        return m

    def _build(self, m: Module, number: Signal, done: Value, held: Value, offered: Value) -> Value:
        """Search for a live expert, scan when a buffer is free; returns the scan's flags."""
        place, active, token = Signal(self.index_bits + 1), Signal(), Signal(self.token_bits)
        scan, waiting = Signal(), Signal()
        final = token == self.tokens - 1
        found = self.live.bit_select(place[: self.index_bits], 1)
        idle = ~scan & ~waiting
        with m.If(self.start):
            m.d.sync += [place.eq(0), active.eq(1)]
        with m.Elif(active & idle & (place == self.experts)):
            m.d.sync += active.eq(0)
        with m.Elif(active & idle & (held != BUFFERS)):
            m.d.sync += [place.eq(place + 1), scan.eq(found), token.eq(0)]
            m.d.sync += number.eq(place)
        with m.Elif(scan):
            m.d.sync += [token.eq(token + 1), scan.eq(~final), waiting.eq(final)]
        with m.Elif(done):
            m.d.sync += waiting.eq(0)
        m.d.comb += [
            self.ra.eq(token),
            self.exhausted.eq(~active & idle & (offered == 0)),
        ]
        return Cat(scan, scan & final, token)

    def _match(
        self,
        m: Module,
        number: Value,
        scanning: Value,
        buffer: Value,
        filled: Signal,
        done: Signal,
    ) -> None:
        late = PlanStore.READ_LATENCY
        now = delayed(m, scanning, late, "now")
        hits = [
            rank.present & (rank.expert == number) for rank in data.View(self.layout, self.read)
        ]
        weights = [rank.weight for rank in data.View(self.layout, self.read)]
        weight, token = (
            register(WEIGHT_BITS, "entry_weight"),
            register(self.token_bits, "entry_token"),
        )
        hit, last = Signal(), Signal()
        chosen = [Mux(one, value, 0) for one, value in zip(hits, weights, strict=True)]
        combined = chosen[0]
        for other in chosen[1:]:
            combined = combined | other
        with m.If(self.direct):
            m.d.sync += number.eq(self.direct_expert)
        m.d.sync += [
            weight.eq(Mux(self.direct, self.direct_weight, combined)),
            token.eq(Mux(self.direct, self.direct_token, now[2:])),
            hit.eq(self.direct | (now[0] & Cat(*hits).any())),
            last.eq(self.direct | now[1]),
            done.eq(last),
            filled.eq(Mux(done, 0, filled + hit)),
        ]
        self._buffers(m, Cat(token, weight), hit, filled, buffer)

    def _buffers(self, m: Module, entry: Value, hit: Value, filled: Value, buffer: Value) -> None:
        words = []
        for parity in range(2):
            store = Memory(
                depth=BUFFERS << self.pair_bits,
                width=len(entry),
                style="block",
                latency=self.READ_LATENCY,
            )
            m.submodules[f"entries{parity}"] = store
            m.d.comb += [
                store.we.eq(hit & (filled[0] == parity)),
                store.wa.eq(Cat(filled[1 : 1 + self.pair_bits], buffer)),
                store.wd.eq(entry),
                store.ra0.eq(Cat(self.pair, self.which)),
            ]
            words.append(store.rd0)
        m.d.comb += self.token.eq(Cat(word[: self.token_bits] for word in words))
        m.d.comb += self.weight.eq(Cat(word[self.token_bits :] for word in words))

    def _offer(
        self, m: Module, number: Value, filled: Value, done: Value, buffer: Signal, offered: Signal
    ) -> None:
        """Up to two finished lists, the older one offered."""
        give = self.valid & self.ready
        bits = self.index_bits + self.count_bits
        slots = [register(bits, f"list{index}") for index in range(BUFFERS)]
        shown = Signal()
        m.d.sync += offered.eq(offered + done - give)
        with m.If(done):
            m.d.sync += buffer.eq(~buffer)
            for index, slot in enumerate(slots):
                with m.If(buffer == index):
                    m.d.sync += slot.eq(Cat(number, filled))
        with m.If(give):
            m.d.sync += shown.eq(~shown)
        m.d.comb += [
            self.valid.eq(offered != 0),
            self.buffer.eq(shown),
            Cat(self.expert, self.count).eq(Mux(shown, slots[1], slots[0])),
        ]
