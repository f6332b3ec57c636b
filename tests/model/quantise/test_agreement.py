"""Agreement of expert choices: counts, gaps and margins by hand."""

import math

import numpy as np
import pytest

from m3vit.model.quantise.agreement import Agreement, membership, softmax

LOGITS = np.log(np.array([[0.5, 0.3, 0.15, 0.05], [0.1, 0.2, 0.3, 0.4]]))


def test_swapped_token_is_counted_with_its_gap() -> None:
    tally = Agreement()
    tally.add(LOGITS, np.array([[0, 1], [3, 2]]), np.array([[2, 0], [2, 3]]))
    record = tally.to_dict()
    assert record["same_set"] == 0.5
    assert record["same_pairs"] == 0.75
    assert record["swapped_gap_mean"] == pytest.approx(0.15)
    assert record["swapped_gap_max"] == pytest.approx(0.15)
    assert record["margin_mean"] == pytest.approx((0.15 + 0.1) / 2)


def test_two_swapped_experts_give_their_mean_gap() -> None:
    tally = Agreement()
    tally.add(LOGITS[:1], np.array([[0, 1]]), np.array([[2, 3]]))
    assert tally.gap_max == pytest.approx((0.5 + 0.3 - 0.15 - 0.05) / 2)


def test_all_experts_chosen_always_agree() -> None:
    tally = Agreement()
    tally.add(LOGITS, np.array([[0, 1, 2, 3]] * 2), np.array([[3, 2, 1, 0]] * 2))
    assert tally.to_dict()["same_set"] == 1 and tally.margin_sum == 0


def test_merge_adds_counts_and_keeps_the_largest_gap() -> None:
    a = Agreement(tokens=3, equal=2, pairs=6, common=5, gap_sum=0.1, gap_max=0.1, margin_sum=1)
    b = Agreement(tokens=1, equal=0, pairs=2, common=0, gap_sum=0.4, gap_max=0.4, margin_sum=0)
    both = a.merge(b).to_dict()
    assert both["tokens"] == 4 and both["same_set"] == 0.5 and both["swapped_gap_max"] == 0.4
    assert both["swapped_gap_mean"] == pytest.approx(0.25)


def test_empty_tally_has_no_division_by_zero() -> None:
    assert all(math.isfinite(value) for value in Agreement().to_dict().values())


def test_softmax_and_membership() -> None:
    np.testing.assert_allclose(softmax(LOGITS + 700), np.exp(LOGITS))
    assert membership(np.array([[2, 0]]), 3).tolist() == [[True, False, True]]
