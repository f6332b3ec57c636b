"""One group of the array: R rows x C columns over one weight tile, a token pair a cycle."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.machine import CASCADE
from m3vit.rtl.column import Column
from m3vit.rtl.group_model import group_model
from m3vit.rtl.library import lanes, register, shared


class Group(Component):
    """Matrix product of a stream of token pairs with the tile in the DSPs (golden ``linear``).

    Ports: ``a1``, ``a0`` int8 [R] of the pair's members, row index chain * 8 + step; ``swap``
    with the first pair of a pass; ``load`` one-hot [8] and ``w`` int8 [C][chains]: step s of the
    next tile.  ``s`` sums: members x columns, member 0's columns lowest.

    Step 0 may be given in the cycle after ``swap`` at the earliest and step s s cycles later
    (behind the swap's wave); the next swap in the cycle of step 0 at the earliest, while the
    other steps still run ahead of its wave: the shortest pass without a gap is 8 pairs.

    Latency: ``LATENCY`` cycles from a pair to its sums.
    """

    def __init__(self, *, rows: int, columns: int) -> None:
        if columns < 1:
            raise ConfigurationError(f"group: columns must be 1 or more, not {columns}")
        self.rows, self.columns = rows, columns
        self.column = Column(rows)
        self.sum_bits = self.column.sum_bits
        self.LATENCY = 1 + self.column.LATENCY
        self.module_name = f"group_r{rows}_c{columns}"
        super().__init__(
            {
                "a1": In(8 * rows),
                "a0": In(8 * rows),
                "swap": In(1),
                "load": In(CASCADE),
                "w": In(8 * self.column.chains * columns),
                "s": Out(2 * columns * self.sum_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Registers and skew at the edge, then the columns."""
        m = Module()
        a1, a0 = self._skewed(m, self.a1, "a1"), self._skewed(m, self.a0, "a0")
        w, load = register(len(self.w), "w_in"), Signal(CASCADE, name="load_in")
        wave = Signal(CASCADE + 1, name="wave")
        m.d.sync += [w.eq(self.w), load.eq(self.load), wave.eq(Cat(self.swap, wave[:-1]))]
        sums = [
            self._column(m, number, weights, a1=a1, a0=a0, load=load, swap=wave[1:])
            for number, weights in enumerate(lanes(w, 8 * self.column.chains))
        ]
        m.d.comb += self.s.eq(Cat(*(low for low, _ in sums), *(high for _, high in sums)))
        return m

    @property
    def model(self) -> str:
        """The module for simulation (see ``library.convert``)."""
        return group_model(
            name=self.module_name,
            rows=self.rows,
            columns=self.columns,
            weight_bits=len(self.w),
            sum_bits=len(self.s),
        )

    def _skewed(self, m: Module, vector: Value, name: str) -> Value:
        """Row r of every cascade r + 1 cycles late."""
        late = []
        for row, value in enumerate(lanes(vector, 8)):
            for stage in range(row % CASCADE + 1):
                held = register(8, f"{name}_{row}_{stage}")
                m.d.sync += held.eq(value)
                value = held
            late.append(value)
        return Cat(*late)

    def _column(
        self, m: Module, number: int, weights: Value, **common: Value
    ) -> tuple[Signal, Signal]:
        low = Signal(self.sum_bits, name=f"low{number}")
        high = Signal(self.sum_bits, name=f"high{number}")
        m.submodules[f"column{number}"] = shared(self.column, w=weights, s0=low, s1=high, **common)
        return low, high
