"""Retire: empties the results' FIFO in order into QOH, K, V, the residual and the gate."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.formats import RESIDUAL_BITS
from m3vit.hw.machine import MachineConfig
from m3vit.rtl.activations import WORD_BITS, Activations, in_half, unit_address
from m3vit.rtl.key_value_write import key_write, value_write
from m3vit.rtl.library import delayed, lanes, register
from m3vit.rtl.loader import kv_depth
from m3vit.rtl.passes import NUMBER_BITS, TOKEN_BITS, Post
from m3vit.rtl.residual import ResidualAdd
from m3vit.rtl.residual_store import CHANNELS, ResidualStore, bank_of, place_layout, row_of
from m3vit.rtl.residual_store import WORD_BITS as RESIDUAL_WORD
from m3vit.rtl.results import result_layout
from m3vit.rtl.weigh import ONE, WEIGHT_BITS, Weigh

_UNIT = RESIDUAL_BITS * CHANNELS
_SETTLED = 14
"""Cycles from a unit's acceptance until its write can be read."""
_REVISIT = 6
"""Cycles between the same word of two pairs: longer than read, add, write."""
_VALUE_CYCLES = 4


class Retire(Component):
    """Ports: ``results``; the write port of QOH, the retire ports of RES, the write port of K and V
    (one address for all groups), V's sums, and ``gate`` (a result, when its post is GATE).

    Constants of an operation: ``tokens`` T, ``half_tokens`` ceil(T/2), ``query_steps``,
    ``value_columns``.  Counters: ``retired`` number, ``published`` tokens whose residual is
    complete (cleared by ``publish_clear``, all with ``publish_all``).  ``saturated``: additions
    that saturated in a cycle.
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.machine = machine
        self.groups, self.chains = machine.groups, machine.chains
        row, word = len(Activations(machine).write_row), machine.chains * machine.columns
        self.place = place_layout(machine)
        layout = result_layout(machine)
        super().__init__(
            {
                "results": In(stream.Signature(layout)),
                "tokens": In(TOKEN_BITS),
                "half_tokens": In(TOKEN_BITS),
                "query_steps": In(4),
                "value_columns": In(4),
                "qoh_write": Out(1),
                "qoh_ready": In(1),
                "qoh_bank": Out(2),
                "qoh_row": Out(row),
                "qoh_data": Out(WORD_BITS),
                "qoh_mask": Out(4),
                "res_read": Out(1),
                "res_read_place": Out(self.place),
                "res_data": In(RESIDUAL_WORD),
                "res_write": Out(1),
                "res_write_place": Out(self.place),
                "res_write_data": Out(RESIDUAL_WORD),
                "kv_address": Out(range(kv_depth(machine))),
                "kv_mask": Out(word),
                "kv_data": Out(8 * word * machine.groups),
                "sum_add": Out(1),
                "v0": Out(8 * machine.panel),
                "v1": Out(8 * machine.panel),
                "gate": Out(stream.Signature(layout)),
                "retired": Out(NUMBER_BITS),
                "published": Out(TOKEN_BITS),
                "publish_clear": In(1),
                "publish_all": In(1),
                "saturated": Out(8),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A counter of steps in a result; units of 16 channels behind it."""
        m = Module()
        self.result: Any = self.results.payload
        self.target: Any = self.result.target
        self.count = Signal(5)
        self.advance, self.moves, self.ends = Signal(), Signal(), Signal()
        m.d.comb += [
            self.advance.eq(~self.qoh_write | self.qoh_ready),
            self.moves.eq(self.results.valid & self.advance & ~self._gate_blocks(m)),
            self.ends.eq(self.count == self._steps(m) - 1),
            self.results.ready.eq(self.moves & self.ends),
        ]
        with m.If(self.moves):
            m.d.sync += self.count.eq(Mux(self.ends, 0, self.count + 1))
        self._units(m)
        self._keys_and_values(m)
        self._account(m)
        return m

    def _gate_blocks(self, m: Module) -> Value:
        gate = self.target.post == Post.GATE
        m.d.comb += [
            Value.cast(self.gate.payload).eq(Value.cast(self.result)),
            self.gate.valid.eq(self.results.valid & gate & self.advance),
        ]
        return gate & ~self.gate.ready

    def _steps(self, m: Module) -> Value:
        """Cycles that a result takes."""
        steps = Signal(5)
        with m.Switch(self.target.post):
            with m.Case(Post.VALUE):
                m.d.comb += steps.eq(_VALUE_CYCLES)
            with m.Case(Post.KEY):
                m.d.comb += steps.eq(CHANNELS // self.chains)
            with m.Case(Post.GATE):
                m.d.comb += steps.eq(1)
            with m.Default():
                m.d.comb += steps.eq(max(2 * self.groups, _REVISIT))
        return steps

    def _units(self, m: Module) -> None:
        """16 channels of one member a cycle: QOH at once, the residual through the adder."""
        t = self.target
        member, group = Signal(), Signal(range(max(2, self.groups)))
        m.d.comb += [
            member.eq(self.count >= self.groups),
            group.eq(Mux(member, self.count - self.groups, self.count)),
        ]
        unit = Signal(8)
        m.d.comb += unit.eq(
            t.column
            + sum(Mux(group == g, (t.group_step * g)[:8], 0) for g in range(1, self.groups))
        )
        exists = (unit < t.limit) & (~member | t.both) & (self.count < 2 * self.groups)
        picked = self.result.values.word_select(Cat(member, group)[: len(group) + 1], _UNIT)
        hidden = (t.post == Post.HIDDEN) | (t.post == Post.GELU) | (t.post == Post.OUTPUT)
        residual = t.post == Post.RESIDUAL
        self.residual_unit = Signal()
        values, settled = register(_UNIT, "unit_values"), Signal()
        m.d.comb += settled.eq(self.moves & exists)
        with m.If(self.advance):
            m.d.sync += [
                values.eq(picked),
                self.qoh_write.eq(settled & hidden),
                self.residual_unit.eq(settled & residual),
            ]
        self._to_hidden(m, unit, member, values)
        self._to_residual(m, unit, member, values)

    def _to_hidden(self, m: Module, unit: Value, member: Value, values: Value) -> None:
        token = Cat(member, self.target.pair)
        bank, row, half = unit_address(unit[:7], token, self.tokens)
        half_held = Signal()
        with m.If(self.advance):
            m.d.sync += [self.qoh_bank.eq(bank), self.qoh_row.eq(row), half_held.eq(half)]
        codes = Cat(value[:8] for value in lanes(values, RESIDUAL_BITS))
        word, mask = in_half(codes, half_held)
        m.d.comb += [self.qoh_data.eq(word), self.qoh_mask.eq(mask)]

    def _to_residual(self, m: Module, unit: Value, member: Value, values: Value) -> None:
        t = self.target
        token, weight = Signal(TOKEN_BITS), register(WEIGHT_BITS, "weight")
        guard, place = register(3, "guard"), Signal(self.place)
        m.d.comb += token.eq(Mux(member, t.entry.token1, t.entry.token0) + t.first_token)
        with m.If(self.advance):
            m.d.sync += [
                place.bank.eq(bank_of(unit, token)),
                place.row.eq(row_of(unit, token, self.half_tokens)),
                weight.eq(Mux(t.weighted, Mux(member, t.entry.weight1, t.entry.weight0), ONE)),
                guard.eq(Mux(t.weighted, t.guard, 0)),
            ]
        m.submodules.weigh = weigh = Weigh(CHANNELS)
        m.submodules.add = add = ResidualAdd(CHANNELS)
        lead = Weigh.LATENCY - ResidualStore.LATENCY
        total = Weigh.LATENCY + ResidualAdd.LATENCY
        pulses = _pulses(m, self.residual_unit & self.advance, total, "residual")
        places = [Value.cast(place)]
        for stage in range(total):
            places.append(delayed(m, places[-1], 1, f"place{stage}"))
        m.d.comb += [
            weigh.y.eq(values),
            weigh.w.eq(weight),
            weigh.guard.eq(guard),
            self.res_read.eq(pulses[lead]),
            Value.cast(self.res_read_place).eq(places[lead]),
            add.old.eq(self.res_data),
            add.term.eq(weigh.term),
            add.enable.eq(pulses[Weigh.LATENCY]),
            self.res_write.eq(pulses[total]),
            Value.cast(self.res_write_place).eq(places[total]),
            self.res_write_data.eq(add.y),
        ]
        m.d.comb += self.saturated.eq(add.saturated)

    def _codes(self, member: int) -> list[Value]:
        """int8 [G][C] of one member."""
        return [
            value[:8]
            for group in lanes(self.result.values, 2 * _UNIT)
            for value in lanes(group[member * _UNIT : (member + 1) * _UNIT], RESIDUAL_BITS)
        ]

    def _keys_and_values(self, m: Module) -> None:
        t, machine = self.target, self.machine
        codes = [self._codes(member) for member in range(2)]
        m.d.comb += [
            self.v0.eq(Cat(*codes[0])),
            self.v1.eq(Cat(*codes[1])),
            self.sum_add.eq(self.moves & (t.post == Post.VALUE) & (self.count == 0)),
        ]
        place = (self.machine, t, self.count, codes)
        key_mask, key_data, key_address = key_write(*place, self.query_steps)
        value_mask, value_data, value_address = value_write(*place, self.value_columns)
        base = kv_depth(machine) // 2
        with m.If(self.moves & (t.post == Post.KEY)):
            m.d.comb += self.kv_mask.eq(key_mask)
        with m.Elif(self.moves & (t.post == Post.VALUE) & (self.count < 2)):
            m.d.comb += self.kv_mask.eq(value_mask)
        is_key = t.post == Post.KEY
        m.d.comb += [
            self.kv_address.eq(Mux(is_key, key_address, value_address + base)),
            self.kv_data.eq(Mux(is_key, Cat(*key_data), Cat(*value_data))),
        ]

    def _account(self, m: Module) -> None:
        """Numbers and tokens become visible when the writes have settled."""
        t = self.target
        done = Signal()
        number, token = register(NUMBER_BITS, "number"), register(TOKEN_BITS, "token")
        publish = register(1, "publish")
        end = Signal(TOKEN_BITS + 1)
        m.d.comb += end.eq((t.pair << 1) + 2)
        last = Mux(t.gather, self.tokens, Mux(end > t.tokens, t.tokens, end) + t.first_token)
        with m.If(self.advance):
            m.d.sync += [
                done.eq(self.moves & self.ends & t.final),
                number.eq(t.number),
                publish.eq(t.publish),
                token.eq(last),
            ]
        late = _pulses(m, done & self.advance, _SETTLED, "settled")[-1]
        tail = delayed(m, Cat(number, token, publish), _SETTLED, "tail")
        with m.If(self.publish_clear):
            m.d.sync += self.published.eq(0)
        with m.If(late):
            m.d.sync += self.retired.eq(tail[:NUMBER_BITS])
            with m.If(tail[-1]):
                m.d.sync += self.published.eq(tail[NUMBER_BITS:-1])
        with m.If(self.publish_all):
            m.d.sync += self.published.eq(self.tokens)
        m.d.comb += self.busy.eq(self.results.valid)


def _pulses(m: Module, pulse: Value, cycles: int, name: str) -> list[Any]:
    """The pulse after 0, 1 .. ``cycles`` cycles."""
    late: list[Any] = [pulse]
    for stage in range(cycles):
        held = Signal(name=f"{name}{stage}")
        m.d.sync += held.eq(late[-1])
        late.append(held)
    return late
