import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3vit.hw.cost.stream import WeightStream
from m3vit.hw.errors import ConfigurationError


def test_the_ring_holds_no_more_than_its_bytes() -> None:
    stream = WeightStream(10.0, ring_bytes=100, latency=5)
    assert stream.fetch(60, "weights") == 6 + 5
    assert stream.fetch(40, "weights") == 10 + 5
    stream.release(60, 500.0)
    assert stream.fetch(60, "experts") == 500 + 6 + 5
    assert stream.bytes_by_kind["weights"] == 100
    assert stream.bytes_by_kind["experts"] == 60


def test_what_must_stay_at_once_must_fit() -> None:
    stream = WeightStream(10.0, ring_bytes=100, latency=5)
    stream.fetch(90, "weights")
    with pytest.raises(ConfigurationError, match="ring of 100 bytes"):
        stream.fetch(20, "weights")


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 20)), min_size=1, max_size=60))
def test_bytes_on_chip_never_exceed_the_ring(uses: list[tuple[int, int]]) -> None:
    stream, ring = WeightStream(4.0, ring_bytes=100, latency=0), 100
    events: list[tuple[float, int]] = []
    use = 0.0
    for words, pause in uses:
        size = 4 * words  # whole cycles, so that times compare exactly
        arrival = stream.fetch(size, "weights")
        use = max(use, arrival) + pause
        stream.release(size, use)
        events += [(arrival - size / 4, size), (use, -size)]
    level = 0
    for _, change in sorted(events):  # at one moment, what leaves goes first
        level += change
        assert level <= ring


def test_the_queues_in_front_of_the_ring_hold_some_more() -> None:
    stream = WeightStream(10.0, ring_bytes=100, latency=5, queue_bytes=20)
    stream.fetch(100, "weights")
    stream.release(60, 500.0)
    assert stream.fetch(20, "weights") == 500  # sent long before, let in when there is room
    assert stream.channel == 12
    stream.fetch(60 - 20, "weights")
    assert stream.channel == 500 + 4


def test_reads_pass_the_ring_and_keep_the_order() -> None:
    stream = WeightStream(8.0, ring_bytes=16, latency=0)
    assert stream.read(800, "image") == 100
    assert stream.fetch(16, "weights") == 102
    assert stream.begins == math.inf
    stream.release(16, 110)
    assert stream.begins == 110


def test_rows_hold_up_what_comes_behind_them() -> None:
    stream = WeightStream(8.0, ring_bytes=1000, latency=10, queue_bytes=80)
    assert stream.rows(400, "image", 4.0, begins=30.0) == 130
    assert stream.fetch(80, "weights") == 130  # it waits in the queues
    assert stream.fetch(80, "weights") == 140


def test_a_table_is_freed_with_the_panel_behind_it() -> None:
    stream = WeightStream(8.0, ring_bytes=16, latency=0)
    stream.fetch(8, "tables")
    stream.hold(8)
    stream.fetch(8, "weights")
    stream.release(8, 50)
    assert stream.fetch(16, "weights") == 52


def test_what_is_dropped_takes_time_and_room_until_then() -> None:
    stream = WeightStream(8.0, ring_bytes=64, latency=0)
    stream.drop(160, "experts", 100)
    assert stream.channel == 112
    assert stream.bytes_by_kind["experts"] == 160
    assert stream.begins == 112
