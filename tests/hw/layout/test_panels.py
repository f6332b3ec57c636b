"""Weights come back from the streaming order, and every byte lies where the contract says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3vit.hw.layout.panels import UNUSED, head_columns, natural_columns, pack, unpack
from m3vit.hw.layout.sizes import linear_bytes, panel_bytes, qkv_bytes
from m3vit.hw.machine import CASCADE, MACHINES, MachineConfig
from m3vit.hw.quantised import Linear

machines = st.sampled_from(
    [*MACHINES.values(), MachineConfig(name="odd", groups=2, rows=16, columns=8)]
)


def _layer(outputs: int, inner: int, seed: int) -> Linear:
    rng = np.random.default_rng(seed)
    return Linear(
        weight=rng.integers(-127, 128, (outputs, inner)).astype(np.int8),
        bias=rng.integers(-(2**26), 2**26, outputs).astype(np.int32),
        factor=rng.integers(0, 65536, outputs).astype(np.uint16),
        shift=int(rng.integers(1, 40)),
    )


def _same(one: Linear, two: Linear) -> bool:
    names = ("weight", "bias", "factor", "shift")
    return all(np.array_equal(getattr(one, name), getattr(two, name)) for name in names)


@given(machines, st.integers(1, 150), st.integers(1, 100), st.integers(0, 2**32))
def test_unpack_inverts_pack(machine: MachineConfig, outputs: int, inner: int, seed: int) -> None:
    layer = _layer(outputs, inner, seed)
    flags = np.random.default_rng(seed).integers(0, 65536, outputs).astype(np.uint16)
    columns = natural_columns(machine, outputs)
    data = pack(layer, columns, machine, flags)
    assert len(data) == linear_bytes(machine, inner, outputs)
    again, read = unpack(data, inner, columns, machine, layer.shift)
    assert _same(layer, again)
    assert np.array_equal(flags, read)


@given(machines, st.data())
def test_a_weight_lies_at_step_group_column_chain(
    machine: MachineConfig, data: st.DataObject
) -> None:
    outputs, inner = 2 * machine.panel, 2 * machine.rows
    layer = _layer(outputs, inner, 1)
    stream = np.frombuffer(pack(layer, natural_columns(machine, outputs), machine), np.int8)
    output = data.draw(st.integers(0, outputs - 1))
    index = data.draw(st.integers(0, inner - 1))
    panel, column = divmod(output, machine.panel)
    tile, row = divmod(index, machine.rows)
    chain, step = divmod(row, CASCADE)
    at = panel * panel_bytes(machine, inner) + machine.panel * 8 + tile * machine.tile_bytes
    at += (step * machine.panel + column) * machine.chains + chain
    assert stream[at] == layer.weight[output, index]


@given(machines, st.integers(1, 4), st.sampled_from([16, 32, 48, 64]), st.integers(0, 5))
def test_each_group_makes_its_own_head(
    machine: MachineConfig, heads: int, head_dim: int, first: int
) -> None:
    heads = min(heads, machine.groups)
    columns = head_columns(machine, first, heads, head_dim)
    shaped = columns.reshape(len(columns), machine.groups, machine.columns)
    for group in range(machine.groups):
        found = shaped[:, group][shaped[:, group] != UNUSED]
        start = (first + group) * head_dim
        wanted = range(start, start + head_dim) if group < heads else range(0)
        assert list(found) == list(wanted)
    layer = _layer((first + heads) * head_dim, 40, 3)
    data = pack(layer, columns, machine)
    assert len(data) * 3 == qkv_bytes(machine, 40, head_dim)
    again, _ = unpack(data, 40, columns, machine, 1)
    assert np.array_equal(again.weight, layer.weight[first * head_dim :])


@pytest.mark.parametrize("name", MACHINES)
def test_unused_rows_and_columns_are_zero(name: str) -> None:
    machine = MACHINES[name]
    layer = _layer(1, 1, 0)
    stream = np.frombuffer(pack(layer, natural_columns(machine, 1), machine), np.int8)
    assert np.count_nonzero(stream[machine.panel * 8 :]) == np.count_nonzero(layer.weight)
    assert not stream[8 : machine.panel * 8].any()
