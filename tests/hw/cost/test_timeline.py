from hypothesis import given
from hypothesis import strategies as st

from m3vit.hw.cost.timeline import TILE_STEPS, ArrayTimeline

PASSES = st.tuples(st.integers(1, 30), st.integers(1, 40), st.integers(1, 80))
MOMENTS = st.integers(0, 900)


@given(PASSES, st.integers(0, 3), st.integers(0, 500), st.booleans())
def test_repeat_equals_single_passes(
    run: tuple[int, int, int], gap: int, arrival: int, panel: bool
) -> None:
    count, pairs, length = run
    fast, slow = ArrayTimeline(2, gap), ArrayTimeline(2, gap)
    for timeline in (fast, slow):
        timeline.start_pass(7, arrival=arrival, panel=panel)
    last, begun = fast.repeat(count, pairs, length), 0.0
    for _ in range(count):
        begun = slow.start_pass(pairs, length=length)
    assert last == begun
    assert (fast.time, fast.busy, fast.lost) == (slow.time, slow.busy, slow.lost)
    assert fast.start_pass(5, panel=True) == slow.start_pass(5, panel=True)


@given(st.lists(st.tuples(PASSES, MOMENTS, MOMENTS, MOMENTS, st.booleans())))
def test_every_cycle_is_busy_or_charged(
    passes: list[tuple[tuple[int, int, int], int, int, int, bool]],
) -> None:
    timeline = ArrayTimeline(2, gap=1)
    for (_, pairs, length), arrival, ready, room, panel in passes:
        before = timeline.time
        begun = timeline.start_pass(
            pairs, arrival=arrival, ready=ready, room=room, panel=panel, length=length
        )
        assert begun > max(arrival, ready, room)
        assert timeline.time - begun == max(pairs, length, TILE_STEPS) + 1 <= timeline.time - before
    assert timeline.time == timeline.busy + sum(timeline.lost.values())


def test_the_wait_is_charged_as_the_counters_do_it() -> None:
    timeline = ArrayTimeline(2)
    timeline.start_pass(10, arrival=150, ready=100, cause="norm", room=170)
    expected = {"norm": 100, "weights": 52, "refill": 1, "blocked": 17, "command": 2}
    assert timeline.lost == {**dict.fromkeys(timeline.lost, 0), **expected}
    assert (timeline.time, timeline.busy) == (182, 10)


def test_short_passes_are_padded_to_the_load_of_a_tile() -> None:
    timeline = ArrayTimeline(2)
    first = timeline.start_pass(3)
    timeline.repeat(4, pairs=3)
    assert timeline.time == first + 5 * TILE_STEPS
    assert timeline.busy == 15


def test_the_records_of_a_panel_delay_short_passes_only() -> None:
    """As counted in RTL: a block of eight pairs waits two cycles a panel, once it has no lead."""
    idle = []
    for pairs in (8, 16):
        timeline = ArrayTimeline(2)
        timeline.start_pass(pairs)
        before = timeline.time - timeline.busy
        for _ in range(10):
            timeline.start_pass(pairs, panel=True)
            timeline.repeat(5, pairs)
        idle.append(timeline.time - timeline.busy - before)
    assert idle[1] == 0
    assert 2 * 10 - 3 <= idle[0] <= 2 * 10
