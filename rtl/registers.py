"""The register bank, generated from ``m3vit.hw.registers``: nothing here states an offset."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Member, Out

from m3vit.hw.machine import MachineConfig
from m3vit.hw.register_fields import WORD_BITS, WORD_BYTES, Access, Field, Register
from m3vit.hw.registers import COUNTERS, REGISTERS, identity_values
from m3vit.rtl.axi_lite import AxiLiteSlave, slave_ports

COUNTER_BITS = 2 * WORD_BITS
_BANK_BITS = 4
"""Words are selected out of banks of 16, then banks: two registered stages."""

_READ_LATENCY = 2


def _name(register: Register, field: Field | None = None) -> str:
    return (register.name if field is None else f"{register.name}_{field.name}").lower()


def _access(register: Register, field: Field) -> Access:
    return field.access or register.access


def _whole(register: Register) -> tuple[Field, ...]:
    """The register's fields, or all its bits as one without a name of its own."""
    return register.fields or (Field(name="", lsb=0, bits=WORD_BITS, doc=register.doc),)


def _port(register: Register, field: Field) -> str:
    return _name(register, field if field.name else None)


class Registers(Component):
    """AXI4-Lite slave with every register of the table.

    Ports: AXI4-Lite (``s_axi_``); by register and field in lower case: read-only fields In,
    kept fields Out, pulses Out for one cycle, ``set_<field>`` In for bits that a written 1
    clears, with their value Out; ``count_<counter>`` In of 64 bits.  Reading a counter's low
    word holds its high word for the next read.  Identity registers are constants.
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.machine = machine
        ports: dict[str, Member] = dict(slave_ports())
        for register in self._plain():
            for field in _whole(register):
                name, access = _port(register, field), _access(register, field)
                if access is Access.READ:
                    if field.name != "RESERVED":
                        ports[name] = In(field.bits)
                else:
                    ports[name] = Out(field.bits)
                if access is Access.CLEAR:
                    ports[f"set_{name}"] = In(field.bits)
        ports |= {f"count_{name.lower()}": In(COUNTER_BITS) for name in COUNTERS}
        super().__init__(ports)

    @staticmethod
    def _plain() -> list[Register]:
        return [r for r in REGISTERS if not r.identity and not r.name.startswith("COUNT_")]

    def elaborate(self, platform: object) -> Module:
        """Slave, writable fields, read selection."""
        m = Module()
        m.submodules.slave = slave = AxiLiteSlave(_READ_LATENCY)
        for name, member in slave_ports().items():
            mine, its = getattr(self, name), getattr(slave, name)
            m.d.comb += its.eq(mine) if member.flow == In else mine.eq(its)
        words = {index: Const(value, WORD_BITS) for index, value in self._constants().items()}
        for register in self._plain():
            index = register.offset // WORD_BYTES
            here = slave.write & (slave.write_index == index)
            words[index] = self._register(m, register, here, slave)
        words |= self._counters(m, slave)
        m.d.comb += slave.read_data.eq(_selected(m, words, slave.read_index))
        return m

    def _constants(self) -> dict[int, int]:
        values = identity_values(self.machine)
        return {r.offset // WORD_BYTES: values[r.name] for r in REGISTERS if r.identity}

    def _register(self, m: Module, register: Register, here: Value, slave: AxiLiteSlave) -> Value:
        """Updates of its fields; returns what the register reads."""
        parts: list[Value] = []
        at = 0
        for field in sorted(_whole(register), key=lambda each: each.lsb):
            parts.append(Const(0, field.lsb - at))
            at = field.lsb + field.bits
            own = slice(field.lsb, at)
            ones = slave.write_data[own] & slave.write_bits[own] & here.replicate(field.bits)
            parts.append(self._field(m, register, field, ones, here, slave))
        return Cat(*parts, Const(0, WORD_BITS - at))

    def _field(
        self,
        m: Module,
        register: Register,
        field: Field,
        ones: Value,
        here: Value,
        slave: AxiLiteSlave,
    ) -> Value:
        access, name = _access(register, field), _port(register, field)
        if field.name == "RESERVED":
            return Const(0, field.bits)
        port: Signal = getattr(self, name)
        if access is Access.READ:
            return port
        if access is Access.PULSE:
            m.d.sync += port.eq(ones)
            return Const(0, field.bits)
        value = Signal(field.bits, name=name, init=field.get(register.reset))
        if access is Access.CLEAR:
            m.d.sync += value.eq((value & ~ones) | getattr(self, f"set_{name}"))
        else:
            mask = slave.write_bits[field.lsb : field.lsb + field.bits]
            with m.If(here):
                m.d.sync += value.eq((value & ~mask) | ones)
        m.d.comb += port.eq(value)
        return value

    def _counters(self, m: Module, slave: AxiLiteSlave) -> dict[int, Value]:
        held, words = Signal(WORD_BITS), {}
        highs: dict[int, Value] = {}
        offsets = {r.name: r.offset // WORD_BYTES for r in REGISTERS}
        for name in COUNTERS:
            count = getattr(self, f"count_{name.lower()}")
            low = offsets[f"COUNT_{name}_LO"]
            words[low], words[offsets[f"COUNT_{name}_HI"]] = count[:WORD_BITS], held
            highs[low] = count[WORD_BITS:]
        high = _selected(m, highs, slave.read_index)
        first = Cat(slave.read_index == low for low in highs).any() & slave.read
        late = Signal(_READ_LATENCY)
        m.d.sync += late.eq(Cat(first, late[:-1]))
        with m.If(late[-1]):
            m.d.sync += held.eq(high)
        return words


def _selected(m: Module, words: dict[int, Value], index: Value) -> Value:
    """``words[index]``, zero where there is none, two cycles later."""
    size = 1 << _BANK_BITS
    banks: dict[int, Value] = {}
    for bank in sorted({number // size for number in words}):
        row = Cat(words.get(bank * size + place, Const(0, WORD_BITS)) for place in range(size))
        held = Signal(WORD_BITS, reset_less=True)
        m.d.sync += held.eq(row.word_select(index[:_BANK_BITS], WORD_BITS))
        banks[bank] = held
    number = Signal(len(index) - _BANK_BITS, reset_less=True)
    result = Signal(WORD_BITS, reset_less=True)
    m.d.sync += number.eq(index[_BANK_BITS:])
    chosen: Value = Const(0, WORD_BITS)
    for bank, held in banks.items():
        chosen = chosen | Mux(number == bank, held, 0)
    m.d.sync += result.eq(chosen)
    return result
