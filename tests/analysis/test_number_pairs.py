"""Information of two numbers: against its slow twin, closed forms, and counts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma

from ibtools.analysis.kernels.number_pairs import ALIKE, number_information, standardised


def slow_information(one, two, k: int) -> float:
    """Write the definition down, sample by sample, from all distances."""
    apart = [np.abs(values[:, np.newaxis] - values) for values in map(standardised, (one, two))]
    further = np.maximum(*apart)
    total = 0.0
    for i in range(len(one)):
        radius = np.sort(further[i])[k]
        within = int((further[i] <= radius + ALIKE).sum()) - 1
        shares = any((of[i] <= ALIKE).sum() > 1 for of in apart)
        if shares or within > k:
            counts = [int((of[i] <= radius + ALIKE).sum()) - 1 for of in apart]
            total += digamma(within) - sum(digamma(counts))
        else:
            counts = [int((of[i] < radius - ALIKE).sum()) for of in apart]
            total += digamma(k) - sum(digamma(counts))
    return (digamma(len(one)) + total / len(one)) / np.log(2)


@given(st.integers(0, 2**32), st.integers(6, 50), st.integers(1, 4), st.sampled_from("ngm"))
@settings(deadline=None)
def test_number_information__equals_its_slow_twin(seed, n_samples, k, kind):
    """Among different numbers, numbers on a grid, and a mixture as ReLUs make it."""
    rng = np.random.default_rng(seed)
    one, two = rng.normal(size=(2, n_samples))
    if kind == "g":
        one, two = np.round(2 * one) * np.float32(0.1), np.round(3 * two)
    if kind == "m":
        one = np.maximum(one + two, 0)
    expected = slow_information(one, two, k)
    if len(np.unique(one)) == 1 or len(np.unique(two)) == 1:
        expected = 0.0
    assert number_information(one, two, n_neighbours=k) == pytest.approx(expected, abs=1e-9)


def gaussians(rho: float, n_samples: int, seed: int = 0):
    one, two = np.random.default_rng(seed).normal(size=(2, n_samples))
    return one, rho * one + np.sqrt(1 - rho**2) * two


@pytest.mark.parametrize("rho", [0.0, 0.3, -0.6, 0.9, 0.999])
def test_number_information__of_gaussians_is_the_closed_form(rho):
    """I = -log2(1 - rho^2) / 2, in the mean over four draws."""
    found = [number_information(*gaussians(rho, 2000, seed), n_neighbours=3) for seed in range(4)]
    assert np.mean(found) == pytest.approx(-0.5 * np.log2(1 - rho**2), abs=0.05)


def test_number_information__is_symmetric_and_knows_no_unit():
    one, two = gaussians(0.8, 1000)
    found = number_information(one, two, n_neighbours=3)
    assert number_information(two, one, n_neighbours=3) == pytest.approx(found, abs=1e-9)
    rescaled = number_information(5 - 1000 * one, two / 1000, n_neighbours=3)
    assert rescaled == pytest.approx(found, abs=2e-3)


def test_number_information__monotone_transforms_leave_it_nearly_unchanged():
    one, two = gaussians(0.8, 2000)
    found = number_information(one, two, n_neighbours=3)
    bent = number_information(np.tanh(one), two + two**3 / 9, n_neighbours=3)
    assert bent == pytest.approx(found, abs=0.08)


@pytest.mark.parametrize("step", [0.02, 0.05, 0.1])
def test_number_information__rounding_that_loses_little_leaves_it_nearly_unchanged(step):
    """Algorithm 1, which takes all distances for different, is off by up to six bits here."""
    one, two = gaussians(0.9, 2000)
    for given_one, given_two in [(one, two), (one, step * np.round(two / step))]:
        rounded = step * np.round(given_one / step)
        found = number_information(rounded, given_two, n_neighbours=3)
        assert found == pytest.approx(-0.5 * np.log2(1 - 0.9**2), abs=0.15)


@pytest.mark.parametrize(("n_one", "n_two"), [(2, 2), (5, 20), (50, 50), (50, 0), (0, 0)])
def test_number_information__of_independent_numbers_is_about_zero(n_one, n_two):
    """0 values: normal ones."""
    rng = np.random.default_rng(1)
    values = [rng.integers(0, n, 2000) if n else rng.normal(size=2000) for n in (n_one, n_two)]
    assert abs(number_information(*values, n_neighbours=3)) < 0.08


def test_number_information__of_few_values_is_that_of_counts():
    """A channel that flips a coin in a tenth of the cases: 1 - H(0.1)."""
    rng = np.random.default_rng(0)
    coin = rng.integers(0, 2, 4000)
    flipped = np.where(rng.random(4000) < 0.1, 1 - coin, coin)
    expected = 1 + 0.1 * np.log2(0.1) + 0.9 * np.log2(0.9)
    found = number_information(coin.astype(float), flipped * 0.7, n_neighbours=3)
    assert found == pytest.approx(expected, abs=0.03)
    assert number_information(coin * 0.0, flipped * 0.7, n_neighbours=3) == 0
