import pytest

from m3vit.model.gpu.bench.statistics import summarise


def test_median_and_spread() -> None:
    timing = summarise([5.0, 1.0, 3.0, 2.0, 4.0, 100.0, 3.0, 3.0, 3.0, 3.0, 3.0])
    assert timing.median_ms == 3.0 and timing.calls == 11
    assert timing.low_ms == pytest.approx(2.0) and timing.high_ms == pytest.approx(5.0)


def test_one_call_is_its_own_median() -> None:
    timing = summarise([7.5])
    assert timing.low_ms == timing.median_ms == timing.high_ms == 7.5
