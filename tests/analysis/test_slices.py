"""Sliced information: against its twin in any dimension, and against mixtures of two Gaussians."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.integrate import quad
from scipy.stats import norm

from ibtools.analysis.kernels.neighbours import neighbour_information
from ibtools.analysis.kernels.slices import (
    line_information,
    random_directions,
    sliced_information,
)


@given(
    hnp.arrays(np.float32, st.integers(8, 60), elements=st.integers(-6, 6).map(float)),
    st.integers(1, 3),
    st.integers(0, 2**32),
    st.floats(0.01, 1e6),
)
@settings(deadline=None)
def test_line_information__equals_that_of_neighbours(values, k, seed, scale):
    """Among different values, equal ones, and both."""
    rng = np.random.default_rng(seed)
    values = (values * np.float32(scale)).astype(np.float32)
    values[::3] += rng.normal(size=len(values[::3])).astype(np.float32)
    y = np.arange(values.size) % 2
    expected = neighbour_information(values[:, np.newaxis], y, n_neighbours=k)
    assert line_information(values.astype(float), y, k) == pytest.approx(expected, abs=1e-9)


def information_of_mixture(distance: float) -> float:
    """I(T;Y) in bits of two equally likely classes, N(0, 1) and N(distance, 1)."""

    def term(t: float) -> float:
        one, both = norm.pdf(t), (norm.pdf(t) + norm.pdf(t - distance)) / 2
        return one * np.log2(one / both) if one > 0 else 0.0

    return quad(term, -12, 12)[0]


def two_gaussians(n_samples: int, n_units: int, distance: float, seed: int = 0):
    """Samples (sample, unit) of two classes whose means are apart in the first unit."""
    y = np.arange(n_samples) % 2
    values = np.random.default_rng(seed).normal(size=(n_samples, n_units))
    values[:, 0] += distance * y
    return values.astype(np.float32), y


@pytest.mark.parametrize("distance", [0.0, 1.0, 3.0])
def test_sliced_information__of_two_gaussians_is_that_of_their_projections(distance):
    """theta . T is N(0, 1) or N(distance theta_1, 1): a closed form but for one integral."""
    values, y = two_gaussians(4000, 3, distance)
    directions = random_directions(3, 24, seed=1)
    found = sliced_information(values, y, directions, n_neighbours=3)
    expected = [information_of_mixture(distance * abs(one[0])) for one in directions]
    assert found.mean == pytest.approx(np.mean(expected), abs=0.015)
    error = np.std(expected, ddof=1) / np.sqrt(24)
    assert found.standard_error == pytest.approx(error, abs=0.01)


def test_sliced_information__of_clusters_that_any_direction_parts_is_one_bit():
    y = np.arange(1000) % 2
    values = np.random.default_rng(0).normal(size=(1000, 2)).astype(np.float32)
    values[:, 0] += 1e5 * y
    found = sliced_information(values, y, random_directions(2, 16, seed=2), n_neighbours=3)
    assert found.mean == pytest.approx(1 + 1 / 2000 / np.log(2), abs=1e-3)


def test_sliced_information__units_that_know_nothing_dilute_it():
    """The same information among more units of noise: what it must not be compared by."""
    of_widths = [
        sliced_information(
            *two_gaussians(1000, width, 4.0), random_directions(width, 32, seed=0), n_neighbours=3
        )
        for width in (1, 4, 64)
    ]
    means = [one.mean for one in of_widths]
    assert means[0] == pytest.approx(information_of_mixture(4.0), abs=0.05)
    assert means[0] > means[1] + 0.2 > means[2] + 0.4
    assert abs(means[2]) < 0.1


def test_sliced_information__equal_samples_have_equal_projections():
    """A layer of two states that tell the class: exactly what counting gives, whatever BLAS does"""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 501)
    values = rng.normal(size=(2, 1000)).astype(np.float32)[y]
    found = sliced_information(values, y, random_directions(1000, 8, seed=0), n_neighbours=3)
    share = y.mean()
    entropy = -share * np.log2(share) - (1 - share) * np.log2(1 - share)
    assert found.mean == pytest.approx(entropy, abs=5e-3)
    assert found.standard_error < 1e-12


def test_random_directions__are_uniform_seeded_and_the_first_do_not_change():
    many = random_directions(3, 4000, seed=5)
    assert np.linalg.norm(many, axis=1) == pytest.approx(1)
    assert np.abs(many.mean(axis=0)).max() < 5 / np.sqrt(3 * 4000)
    assert np.cov(many.T, bias=True) == pytest.approx(np.eye(3) / 3, abs=0.02)
    np.testing.assert_array_equal(random_directions(3, 7, seed=5), many[:7])
    assert (random_directions(3, 7, seed=6) != many[:7]).all()
