"""Longest paths through hand-made hierarchies."""

from m3vit.rtl.netlist import Mapped, read_netlist
from m3vit.rtl.paths import connect, longest
from tests.rtl.test_netlist import cell, module


def chain(luts: int, start: int = 2, end: int = 3) -> list[dict]:  # type: ignore[type-arg]
    """LUTs in a row from a bit to a bit."""
    bits = [start, *range(100, 99 + luts), end]
    return [cell("LUT2", I0=a, O=b) for a, b in zip(bits, bits[1:], strict=False)]


def test_levels_are_counted_between_registers() -> None:
    cells = [cell("FDRE", "Q", D=9, Q=2), *chain(3), cell("FDRE", "Q", D=3, Q=4)]
    after = cell("LUT2", I0=4, O=5), cell("FDRE", "Q", D=5, Q=6)
    found = longest(connect({"top": read_netlist(module(*cells, *after))}, "top"))
    assert (found["top"].levels, found["top"].logic) == (3, 3)


def test_two_carry_cells_are_one_level_of_logic() -> None:
    cells = [cell("LUT2", I0=2, O=3)]
    cells += [cell("CARRY4", "CO", S=[b], DI=[0], CO=[b + 1]) for b in (3, 4, 5)]
    cells.append(cell("FDRE", "Q", D=6, Q=7))
    found = longest(connect({"top": read_netlist(module(*cells))}, "top"))
    assert (found["top"].levels, found["top"].logic) == (1, 3)


def hierarchy() -> dict[str, Mapped]:
    """Two units in a row, each with LUTs before and behind its register, and a way through."""
    unit = module(
        *chain(2, 2, 10),
        cell("FDRE", "Q", D=10, Q=11),
        cell("LUT2", I0=11, I1=2, O=3),
        a=("input", [2]),
        b=("output", [3]),
    )
    top = module(
        cell("FDRE", "Q", D=9, Q=1),
        cell("unit", "b", a=1, b=2),
        cell("unit", "b", a=2, b=3),
        cell("LUT1", I0=3, O=4),
        cell("FDRE", "Q", D=4, Q=5),
    )
    return {"top": read_netlist(top), "unit": read_netlist(unit)}


def test_paths_cross_the_borders_of_blocks() -> None:
    found = longest(connect(hierarchy(), "top"))
    assert found["top"].levels == 3, "through both units and the LUT behind them"
    assert found["unit"].levels == 3, "through the first unit into the second's register"


def test_an_input_that_is_an_output_and_constants_are_followed() -> None:
    through = Mapped(
        size=read_netlist(module()).size,
        gates=[],
        ends=[],
        children=[],
        ports={"a": ("input", [2, 3]), "b": ("output", [2, "1"]), "c": ("output", [2])},
        names={},
    )
    top = module(
        *chain(2, 20, 21),
        cell("through", "b c", a=[21, 22], b=[23, 24], c=[25]),
        cell("LUT2", I0=25, I1=24, O=26),
        cell("FDRE", "Q", D=26, Q=27),
    )
    found = longest(connect({"top": read_netlist(top), "through": through}, "top"))
    assert found["top"].levels == 3


def test_the_way_is_named_from_start_to_end() -> None:
    text = module(cell("LUT1", I0=2, O=3), cell("FDRE", "Q", D=3, Q=4))
    text["netnames"] = {
        "count": {"hide_name": 0, "bits": [2]},
        "next": {"hide_name": 0, "bits": [8, 3]},
        "$auto$7": {"hide_name": 1, "bits": [3]},
    }
    found = longest(connect({"top": read_netlist(text)}, "top"))
    assert found["top"].names == ("top.count", "top.next[1]")
