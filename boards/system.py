"""A board's block design: processing system, reset, interconnect, interrupts and our core.

One clock for all, PL0 of the processing system: PYNQ sets it from the metadata when it loads the
bitstream.  PYNQ finds interrupts only behind an AXI interrupt controller, hence that.  The rails'
INA226 sensors stay on the processing system's I2C, which the board's preset enables.
"""

from collections.abc import Sequence

from m3vit.boards.board import MEMORY_PORTS, BoardConfig
from m3vit.boards.core import (
    ADDRESS_BLOCK,
    ADDRESS_BLOCK_BYTES,
    CLOCK,
    INTERRUPT,
    RESET,
    SLAVE,
    VLNV,
    Core,
    core_of,
)
from m3vit.boards.design import AddressRange, Design, Instance, Link, Net
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.machine import MachineConfig

PS, CORE, RESETS, CONTROL, INTERRUPTS = "ps", "m3vit", "resets", "control", "interrupts"
CONTROL_MASTER = "M_AXI_HPM0_FPD"
BASE_ADDRESS = 0xA000_0000
"""Of our registers, in the window of the master above."""
INTERRUPTS_BASE, INTERRUPTS_BYTES = 0xA001_0000, 0x1_0000
LOW_BYTES, HIGH_BASE = 0x8000_0000, 0x8_0000_0000
"""The DRAM's first 2 GiB lie at 0, the rest above 32 GiB (AMD UG1085, address map)."""
GIB = 1 << 30
PL_CLOCKS = 4

_VLNVS = {
    "ps": "xilinx.com:ip:zynq_ultra_ps_e:3.5",
    "reset": "xilinx.com:ip:proc_sys_reset:5.0",
    "smartconnect": "xilinx.com:ip:smartconnect:1.0",
    "interrupts": "xilinx.com:ip:axi_intc:4.1",
}


def system_design(board: BoardConfig, machine: MachineConfig) -> Design:
    """The design of ``machine`` on ``board``.

    Raises:
        ConfigurationError: the board has another number of memory ports than the machine, the
            widths differ, or its clock cannot be divided from the board's.
    """
    core = core_of(machine)
    ports = board.platform.memory_ports
    width = {each.parameters["DATA_WIDTH"] for each in core.masters}
    if len(core.masters) != len(ports) or width != {str(board.memory.port_bits)}:
        raise ConfigurationError(
            f"board {board.name} has memory ports {', '.join(ports)} of {board.memory.port_bits} "
            f"bits, machine {machine.name} has {len(core.masters)} of {', '.join(sorted(width))}; "
            "name one port a master in [platform]"
        )
    return Design(
        board=board,
        machine=machine,
        instances=(_ps(board), *_helpers(core), _core(board, machine)),
        links=_links(core, ports),
        nets=_nets(core, ports),
        ranges=(*_registers(), *_memory(core, board)),
    )


def _divisor(board: BoardConfig) -> int:
    platform = board.platform
    divisor = round(platform.pll_mhz / board.clock_mhz) if board.clock_mhz else 0
    got = platform.pll_mhz / divisor if divisor else 0.0
    if abs(got - board.clock_mhz) > 0.001 * board.clock_mhz or not 1 <= divisor <= 63:
        raise ConfigurationError(
            f"board {board.name}: {board.clock_mhz:g} MHz is no whole part of {platform.pll} at "
            f"{platform.pll_mhz:g} MHz, the nearest is {got:g}; change clock_mhz"
        )
    return divisor


def clock_hz(board: BoardConfig) -> int:
    """What the phase-locked loop makes of the nominal clock."""
    return round(board.platform.pll_mhz * 1e6 / _divisor(board))


def gp_number(port: str) -> int:
    """The vendor's number of a slave port: HPC0 is SAXIGP0, HP0 is SAXIGP2."""
    return MEMORY_PORTS.index(port)


def _ps(board: BoardConfig) -> Instance:
    used = {gp_number(port) for port in board.platform.memory_ports}
    bits = str(board.memory.port_bits)
    parameters = {
        "PSU__USE__M_AXI_GP0": "1",
        "PSU__USE__M_AXI_GP1": "0",
        "PSU__USE__M_AXI_GP2": "0",
        "PSU__MAXIGP0__DATA_WIDTH": "128",
        "PSU__USE__IRQ0": "1",
        "PSU__USE__IRQ1": "0",
        "PSU__CRL_APB__PL0_REF_CTRL__SRCSEL": board.platform.pll,
        "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ": f"{board.clock_mhz:g}",
    }
    for number in range(PL_CLOCKS):
        parameters[f"PSU__FPGA_PL{number}_ENABLE"] = str(int(number == 0))
    for number in range(len(MEMORY_PORTS)):
        parameters[f"PSU__USE__S_AXI_GP{number}"] = str(int(number in used))
    parameters |= {f"PSU__SAXIGP{number}__DATA_WIDTH": bits for number in sorted(used)}
    derived = {
        "PSU__CRL_APB__PL0_REF_CTRL__DIVISOR0": str(_divisor(board)),
        "PSU__CRL_APB__PL0_REF_CTRL__DIVISOR1": "1",
    }
    return Instance(name=PS, vlnv=_VLNVS["ps"], parameters=parameters, derived=derived)


