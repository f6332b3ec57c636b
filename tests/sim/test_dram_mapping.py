"""Address mappings: every address has one place, and every place one address."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m3vit.hw.errors import ConfigurationError
from m3vit.sim.dram.load import load_memory, memory_names
from m3vit.sim.dram.mapping import MAPPINGS, split_addresses


@pytest.mark.parametrize("memory", memory_names())
@pytest.mark.parametrize("mapping", sorted(MAPPINGS))
@settings(max_examples=20, deadline=None)
@given(start=st.integers(0, 2**20))
def test_places_are_distinct_and_in_range(memory: str, mapping: str, start: int) -> None:
    table = load_memory(memory)
    size = table.organisation
    lines = np.concatenate([start + np.arange(512), start + 4096 * np.arange(1, 64)])
    lines %= size.total_banks * size.rows * size.columns
    bank, row, column = split_addresses(table, mapping, np.unique(lines) * table.access_bytes)
    assert bank.max() < size.total_banks and row.max() < size.rows and column.max() < size.columns
    assert min(bank.min(), row.min(), column.min()) >= 0
    place = (bank * size.rows + row) * size.columns + column
    assert np.unique(place).size == np.unique(lines).size


def test_row_contiguous_keeps_a_row_together() -> None:
    table = load_memory("ddr4-2400")
    bank, row, column = split_addresses(table, "RoBaRaCoCh", np.arange(0, 8192, 64))
    assert set(bank) == {0} and set(row) == {0} and list(column) == list(range(128))


def test_unknown_mapping_and_negative_address() -> None:
    table = load_memory("ddr4-2400")
    with pytest.raises(ConfigurationError, match="RoBaRaCoCh, BgBaCoRo"):
        split_addresses(table, "RowRow", np.arange(4))
    with pytest.raises(ConfigurationError, match="negative"):
        split_addresses(table, "BgBaCoRo", np.array([-64]))
