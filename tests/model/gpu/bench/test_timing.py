import torch

from m3vit.model.gpu.bench.timing import CACHE_BYTES, count_launches, measure, rotation


def test_inputs_rotate_and_warm_up_calls_do_not_count() -> None:
    seen: list[int] = []
    inputs = [torch.tensor([number]) for number in range(3)]
    timing = measure(lambda x: seen.append(int(x)), inputs, repeats=7, warm_ups=2)
    assert seen == [0, 1] + [0, 1, 2, 0, 1, 2, 0]
    assert timing.calls == 7 and 0 <= timing.low_ms <= timing.median_ms <= timing.high_ms


def test_rotation_exceeds_the_cache_or_stops_at_its_limit() -> None:
    large = rotation(lambda seed: torch.full((CACHE_BYTES // 3,), seed, dtype=torch.uint8))
    assert len(large) == 4 and [int(x[0]) for x in large] == [0, 1, 2, 3]
    assert len(rotation(lambda seed: torch.zeros(1), most=5)) == 5
    assert len(rotation(lambda seed: torch.zeros(CACHE_BYTES + 1, dtype=torch.uint8))) == 2


def test_no_kernels_are_launched_without_a_gpu() -> None:
    assert count_launches(lambda x: x + 1, torch.zeros(3)) == 0