def _core(board: BoardConfig, machine: MachineConfig) -> Instance:
    known = {
        "MACHINE": machine.name,
        "DIGEST": machine.digest,
        "CLOCK_HZ": str(clock_hz(board)),
    }
    return Instance(name=CORE, vlnv=VLNV, derived=known)


def _helpers(core: Core) -> list[Instance]:
    def connect(name: str, outputs: int) -> Instance:
        sizes = {"NUM_SI": "1", "NUM_MI": str(outputs)}
        return Instance(name=name, vlnv=_VLNVS["smartconnect"], parameters=sizes)

    return [
        Instance(name=RESETS, vlnv=_VLNVS["reset"]),
        connect(CONTROL, 2),
        Instance(name=INTERRUPTS, vlnv=_VLNVS["interrupts"], parameters={"C_IRQ_CONNECTION": "1"}),
        *(connect(_memory_name(number), 1) for number in range(len(core.masters))),
    ]


def _memory_name(number: int) -> str:
    return f"memory{number}"


def _links(core: Core, ports: Sequence[str]) -> tuple[Link, ...]:
    links = [
        Link(master=f"{PS}/{CONTROL_MASTER}", slave=f"{CONTROL}/S00_AXI"),
        Link(master=f"{CONTROL}/M00_AXI", slave=f"{CORE}/{SLAVE}"),
        Link(master=f"{CONTROL}/M01_AXI", slave=f"{INTERRUPTS}/s_axi"),
    ]
    for number, (master, port) in enumerate(zip(core.masters, ports, strict=True)):
        between = _memory_name(number)
        links += [
            Link(master=f"{CORE}/{master.name}", slave=f"{between}/S00_AXI"),
            Link(master=f"{between}/M00_AXI", slave=f"{PS}/S_AXI_{port}_FPD"),
        ]
    return tuple(links)


def _nets(core: Core, ports: Sequence[str]) -> tuple[Net, ...]:
    connects = (CONTROL, *(_memory_name(number) for number in range(len(core.masters))))
    clocked = (
        f"{PS}/maxihpm0_fpd_aclk",
        *(f"{PS}/saxi{port.lower()}_fpd_aclk" for port in ports),
        f"{RESETS}/slowest_sync_clk",
        f"{INTERRUPTS}/s_axi_aclk",
        *(f"{name}/aclk" for name in connects),
        f"{CORE}/{CLOCK}",
    )
    low = (f"{INTERRUPTS}/s_axi_aresetn", *(f"{name}/aresetn" for name in connects))
    return (
        Net(source=f"{PS}/pl_clk0", sinks=clocked),
        Net(source=f"{PS}/pl_resetn0", sinks=(f"{RESETS}/ext_reset_in",)),
        Net(source=f"{RESETS}/peripheral_aresetn", sinks=low),
        Net(source=f"{RESETS}/peripheral_reset", sinks=(f"{CORE}/{RESET}",)),
        Net(source=f"{CORE}/{INTERRUPT}", sinks=(f"{INTERRUPTS}/intr",)),
        Net(source=f"{INTERRUPTS}/irq", sinks=(f"{PS}/pl_ps_irq0",)),
    )


def _registers() -> list[AddressRange]:
    def seen(instance: str, interface: str, block: str, base: int, size: int) -> AddressRange:
        return AddressRange(
            space=f"{PS}/Data",
            segment=f"{instance}/{interface}/{block}",
            master=f"{PS}/{CONTROL_MASTER}",
            slave=f"{instance}/{interface}",
            base=base,
            size=size,
            memory=False,
        )

    return [
        seen(CORE, SLAVE, ADDRESS_BLOCK, BASE_ADDRESS, ADDRESS_BLOCK_BYTES),
        seen(INTERRUPTS, "s_axi", "Reg", INTERRUPTS_BASE, INTERRUPTS_BYTES),
    ]


def _memory(core: Core, board: BoardConfig) -> list[AddressRange]:
    size = round(board.platform.ddr_gbytes * GIB)
    parts = [("LOW", 0, min(size, LOW_BYTES)), ("HIGH", HIGH_BASE, size - LOW_BYTES)]
    return [
        AddressRange(
            space=f"{CORE}/{master.name}",
            segment=f"{PS}/SAXIGP{gp_number(port)}/{port}_DDR_{part}",
            master=f"{CORE}/{master.name}",
            slave=f"{PS}/S_AXI_{port}_FPD",
            base=base,
            size=bytes_,
            memory=True,
        )
        for master, port in zip(core.masters, board.platform.memory_ports, strict=True)
        for part, base, bytes_ in parts
        if bytes_ > 0
    ]
