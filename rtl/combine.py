"""Adds results to the residual: a queue of pairs, gate scores, read-add-saturate-write.

Golden ``expert.add_experts``, ``add_dense`` and ``residual.add``: contributions are added in the
order in which they come.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.formats import RESIDUAL_BITS
from m3vit.rtl.fifo import Fifo
from m3vit.rtl.library import delayed, lanes, register, shared
from m3vit.rtl.residual import ResidualAdd
from m3vit.rtl.weigh import GUARD_BITS, WEIGHT_BITS, Weigh

TOKEN_BITS = 12
COLUMN_BITS = 7
COUNTER_BITS = 32

_ISSUE = 1


def contribution(groups: int, columns: int) -> data.StructLayout:
    """One queued pair: tokens, weights (2^16: 1), g, first word of group 0, results."""
    return data.StructLayout(
        {
            "token": data.ArrayLayout(TOKEN_BITS, 2),
            "present": data.ArrayLayout(1, 2),
            "weight": data.ArrayLayout(WEIGHT_BITS, 2),
            "guard": GUARD_BITS,
            "column": COLUMN_BITS,
            "y": data.ArrayLayout(data.ArrayLayout(columns * RESIDUAL_BITS, groups), 2),
        }
    )


class Combine(Component):
    """Two residual words of C channels a cycle, G + 1 cycles a pair (one to compare tokens).

    In cycle i member 0 takes the word of group i and member 1 that of group i + 1 mod G, so that
    the two words lie in different banks for any two tokens.

    Ports: ``w_valid``, ``w_ready``, ``w_data`` (see contribution); ``grant``: the store can take
    two reads this cycle; ``read_enable`` [2], ``read_token``, ``read_word`` [2];
    ``read_data`` ``read_latency`` cycles later; ``write_enable``, ``write_token``,
    ``write_word``, ``write_data`` [2]; ``done`` counts pairs written; ``saturations``;
    ``clear`` zeroes both.

    A pair waits while one of its tokens is in flight with the same word.
    """

    def __init__(self, *, groups: int, columns: int, depth: int, read_latency: int) -> None:
        self.groups, self.columns, self.depth = groups, columns, depth
        self.read_latency = read_latency
        self.layout = contribution(groups, columns)
        self.word_bits = columns * RESIDUAL_BITS
        if not 1 <= read_latency <= Weigh.LATENCY:
            raise ConfigurationError(
                f"combine: read_latency must be 1 to {Weigh.LATENCY}, not {read_latency}"
            )
        self.in_flight = _ISSUE + Weigh.LATENCY + ResidualAdd.LATENCY
        self.key_bits = COLUMN_BITS + 2 * (TOKEN_BITS + 1)
        self.module_name = f"combine_g{groups}_c{columns}_d{depth}_l{read_latency}"
        two = {"token": 2 * TOKEN_BITS, "word": 2 * COLUMN_BITS, "enable": 2}
        super().__init__(
            {
                "w_valid": In(1),
                "w_ready": Out(1),
                "w_data": In(self.layout.size),
                "grant": In(1),
                **{f"read_{name}": Out(width) for name, width in two.items()},
                "read_data": In(2 * self.word_bits),
                **{f"write_{name}": Out(width) for name, width in two.items()},
                "write_data": Out(2 * self.word_bits),
                "clear": In(1),
                "done": Out(COUNTER_BITS),
                "saturations": Out(COUNTER_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Queue, issue, multiply beside the read, add, write."""
        m = Module()
        m.submodules.queue = queue = Fifo(width=self.layout.size, depth=self.depth)
        head = data.View(self.layout, queue.r_data)
        step, go, checked = Signal(range(self.groups)), Signal(), Signal()
        final = step == self.groups - 1
        m.d.comb += [
            queue.w_valid.eq(self.w_valid),
            self.w_ready.eq(queue.w_ready),
            queue.w_data.eq(self.w_data),
            go.eq(checked & self.grant),
            queue.r_ready.eq(go & final),
        ]
        clash = self._clash(m, head, go & final)
        m.d.sync += checked.eq(queue.r_valid & ~clash & ~(go & final))
        with m.If(go):
            m.d.sync += step.eq(Mux(final, 0, step + 1))
        counts = [self._member(m, member, head, step, final, go) for member in range(2)]
        done, saturations = Signal(COUNTER_BITS), Signal(COUNTER_BITS)
        written = delayed(m, go & final, self.in_flight, "written")
        m.d.sync += [
            done.eq(Mux(self.clear, 0, done + written)),
            saturations.eq(Mux(self.clear, 0, saturations + counts[0] + counts[1])),
        ]
        m.d.comb += [self.done.eq(done), self.saturations.eq(saturations)]
        return m

    def _clash(self, m: Module, head: data.View, leaves: Value) -> Value:
        """Whether a token of the head, at the same column, is still between read and write."""
        ages = range(self.in_flight)
        flying = -(-self.in_flight // self.groups)
        slots = [Signal(self.key_bits, name=f"slot{index}") for index in range(flying)]
        timers = [Signal(ages, name=f"timer{index}") for index in range(flying)]
        for index, (slot, timer) in enumerate(zip(slots, timers, strict=True)):
            before = timers[index - 1] if index else None
            older = Mux(timer == 0, 0, timer - 1)
            newer = self.in_flight - 1 if before is None else Mux(before == 0, 0, before - 1)
            m.d.sync += timer.eq(Mux(leaves, newer, older))
            with m.If(leaves):
                m.d.sync += slot.eq(self._key(head) if index == 0 else slots[index - 1])
        return Cat(
            (timer != 0) & self._same(head, slot) for slot, timer in zip(slots, timers, strict=True)
        ).any()

    @staticmethod
    def _key(head: data.View) -> Value:
        return Cat(head.column, *(Cat(head.token[i], head.present[i]) for i in range(2)))

    @staticmethod
    def _same(head: data.View, slot: Value) -> Value:
        tokens = lanes(slot[COLUMN_BITS:], TOKEN_BITS + 1)
        mine = [Cat(head.token[i], head.present[i]) for i in range(2)]
        equal = Cat((one == other) & one[-1] for one in mine for other in tokens)
        return (slot[:COLUMN_BITS] == head.column) & equal.any()

    def _member(
        self, m: Module, member: int, head: data.View, step: Value, final: Value, go: Value
    ) -> Value:
        """Reads, multiplies, adds and writes one member's word; returns saturations."""
        group = step if member == 0 else Mux(final, 0, step + 1)[: len(step)]
        where = register(TOKEN_BITS + COLUMN_BITS, f"where{member}")
        enable = Signal(name=f"enable{member}")
        y = register(self.word_bits, f"y{member}")
        w, guard = register(WEIGHT_BITS, f"w{member}"), register(GUARD_BITS, f"guard{member}")
        m.d.sync += [
            enable.eq(go & head.present[member]),
            where.eq(Cat(head.token[member], (head.column + group)[:COLUMN_BITS])),
            y.eq(head.y[member][group]),
            w.eq(head.weight[member]),
            guard.eq(head.guard),
        ]
        term, result = Signal(self.word_bits), Signal(self.word_bits)
        count = Signal(self.columns.bit_length(), name=f"count{member}")
        m.submodules[f"weigh{member}"] = shared(
            Weigh(self.columns), y=y, w=w, guard=guard, term=term
        )
        old = lanes(self.read_data, self.word_bits)[member]
        m.submodules[f"add{member}"] = shared(
            ResidualAdd(self.columns),
            old=delayed(m, old, Weigh.LATENCY - self.read_latency, f"old{member}"),
            term=term,
            enable=delayed(m, enable, Weigh.LATENCY, f"add_enable{member}"),
            y=result,
            saturated=count,
        )
        late = Weigh.LATENCY + ResidualAdd.LATENCY
        there = delayed(m, where, late, f"write_where{member}")
        m.d.comb += [
            self.read_enable[member].eq(enable),
            lanes(self.read_token, TOKEN_BITS)[member].eq(where[:TOKEN_BITS]),
            lanes(self.read_word, COLUMN_BITS)[member].eq(where[TOKEN_BITS:]),
            self.write_enable[member].eq(delayed(m, enable, late, f"write_enable{member}")),
            lanes(self.write_token, TOKEN_BITS)[member].eq(there[:TOKEN_BITS]),
            lanes(self.write_word, COLUMN_BITS)[member].eq(there[TOKEN_BITS:]),
            lanes(self.write_data, self.word_bits)[member].eq(result),
        ]
        return count
