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


def test_reads_pass_the_ring_and_keep_the_order() -> None:
    stream = WeightStream(8.0, ring_bytes=16, latency=0)
    assert stream.read(800, "image") == 100
    assert stream.fetch(16, "weights") == 102
    assert not stream.has_room(1)
    stream.release(16, 110)
    assert stream.has_room(16)
