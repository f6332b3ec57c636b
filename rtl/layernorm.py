"""LayerNorm server: residual words in, int8 words out (golden ``layer_norm``).

A token's words wait in a delay line until its statistics are known, then follow each other
through the lanes: no state but the line, one word a cycle, any number of tokens back to back.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.formats import LAYERNORM_FRACTION_BITS, RESIDUAL_BITS
from m3vit.rtl.layernorm_lane import OFFSET_BITS, LayerNormLane
from m3vit.rtl.layernorm_statistics import EPSILON_BITS, UNIT, VALUE_BITS, LayerNormStatistics
from m3vit.rtl.library import delayed, lanes, register, shared
from m3vit.rtl.memory import Memory
from m3vit.rtl.requantise import SHIFT_BITS, lane_controls

_VIEW = 2
_HOLD = 1
_ENTRY_BITS = 48
"""gamma int16, beta int32."""

_SCALE_BASE = 16 - LAYERNORM_FRACTION_BITS


class LayerNorm(Component):
    """``size`` channels a cycle.

    Ports: ``x`` int18 [N], ``valid``, ``first``, ``last`` word of a token, the words of a token
    in adjacent cycles; ``units`` = C/16, ``chunks`` = C/N, ``epsilon``, ``shift``, ``bank``:
    constant while tokens are in flight.  Tables: ``table_we``, ``table_bank``, ``table_channel``
    (even), ``table_entry`` = two entries of (gamma int16, beta int32), 48 bits each; the bank
    that is not in use may be loaded at any time.
    ``y`` int8 [N] with ``y_valid``, ``y_first``.

    Latency: ``latency(chunks)`` cycles from a word to its result.
    """

    def __init__(self, *, size: int, max_width: int) -> None:
        if size % 2 or max_width % size:
            raise ConfigurationError(
                f"layernorm: size must be even and divide {max_width}, not {size}"
            )
        self.size, self.max_width = size, max_width
        self.statistics = LayerNormStatistics(size=size, max_width=max_width)
        self.max_chunks = max_width // size
        self.lane = LayerNormLane(self.statistics.total_bits)
        self.module_name = f"layernorm_n{size}_w{max_width}"
        super().__init__(
            {
                "x": In(size * RESIDUAL_BITS),
                "valid": In(1),
                "first": In(1),
                "units": In(6),
                "chunks": In(self.max_chunks.bit_length()),
                "epsilon": In(EPSILON_BITS),
                "shift": In(SHIFT_BITS),
                "bank": In(1),
                "table_we": In(1),
                "table_bank": In(1),
                "table_channel": In(max_width.bit_length()),
                "table_entry": In(2 * _ENTRY_BITS),
                "y": Out(size * 8),
                "y_valid": Out(1),
                "y_first": Out(1),
            }
        )

    def latency(self, chunks: int) -> int:
        """Cycles from a word to its result, for tokens of ``chunks`` words."""
        return _VIEW + chunks - 1 + self.statistics.LATENCY + _HOLD + LayerNormLane.LATENCY

    def elaborate(self, platform: object) -> Module:
        """View, statistics and line side by side, lanes."""
        m = Module()
        m.submodules.statistics = statistics = self.statistics
        x = Cat(_view(m, lane, x) for lane, x in enumerate(lanes(self.x, RESIDUAL_BITS)))
        valid, first = delayed(m, self.valid, _VIEW, "v"), delayed(m, self.first, _VIEW, "f")
        m.d.comb += [
            statistics.x.eq(x),
            statistics.first.eq(first & valid),
            statistics.units.eq(self.units),
            statistics.epsilon.eq(self.epsilon),
        ]
        late = self._line(m, Cat(x, valid, first & valid))
        here = register(len(late), "here")
        m.d.sync += here.eq(late)
        now = late[-1]
        token = {
            name: _held(m, now, value, name)
            for name, value in (
                ("total", statistics.total),
                ("root", statistics.y),
                ("amount", statistics.half + _SCALE_BASE),
            )
        }
        self._lanes(m, here[:-2], here[-1], token)
        total = LayerNormLane.LATENCY
        m.d.comb += self.y_valid.eq(delayed(m, here[-2], total, "y_valid"))
        m.d.comb += self.y_first.eq(delayed(m, here[-1], total, "y_first"))
        return m

    def _line(self, m: Module, word: Value) -> Value:
        """``word`` chunks - 1 + statistics' latency cycles later."""
        longest = self.max_chunks + self.statistics.LATENCY
        depth = 1 << longest.bit_length()
        m.submodules.line = line = Memory(depth=depth, width=len(word), style="distributed")
        # no reset: while the machine is in reset, the line runs empty as the pipelines do
        here, back = register(line.address_bits, "here"), register(line.address_bits, "back")
        m.d.sync += [here.eq(here + 1), back.eq(self.chunks + (self.statistics.LATENCY - 2))]
        m.d.comb += [line.we.eq(1), line.wa.eq(here), line.wd.eq(word)]
        m.d.comb += line.ra0.eq(here - back)
        return line.rd0

    def _lanes(self, m: Module, x: Value, first: Value, token: dict[str, Value]) -> None:
        centred, gamma = LayerNormLane.CENTRED, LayerNormLane.GAMMA
        amount = delayed(m, token["amount"][:SHIFT_BITS], centred, "amount_late")
        controls = lane_controls(m, amount, Const(0, 2), "scale")
        common = {
            "units": self.units,
            "total": delayed(m, token["total"], centred - 1, "total_late"),
            "root": delayed(m, token["root"], centred, "root_late"),
            "half": controls["half"],
            **{f"scale{d}": controls[f"shift{d}"] for d in range(3)},
            **{f"shift{d}": self.shift[2 * d : 2 * d + 2] for d in range(3)},
        }
        entries = self._tables(m, delayed(m, first, gamma - 2, "restart"))
        half = register(OFFSET_BITS, "half")
        m.d.sync += half.eq((Const(1, OFFSET_BITS + 1) << self.shift)[1:])
        results = []
        for lane, (value, entry) in enumerate(zip(lanes(x, VALUE_BITS), entries, strict=True)):
            offset, y = register(OFFSET_BITS, f"offset{lane}"), Signal(8, name=f"y{lane}")
            m.d.sync += offset.eq(entry[16:].as_signed() + half)
            m.submodules[f"lane{lane}"] = shared(
                self.lane, x=value, gamma=entry[:16], offset=offset, y=y, **common
            )
            results.append(y)
        m.d.comb += self.y.eq(Cat(*results))

    def _tables(self, m: Module, restart: Value) -> list[Value]:
        """Entries of all lanes two cycles after ``restart`` and counting on from there."""
        chunk = register(self.max_chunks.bit_length(), "chunk")
        m.d.sync += chunk.eq(Mux(restart, 0, chunk + 1))
        bits = (self.size - 1).bit_length()
        place, words = self.table_channel[1:bits], self.table_channel[bits:]
        entries = []
        for lane in range(self.size):
            table = Memory(depth=2 << len(chunk), width=_ENTRY_BITS, style="distributed")
            m.submodules[f"table{lane}"] = table
            m.d.comb += [
                table.we.eq(self.table_we & (place == lane // 2)),
                table.wa.eq(Cat(words, Const(0, len(chunk) - len(words)), self.table_bank)),
                table.wd.eq(lanes(self.table_entry, _ENTRY_BITS)[lane % 2]),
                table.ra0.eq(Cat(chunk, self.bank)),
            ]
            entries.append(table.rd0)
        return entries


def _view(m: Module, lane: int, x: Value) -> Value:
    """sat16(rshift(x, 2)) two cycles later."""
    rounded, view = register(17, f"rounded{lane}"), register(VALUE_BITS, f"view{lane}")
    total = x.as_signed() + 2
    m.d.sync += rounded.eq(total[2:])
    spills = rounded[16] ^ rounded[15]
    m.d.sync += view.eq(
        Mux(spills, Cat((~rounded[16]).replicate(15), rounded[16]), rounded[:VALUE_BITS])
    )
    return view


def _held(m: Module, now: Value, value: Value, name: str) -> Value:
    """``value`` taken when ``now``, from the next cycle on."""
    held = register(len(value), f"{name}_held")
    with m.If(now):
        m.d.sync += held.eq(value)
    return held


assert UNIT == 1 << 4, "C is units followed by four zero bits"
