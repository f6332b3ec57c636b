from dataclasses import replace

import pytest

from m3vit.boards.board import BoardConfig, board_names, load_board
from m3vit.boards.core import core_of, module_ports
from m3vit.boards.design import Design
from m3vit.boards.system import CORE, PS, clock_hz, gp_number, system_design
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.machine import machine_preset
from m3vit.hw.registers import identity_values


@pytest.fixture(params=board_names())
def design(request: pytest.FixtureRequest) -> Design:
    board = load_board(request.param)
    return system_design(board, board.machine())


def test_every_port_belongs_to_one_interface() -> None:
    machine = machine_preset("zcu104")
    core = core_of(machine)
    used = [port for each in core.interfaces for port in each.ports.values()]
    assert sorted(used) == sorted(port.name for port in module_ports(machine))
    assert len(set(used)) == len(used)


def test_masters_are_as_wide_as_their_ports(design: Design) -> None:
    core = core_of(design.machine)
    assert [each.name for each in core.masters] == ["m0_axi", "m1_axi", "m2_axi", "m3_axi"]
    modes = [each.parameters["READ_WRITE_MODE"] for each in core.masters]
    assert modes == ["READ_WRITE", "READ_ONLY", "READ_ONLY", "READ_ONLY"]
    ps = design.instance(PS).parameters
    for master, port in zip(core.masters, design.board.platform.memory_ports, strict=True):
        width = master.parameters["DATA_WIDTH"]
        assert width == ps[f"PSU__SAXIGP{gp_number(port)}__DATA_WIDTH"] == "128"
        assert int(width) == design.machine.port_bits


def test_one_clock_reaches_every_instance_at_the_machines_rate(design: Design) -> None:
    clocks = [net for net in design.nets if net.source.endswith("clk0")]
    assert len(clocks) == 1
    reached = {pin.split("/")[0] for pin in clocks[0].sinks}
    assert reached == {item.name for item in design.instances}
    hertz = clock_hz(design.board)
    assert abs(hertz / 1e6 - design.machine.clock_mhz) <= 0.001 * design.machine.clock_mhz
    assert design.instance(CORE).derived["CLOCK_HZ"] == str(hertz)
    assert abs(hertz / 1e3 - identity_values(design.machine)["CLOCK_KHZ"]) <= 300


def test_ranges_do_not_overlap_and_hold_the_boards_memory(design: Design) -> None:
    for space in {item.space for item in design.ranges}:
        ranges = sorted(design.reaching(space), key=lambda item: item.base)
        ends = [item.base + item.size for item in ranges]
        assert all(end <= later.base for end, later in zip(ends, ranges[1:], strict=False))
        assert all(item.base % min(item.size, 1 << 31) == 0 for item in ranges)
        if space.startswith(CORE):
            assert sum(item.size for item in ranges) == design.board.platform.ddr_gbytes * 2**30


def test_unknown_instances_are_named() -> None:
    board = load_board("zcu104")
    with pytest.raises(ConfigurationError, match="no instance 'gpu', it has ps, resets"):
        system_design(board, board.machine()).instance("gpu")


def _with(board: BoardConfig, **platform: object) -> BoardConfig:
    return replace(board, platform=replace(board.platform, **platform))


def test_boards_that_cannot_carry_the_machine_are_refused() -> None:
    board = load_board("zcu104")
    with pytest.raises(ConfigurationError, match="machine zcu104 has 4 of 128"):
        system_design(_with(board, memory_ports=("HP0", "HP1")), board.machine())
    narrow = replace(board, memory=replace(board.memory, port_bits=64))
    with pytest.raises(ConfigurationError, match="of 64 bits"):
        system_design(narrow, board.machine())
    for clock in (290.0, 0.0):
        with pytest.raises(ConfigurationError, match="no whole part of IOPLL"):
            system_design(replace(board, clock_mhz=clock), board.machine())
