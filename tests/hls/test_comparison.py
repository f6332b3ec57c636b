from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from m3vit.hls import readme
from m3vit.hls.comparison import KERNEL, TRACES, Row, rows, trace_of
from m3vit.hls.resources import ZCU104, resources
from m3vit.hls.shapes import shape_layer
from m3vit.hw.cost.reordering import compare_reordering
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.machine import machine_preset
from m3vit.hw.presets import model_preset
from m3vit.hw.records import Evidence

SMALL = model_preset("small-pascal")
MACHINE = machine_preset("zcu104")
TRACE = TRACES / "small-pascal.npz"


@pytest.fixture(scope="module")
def table() -> dict[str, Row]:
    return {row.name: row for row in rows(SMALL, MACHINE, trace_of(SMALL, TRACE))}


def test_the_readme_holds_what_the_models_give() -> None:
    readme.check()


def test_an_edited_readme_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "README.md"
    text = readme.README.read_text()
    copy.write_text(text.replace("| modelled |", "| measured |", 1))
    monkeypatch.setattr(readme, "README", copy)
    with pytest.raises(ConfigurationError, match="out of date"):
        readme.check()
    readme.write()
    assert copy.read_text() == text
    copy.write_text("no markers")
    with pytest.raises(ConfigurationError, match="lacks the markers"):
        readme.write()


def test_figures_are_the_cost_models(table: dict[str, Row]) -> None:
    both = compare_reordering(SMALL, MACHINE, trace_of(SMALL, TRACE))
    fetched = (both.token_by_token.fetches, both.reordered.fetches)
    assert table["experts fetched"].ours == ("96", *map(str, fetched))
    assert float(table["speed against the cache"].ours[2]) == pytest.approx(
        both.token_by_token.total_cycles / both.reordered.total_cycles, abs=0.01
    )
    assert all(row.evidence is Evidence.MODELLED for row in table.values())


def test_the_papers_figures_stand_beside(table: dict[str, Row]) -> None:
    assert table["on-chip memory in all"].paper == ("11.610", "4.840", "4.840")
    assert table["latency at 300 MHz"].paper[1:] == ("637.478", "69.033")


def test_the_kernel_of_the_table_fits_the_board() -> None:
    cells = resources(shape_layer(SMALL, MACHINE, 1), KERNEL).to_dict()
    assert all(count <= ZCU104[name] for name, count in cells.items())
    larger = replace(KERNEL, unroll=2 * KERNEL.unroll)
    assert resources(shape_layer(SMALL, MACHINE, 1), larger).dsp > ZCU104["dsp"]


def test_a_trace_of_another_model_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="record it with that model"):
        trace_of(model_preset("nano-scenes"), TRACE)


@pytest.mark.slow
def test_the_trace_is_what_the_network_routes() -> None:
    from tests.hls.record_small_trace import record

    stored = trace_of(SMALL, TRACE)
    fresh = np.stack([entry.plan.per_token()[0] for entry in record()])
    assert np.mean(stored == fresh) > 0.999  # float sums may differ in order between machines
