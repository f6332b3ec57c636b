"""Retire: empties the results' FIFO in order into QOH, K, V, the residual and the gate."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.formats import RESIDUAL_BITS
from m3vit.hw.machine import MachineConfig
from m3vit.rtl.hidden_write import UNIT_BITS, HiddenWrite
from m3vit.rtl.key_value_write import key_write, value_write
from m3vit.rtl.library import delayed, lanes, register
from m3vit.rtl.loader import kv_depth
from m3vit.rtl.passes import NUMBER_BITS, TOKEN_BITS, Post
from m3vit.rtl.residual_store import CHANNELS
from m3vit.rtl.residual_write import ResidualWrite
from m3vit.rtl.results import result_layout
from m3vit.rtl.value_sums import ValueSums
from m3vit.rtl.weigh import ONE

_UNIT = RESIDUAL_BITS * CHANNELS
_COUNT_BITS = 5
_NEAR = 2
"""Groups up to this many units apart never meet in a bank of QOH; further apart, two at a time."""


class Retire(Component):
    """Ports: ``results``; those of HiddenWrite (QOH) and ResidualWrite (RES) to their stores; the
    write port of K and V (one address for all groups), V's sums, and ``gate`` (a result, when its
    post is GATE).

    Constants of an operation: ``tokens`` T, ``half_tokens`` ceil(T/2), ``query_steps``,
    ``value_columns``.  Counters: ``retired`` is the number of the last result that a pass may
    read, ``written`` the same for readers of the residual; ``published`` tokens whose residual is
    complete (cleared by ``publish_clear``, all with ``publish_all``).

    Cycles a pair: QOH 2 (4 with heads of 64 channels, which meet in a bank), residual ``groups``
    (at least 2), K 16 / chains, V 3, gate 1.  The residual's members take the groups in turns one
    apart, so that two tokens of equal parity do not meet in a bank; two passes of residuals keep
    a distance that lets the first one's last words be written before they can be wanted again.
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.machine = machine
        self.groups, self.chains = machine.groups, machine.chains
        self.turns = max(2, machine.groups)
        self.hidden, self.residual = HiddenWrite(machine), ResidualWrite(machine)
        word = machine.chains * machine.columns
        layout = result_layout(machine)
        super().__init__(
            {
                "results": In(stream.Signature(layout)),
                "tokens": In(TOKEN_BITS),
                "half_tokens": In(TOKEN_BITS),
                "query_steps": In(4),
                "value_columns": In(4),
                **_store_ports(self.hidden, ("reading", "write_")),
                **_store_ports(self.residual, ("read", "write", "data")),
                "kv_address": Out(range(kv_depth(machine))),
                "kv_mask": Out(word),
                "kv_data": Out(8 * word * machine.groups),
                "sum_add": Out(1),
                "v0": Out(8 * machine.panel),
                "v1": Out(8 * machine.panel),
                "gate": Out(stream.Signature(layout)),
                "retired": Out(NUMBER_BITS),
                "written": Out(NUMBER_BITS),
                "published": Out(TOKEN_BITS),
                "publish_clear": In(1),
                "publish_all": In(1),
                "saturated": Out(8),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A counter of steps in a result, its units, and their writers behind a register."""
        m = Module()
        self.result: Any = self.results.payload
        self.target: Any = self.result.target
        m.submodules.hidden, m.submodules.residual = self.hidden, self.residual
        for writer in (self.hidden, self.residual):
            for name, member in _store_ports(writer, ("reading", "read", "write", "data")).items():
                mine, its = Value.cast(getattr(self, name)), Value.cast(getattr(writer, name))
                m.d.comb += its.eq(mine) if member.flow == In else mine.eq(its)
        self._kinds(m)
        self._step(m)
        self._find_units(m)
        self._to_hidden(m)
        self._to_residual(m)
        self._keys_and_values(m)
        self._account(m)
        return m

    def _kinds(self, m: Module) -> None:
        post = self.target.post
        self.is_hidden, self.is_residual, self.is_gate = Signal(), Signal(), Signal()
        m.d.comb += [
            self.is_hidden.eq((post == Post.HIDDEN) | (post == Post.GELU) | (post == Post.OUTPUT)),
            self.is_residual.eq(post == Post.RESIDUAL),
            self.is_gate.eq(post == Post.GATE),
        ]

    def _step(self, m: Module) -> None:
        """``advance``: nothing waits for a bank; ``moves``: a step is taken; ``ends``: the last."""
        self.count, self.advance = Signal(_COUNT_BITS), Signal()
        self.moves, self.ends = Signal(), Signal()
        self.flows = Signal()
        """As ``moves``, for posts that never wait for the gate or for a distance."""
        distance = Signal(range(ResidualWrite.REVISIT))
        blocked = (self.is_gate & ~self.gate.ready) | (self.is_residual & (distance != 0))
        single = self.is_hidden & ~self.target.both
        m.d.comb += [
            self.advance.eq(self.hidden.free),
            self.flows.eq(self.results.valid & self.advance),
            self.moves.eq(self.flows & ~blocked),
            self.ends.eq(self.count == self._last_step(m)),
            self.results.ready.eq(self.moves & self.ends),
            Value.cast(self.gate.payload).eq(Value.cast(self.result)),
            self.gate.valid.eq(self.results.valid & self.is_gate & self.advance),
        ]
        with m.If(self.moves):
            m.d.sync += self.count.eq(Mux(self.ends, 0, self.count + Mux(single, 2, 1)))
        with m.If(self.moves & self.ends & self.is_residual & self.target.final):
            m.d.sync += distance.eq(ResidualWrite.REVISIT - 2)
        with m.Elif(distance != 0):
            m.d.sync += distance.eq(distance - 1)

    def _last_step(self, m: Module) -> Value:
        last, t = Signal(_COUNT_BITS), self.target
        self.far = Signal()
        m.d.comb += self.far.eq(t.group_step > _NEAR)
        with m.Switch(t.post):
            with m.Case(Post.VALUE):
                m.d.comb += last.eq(ValueSums.REVISIT - 1)
            with m.Case(Post.KEY):
                m.d.comb += last.eq(CHANNELS // self.chains - 1)
            with m.Case(Post.GATE):
                m.d.comb += last.eq(0)
            with m.Case(Post.RESIDUAL):
                m.d.comb += last.eq(self.turns - 1)
            with m.Default():
                m.d.comb += last.eq(Cat(t.both, self.far))
        return last

    def _find_units(self, m: Module) -> None:
        """Unit of 16 channels of every group, and whether there is one."""
        t = self.target
        self.units = [Signal(UNIT_BITS, name=f"unit{g}") for g in range(self.groups)]
        self.exists = Signal(self.groups)
        for group, unit in enumerate(self.units):
            m.d.comb += unit.eq(t.column + t.group_step * group)
        m.d.comb += self.exists.eq(Cat(unit < t.limit for unit in self.units))

    def _values(self, group: int, member: int) -> Value:
        """18 bits [16]."""
        at = (2 * group + member) * _UNIT
        values: Value = self.result.values[at : at + _UNIT]
        return values

    def _codes(self, member: int) -> list[Value]:
        """int8 [G * 16] of one member."""
        return [
            value[:8]
            for group in range(self.groups)
            for value in lanes(self._values(group, member), RESIDUAL_BITS)
        ]

    def _to_hidden(self, m: Module) -> None:
        """Members one after the other; far groups in two turns, the first two in front."""
        hidden, t = self.hidden, self.target
        member, second = self.count[0], self.count[1]
        turn = Cat(~self.far | (second == group // 2) for group in range(self.groups))
        later = self.units[min(2, self.groups - 1)]
        m.d.comb += [
            hidden.valid.eq(self.results.valid & self.is_hidden),
            hidden.codes.eq(Mux(member, Cat(*self._codes(1)), Cat(*self._codes(0)))),
            hidden.units.eq(Cat(*self.units)),
            hidden.here.eq(self.exists & turn),
            hidden.first.eq(Mux(second, later, t.column)),
            hidden.lift.eq(second & (later[3:] != t.column[3:])),
            hidden.row.eq(t.row),
            hidden.token.eq(Cat(member, t.pair)),
            hidden.tokens.eq(self.tokens),
        ]

    def _to_residual(self, m: Module) -> None:
        residual, t = self.residual, self.target
        m.d.comb += [
            residual.row.eq(t.row),
            residual.guard.eq(Mux(t.weighted, t.guard, 0)),
            residual.half_tokens.eq(self.half_tokens),
            self.saturated.eq(residual.saturated),
        ]
        for member in range(2):
            token, weight = (getattr(t.entry, f"{name}{member}") for name in ("token", "weight"))
            m.d.comb += [
                getattr(residual, f"token{member}").eq(token + t.first_token),
                getattr(residual, f"weight{member}").eq(Mux(t.weighted, weight, ONE)),
            ]
            self._turn(m, member)

    def _turn(self, m: Module, member: int) -> None:
        """The group that this member takes now."""
        residual, t = self.residual, self.target
        exists = self.moves & self.is_residual & (t.both if member else 1)
        with m.Switch(self.count):
            for step in range(self.turns):
                group = (step + member) % self.turns
                if group >= self.groups:
                    continue
                unit = self.units[group]
                with m.Case(step):
                    m.d.comb += [
                        getattr(residual, f"valid{member}").eq(exists & self.exists[group]),
                        getattr(residual, f"y{member}").eq(self._values(group, member)),
                        getattr(residual, f"unit{member}").eq(unit),
                        getattr(residual, f"next{member}").eq(unit[3] ^ t.column[3]),
                    ]

    def _keys_and_values(self, m: Module) -> None:
        t, machine = self.target, self.machine
        codes = [self._codes(member) for member in range(2)]
        m.d.comb += [
            self.v0.eq(Cat(*codes[0])),
            self.v1.eq(Cat(*codes[1])),
            self.sum_add.eq(self.flows & (t.post == Post.VALUE) & (self.count == 0)),
        ]
        place = (self.machine, t, self.count, codes)
        key_mask, key_data, key_address = key_write(*place, self.query_steps)
        value_mask, value_data, value_address = value_write(*place, self.value_columns)
        base = kv_depth(machine) // 2
        with m.If(self.flows & (t.post == Post.KEY)):
            m.d.comb += self.kv_mask.eq(key_mask)
        with m.Elif(self.flows & (t.post == Post.VALUE) & (self.count < 2)):
            m.d.comb += self.kv_mask.eq(value_mask)
        is_key = t.post == Post.KEY
        m.d.comb += [
            self.kv_address.eq(Mux(is_key, key_address, value_address + base)),
            self.kv_data.eq(Mux(is_key, Cat(*key_data), Cat(*value_data))),
        ]

    def _account(self, m: Module) -> None:
        """A result can be read by a pass when QOH has taken it, by others when RES has it."""
        t = self.target
        done, end = Signal(), Signal(TOKEN_BITS + 1)
        number, token = register(NUMBER_BITS, "number"), register(TOKEN_BITS, "token")
        publish = register(1, "publish")
        m.d.comb += end.eq((t.pair << 1) + 2)
        last = Mux(t.gather, self.tokens, Mux(end > t.tokens, t.tokens, end) + t.first_token)
        with m.If(self.advance):
            m.d.sync += [
                done.eq(self.moves & self.ends & t.final),
                number.eq(t.number),
                publish.eq(t.publish & self.is_residual),
                token.eq(last),
            ]
        taken = Signal()
        m.d.comb += taken.eq(done & self.advance)
        with m.If(taken):
            m.d.sync += self.retired.eq(number)
        self._publish(m, taken, Cat(number, publish, token))
        m.d.comb += self.busy.eq(self.results.valid | done)

    def _publish(self, m: Module, taken: Value, record: Value) -> None:
        late: Any = taken
        for stage in range(ResidualWrite.LATENCY):
            held = Signal(name=f"settled{stage}")
            m.d.sync += held.eq(late)
            late = held
        tail = delayed(m, record, ResidualWrite.LATENCY, "tail")
        with m.If(self.publish_clear):
            m.d.sync += self.published.eq(0)
        with m.If(late):
            m.d.sync += self.written.eq(tail[:NUMBER_BITS])
            with m.If(tail[NUMBER_BITS]):
                m.d.sync += self.published.eq(tail[NUMBER_BITS + 1 :])
        with m.If(self.publish_all):
            m.d.sync += self.published.eq(self.tokens)


def _store_ports(writer: Component, starts: tuple[str, ...]) -> dict[str, Any]:
    """The ports of a writer that lead to its store."""
    return {
        name: member for name, member in writer.signature.members.items() if name.startswith(starts)
    }
