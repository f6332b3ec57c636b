from hypothesis import given
from hypothesis import strategies as st

from m3vit.hw.cost.timeline import ArrayTimeline

PASSES = st.tuples(st.integers(1, 30), st.integers(1, 40), st.integers(1, 20), st.integers(1, 8))


@given(PASSES, st.integers(0, 3), st.floats(0, 500))
def test_repeat_equals_single_passes(
    run: tuple[int, int, int, int], gap: int, arrival: float
) -> None:
    count, pairs, refill, shortest = run
    fast, slow = ArrayTimeline(gap), ArrayTimeline(gap)
    for timeline in (fast, slow):
        timeline.start_pass(7, refill, arrival=arrival)
    last = fast.repeat(count, pairs, refill, shortest)
    begun = 0.0
    for _ in range(count):
        begun = slow.start_pass(pairs, refill, shortest=shortest)
    assert abs(last - begun) < 1e-6
    assert abs(fast.time - slow.time) < 1e-6
    assert fast.busy == slow.busy
    assert all(abs(fast.lost[cause] - slow.lost[cause]) < 1e-6 for cause in fast.lost)
    after = [t.start_pass(5, refill) for t in (fast, slow)]
    assert abs(after[0] - after[1]) < 1e-6


@given(st.lists(st.tuples(PASSES, st.floats(0, 900), st.floats(0, 900), st.floats(0, 900))))
def test_every_cycle_is_busy_or_charged(
    passes: list[tuple[tuple[int, int, int, int], float, float, float]],
) -> None:
    timeline = ArrayTimeline(gap=1)
    for (_, pairs, refill, shortest), arrival, ready, out in passes:
        begun = timeline.start_pass(
            pairs, refill, arrival=arrival, ready=ready, out=out, shortest=shortest
        )
        assert begun >= max(arrival + refill, ready, out)
    assert abs(timeline.time - timeline.busy - sum(timeline.lost.values())) < 1e-6


def test_the_wait_is_charged_to_each_cause_in_turn() -> None:
    timeline = ArrayTimeline(gap=0)
    timeline.start_pass(10, 9, arrival=100, ready=150, cause="ln", out=170)
    assert timeline.lost == {
        **dict.fromkeys(timeline.lost, 0.0),
        "refill": 10.0,
        "dram": 99.0,
        "ln": 41.0,
        "drain": 20.0,
    }


def test_short_queues_wait_for_the_next_tile() -> None:
    timeline = ArrayTimeline(gap=0)
    timeline.repeat(4, pairs=3, refill=9, shortest=1)
    assert timeline.time == 10 + 3 * 10 + 3
    assert timeline.busy == 12
