import pytest

from m3vit.boards.board import load_board
from m3vit.boards.estimate import Estimate, estimate
from m3vit.boards.estimate_text import assumptions_text, estimate_text, units_table
from m3vit.hw.cost.assumptions import ASSUMPTIONS, Assumptions
from m3vit.hw.presets import model_preset


def _estimate(model: str, board: str = "zcu104", machine: str | None = None) -> Estimate:
    place = load_board(board)
    return estimate(model_preset(model), place, place.machine(machine), compare=False)


@pytest.mark.parametrize("model", ["nano-scenes", "tiny-cityscapes-k2", "small-224"])
@pytest.mark.parametrize("board", ["zcu104", "zcu102"])
def test_shares_explain_every_cycle(model: str, board: str) -> None:
    result = _estimate(model, board)
    shares = result.shares()
    assert sum(shares.values()) == pytest.approx(1, abs=1e-4)
    assert next(iter(shares.values())) == pytest.approx(result.mac_utilisation)
    assert result.fits


def test_what_does_not_fit_is_named() -> None:
    result = _estimate("base-nyud")
    assert not result.fits
    assert result.exceeded == {}
    assert "does not fit the machine: bytes of tokens x width" in estimate_text(result)
    result = _estimate("tiny-cityscapes", "zcu102", "zcu104")
    assert result.exceeded.keys() == {"bram36"}
    assert "EXCEEDED" in estimate_text(result)
    assert "does not fit the board: BRAM36" in estimate_text(result)


def test_the_page_says_what_it_is_about() -> None:
    text = estimate_text(_estimate("small-pascal"))
    assert text.count("modelled") >= 1
    for word in ("1025 tokens", "4 of 16 experts", "MAC utilisation", "experts", "URAM", "GMAC"):
        assert word in text
    assert text.splitlines()[-1] == "fits"


def test_json_holds_the_same_figures() -> None:
    result = _estimate("tiny-cityscapes")
    values = result.to_dict()
    assert values["cycles"] == result.cycles.total
    assert values["evidence"] == "modelled"
    assert values["dram_bytes"] == sum(values["dram_bytes_by_kind"].values())
    assert values["resources"]["dsp"]["available"] == 1728
    assert values["fits"] is True
    assert values["reordering"] is None


def test_comparison_is_on_request() -> None:
    board = load_board("zcu104")
    config = model_preset("tiny-cityscapes")
    result = estimate(config, board, board.machine(), compare=True)
    both = result.to_dict()["reordering"]
    assert both["token_by_token"]["fetches"] > 20 * both["reordered"]["fetches"]
    assert "token by token" in estimate_text(result)


def test_tables_name_sources() -> None:
    result = _estimate("nano-scenes")
    text = units_table(result)
    assert all(unit.unit in text and unit.source in text for unit in result.units)
    text = assumptions_text(Assumptions())
    assert all(row.name in text and row.source in text for row in ASSUMPTIONS)
