from hypothesis import given
from hypothesis import strategies as st

from m3vit.hw.cost.retire import Retire


def test_results_leave_at_their_rate_behind_those_before_them() -> None:
    retire = Retire(latency=37, places=128)
    assert retire.take(100, 8, 3) == 100 + 37 + 24
    assert retire.take(110, 8, 2) == 161 + 16
    assert retire.take(1000, 1, 1) == 1038


def test_a_pass_waits_until_its_results_have_room() -> None:
    retire = Retire(latency=10, places=16)
    assert retire.room(16) == 0
    assert retire.take(0, 16, 2) == 42
    assert retire.room(1) == 12
    assert retire.room(16) == 42


@given(st.lists(st.tuples(st.integers(1, 16), st.integers(1, 4), st.integers(0, 50)), min_size=1))
def test_the_queue_is_never_overrun(passes: list[tuple[int, int, int]]) -> None:
    retire, time, taken = Retire(latency=5, places=32), 0.0, []
    for pairs, rate, pause in passes:
        time = max(time + pause, retire.room(pairs))
        end = retire.take(time, pairs, rate)
        taken += [(end - rate * left, time) for left in range(pairs)]
        held = sum(left > time for left, begun in taken if begun <= time)
        assert held <= 32
