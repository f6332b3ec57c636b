"""The block design as Tcl, in Vivado's own commands."""

from collections.abc import Iterator

from m3vit.boards.design import AddressRange, Design, Instance
from m3vit.boards.system import CORE, PS
from m3vit.boards.tcl import command, listing, pairs

NAME = "system"


def block_design_tcl(design: Design) -> str:
    """A script that makes, checks and saves the block design of ``design``.

    It needs an open project with the board's files and our core's repository, and the procedures
    of ``scripts/checks.tcl``.
    """
    lines = [
        f"# Block design of m3vit on {design.board.title}, machine {design.machine.name}.",
        command("create_bd_design", NAME),
        "",
        "# Instances",
        *(line for item in design.instances for line in _instance(item)),
        "",
        "# AXI",
        *(
            f"connect_bd_intf_net [get_bd_intf_pins {link.master}] [get_bd_intf_pins {link.slave}]"
            for link in design.links
        ),
        "",
        "# Clock, resets, interrupt",
        *(
            " ".join(
                ["connect_bd_net", *(f"[get_bd_pins {pin}]" for pin in (net.source, *net.sinks))]
            )
            for net in design.nets
        ),
        "",
        "# Addresses; of the processing system's memory map our masters see DRAM only",
        *map(_address, design.ranges),
        *_exclusions(design),
        "",
        "validate_bd_design",
        f"m3vit::check_cell {PS} {pairs(design.instance(PS).derived)}",
        "save_bd_design",
        "",
    ]
    return "\n".join(lines)


def _instance(item: Instance) -> Iterator[str]:
    yield command("create_bd_cell", "-type", "ip", "-vlnv", item.vlnv, item.name)
    if item.name == PS:
        yield (
            "apply_bd_automation -rule xilinx.com:bd_rule:zynq_ultra_ps_e "
            f'-config {{apply_board_preset "1"}} [get_bd_cells {PS}]'
        )
    if item.parameters:
        settings = {f"CONFIG.{name}": value for name, value in item.parameters.items()}
        yield f"set_property -dict {pairs(settings)} [get_bd_cells {item.name}]"


def _address(item: AddressRange) -> str:
    """Where DRAM lies above the first 2 GiB, the processing system says itself."""
    place = "" if item.memory and item.base else f"-offset 0x{item.base:X} -range 0x{item.size:X} "
    return (
        f"assign_bd_address {place}-target_address_space [get_bd_addr_spaces {item.space}] "
        f"[get_bd_addr_segs {item.segment}] -force"
    )


def _exclusions(design: Design) -> Iterator[str]:
    for space in dict.fromkeys(item.space for item in design.ranges):
        if space.startswith(f"{CORE}/"):
            kept = listing(item.block for item in design.reaching(space))
            yield f"m3vit::exclude_all_but {space} {kept}"
