from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from m3vit.hw.cost.resources import Resources, resources, units
from m3vit.hw.cost.stores import stores
from m3vit.hw.machine import MachineConfig, machine_preset

ZCU104 = machine_preset("zcu104")


def test_the_full_machine_fits_the_chip() -> None:
    count = resources(ZCU104)
    assert count.dsp <= 1728
    assert count.bram36 <= 312
    assert count.uram <= 96
    assert count.lut <= 0.7 * 230_400


def test_stores_by_hand() -> None:
    sizes = {store.name: store for store in stores(ZCU104)}
    assert [sizes[name].uram for name in ("residual", "XN", "QOH", "K and V")] == [32, 16, 16, 24]
    assert sizes["plan records"].uram == 3
    assert sizes["scores"].bram36 == 3 * 18 * 2  # eighteen columns of 36 bits for 640
    assert sizes["weight ring"].bram36 == 43 * 3  # 36 of 1536 bits, 1024 of 3072 words a block
    assert sizes["GELU tables"].bram36 == 48 // 2
    assert sizes["queue lists"].bram36 == 2 * 27 // 9 // 2
    assert sizes["residual"].depth * 8 * 16 == ZCU104.activation_bytes


def test_without_uram_the_stores_move_to_block_ram() -> None:
    with_uram, without = resources(ZCU104), resources(ZCU104, has_uram=False)
    assert without.uram == 0
    large = sum(store.bram36 for store in stores(ZCU104) if store.large)
    assert without.bram36 == with_uram.bram36 + large
    assert without.dsp == with_uram.dsp


@given(
    st.sampled_from(["groups", "max_tokens", "score_words", "ring_bytes", "layernorm_lanes"]),
    st.sampled_from([1, 2, 3, 4]),
)
def test_more_machine_never_takes_less(field: str, step: int) -> None:
    low = {"groups": 1, "max_tokens": 512, "score_words": 512, "ring_bytes": 96 * 4096}
    start = low.get(field, 4)
    small: MachineConfig = replace(ZCU104, **{field: start})
    large: MachineConfig = replace(ZCU104, **{field: start * step})
    pairs = zip(resources(small), resources(large), strict=True)
    assert all(a <= b for a, b in pairs)


def test_the_total_is_the_sum_of_the_units() -> None:
    total = Resources()
    for unit in units(ZCU104):
        assert unit.source
        total = total.plus(unit.count)
    assert total == resources(ZCU104)


def test_experts_cost_memory_only_in_the_plan() -> None:
    few, many = (resources(replace(ZCU104, max_experts=n)) for n in (16, 256))
    assert many.bram36 == few.bram36
    assert many.uram - few.uram <= 1
