"""Signal-to-noise ratios: constant channels carry no signal, energies add over images."""

import math

import numpy as np
import pytest

from m3vit.model.quantise.residual_error import ResidualError, ResidualWatch


def test_ratio_of_a_known_error() -> None:
    exact = np.array([[1.0, 50.0], [-1.0, 50.0]])
    tally = ResidualError(0.5)
    tally.add(("out", 0), exact, np.array([[2, 100], [-2, 101]], np.int32))
    assert tally.decibels()["out", 0] == pytest.approx(10 * math.log10(2 / 0.25))


def test_energies_add_over_images() -> None:
    tally = ResidualError(1.0)
    for error in (1, 3):
        exact = np.array([[4.0], [-4.0]])
        tally.add(("mid", 1), exact, (exact + error).astype(np.int32))
    assert tally.decibels()["mid", 1] == pytest.approx(10 * math.log10(64 / 20))


def test_no_error_is_infinite() -> None:
    tally = ResidualError(1.0)
    tally.add(("out", 0), np.ones((2, 2)), np.ones((2, 2), np.int32))
    assert tally.decibels()["out", 0] == math.inf


def test_watch_takes_the_embedding_and_skips_the_rest() -> None:
    tally = ResidualError(1.0)
    watch = ResidualWatch(tally, {("embed", 0): np.arange(4.0).reshape(2, 2)})
    watch("embed", -1, np.zeros((2, 2), np.int32))
    watch("ln1", 0, np.zeros((2, 2), np.int8))
    assert list(tally.decibels()) == [("embed", 0)]
