"""Information about the class from nearest neighbours: closed forms, a slow twin, scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.integrate import quad
from scipy.special import digamma
from scipy.stats import norm
from sklearn.feature_selection import mutual_info_classif

from ibtools.analysis.kernels.information import entropy
from ibtools.analysis.kernels.neighbours import neighbour_information, neighbour_informations


def slow_neighbour_information(values, y, k):
    """Ross' formula by looking at every pair, where no two distances are equal but 0."""
    points = values.astype(np.float64)
    total = 0.0
    for i, point in enumerate(points):
        distance = np.sqrt(((points - point) ** 2).sum(axis=1))
        others = np.arange(len(points)) != i
        same = others & (y == y[i])
        radius = np.sort(distance[same])[k - 1] * (1 + 1e-12)
        in_class, in_all = ((distance <= radius) & which for which in (same, others))
        total += digamma(in_class.sum()) - digamma(in_all.sum()) - digamma(same.sum() + 1)
    return (digamma(len(points)) + total / len(points)) / math.log(2)


def two_normals(n_samples, distance, n_units=1, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n_samples) % 2
    values = rng.normal(size=(n_samples, n_units))
    values[:, 0] += distance * y
    return values.astype(np.float32), y


@pytest.mark.parametrize("k", [1, 3, 7])
@pytest.mark.parametrize("n_units", [1, 2, 6])
def test_neighbour_information__equals_the_slow_twin(k, n_units):
    values, y = two_normals(150, 1.0, n_units)
    y = (y + (values[:, 0] > 1.5)).astype(int)
    found = neighbour_information(values, y, n_neighbours=k)
    assert found == pytest.approx(slow_neighbour_information(values, y, k), abs=1e-12)


@pytest.mark.parametrize("k", [1, 4])
def test_neighbour_information__of_a_rare_class_is_looked_up_in_its_own_tree(k):
    """Of 10 samples among 500 hardly one has its neighbours among the nearest of all."""
    values, y = two_normals(500, 0.0, 3)
    y = (np.arange(500) % 50 == 0).astype(int)
    values[:90] = values[0]  # more equal ones than are looked up
    labels = np.stack([y, y[::-1], values[:, 0] > 0])
    found = neighbour_informations(values, labels.astype(int), n_neighbours=k)
    expected = [slow_neighbour_information(values, one, k) for one in labels]
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("k", [3, 10])
def test_neighbour_information__equals_scikit_learn(k):
    """Which takes one unit, works in nats, and adds noise of 1e-10."""
    values, y = two_normals(2000, 1.3)
    expected = mutual_info_classif(
        values.astype(np.float64), y, discrete_features=False, n_neighbors=k, random_state=0
    )
    found = neighbour_information(values, y, n_neighbours=k)
    assert found == pytest.approx(float(expected[0]) / math.log(2), abs=1e-6)


@pytest.mark.parametrize("distance", [0.0, 1.0, 2.0, 4.0])
def test_neighbour_information__of_two_normal_classes(distance):
    """I(T;Y) of two normal distributions by numerical integration; nothing else known of them."""

    def mean_density(t):
        return (norm.pdf(t) + norm.pdf(t, distance)) / 2

    h_t, _ = quad(lambda t: -mean_density(t) * math.log2(mean_density(t)), -9, 9 + distance)
    expected = h_t - 0.5 * math.log2(2 * math.pi * math.e)
    found = neighbour_information(*two_normals(6000, distance), n_neighbours=5)
    assert found == pytest.approx(expected, abs=0.03)


def test_neighbour_information__classes_far_apart_have_all_of_it():
    """And the error of the formula, (classes - 1) / 2N nats, more: it is not cut off."""
    values, y = two_normals(400, 1e3)
    found = neighbour_information(values, y, n_neighbours=3)
    assert found == pytest.approx(1 + 1 / (800 * math.log(2)), abs=1e-5)


def test_neighbour_information__of_nothing_is_0_in_the_mean():
    """Estimates that were cut off at 0 would have a mean far above."""
    found = [
        neighbour_information(*two_normals(200, 0.0, seed=seed), n_neighbours=3)
        for seed in range(60)
    ]
    assert min(found) < -0.05
    assert abs(np.mean(found)) < 3 * np.std(found) / math.sqrt(60)
    assert np.maximum(found, 0).mean() > 4 * abs(np.mean(found))


def test_neighbour_information__by_hand():
    """k = 1 on a line: radii are 1, 1, 2 in one class, 4.75 and 4.75 in the other."""
    values = np.array([[0], [1], [3], [2.25], [7]], np.float32)
    y = np.array([0, 0, 0, 1, 1])
    within = np.array([1, 1, 2, 4, 2])
    nats = digamma(5) + digamma(1) - digamma(within).mean()
    nats -= (3 * digamma(3) + 2 * digamma(2)) / 5
    found = neighbour_information(values, y, n_neighbours=1)
    assert found == pytest.approx(nats / math.log(2))


def test_neighbour_information__a_constant_layer_has_exactly_none():
    """Where Ross' k without the samples at distance 0 would be far below 0."""
    values, y = np.ones((60, 4), np.float32), np.arange(60) % 3
    assert neighbour_information(values, y, n_neighbours=3) == 0.0


def test_neighbour_information__equal_values_are_counted():
    """Four states of many samples: the estimate from counts, up to one part in the counts"""
    rng = np.random.default_rng(0)
    states = rng.integers(0, 4, 8000)
    y = np.where(rng.random(8000) < 0.2, rng.integers(0, 2, 8000), states % 2)
    values = np.column_stack([states, states**2]).astype(np.float32)
    table = np.zeros((4, 2), int)
    np.add.at(table, (states, y), 1)
    counted = entropy(table.sum(axis=1)) + entropy(table.sum(axis=0)) - entropy(table)
    found = neighbour_information(values, y, n_neighbours=3)
    assert found == pytest.approx(counted, abs=2e-3)
    by_table = sum(
        n * (digamma(n - 1) - digamma(table[state].sum() - 1))
        for state in range(4)
        for n in table[state]
    )
    in_class = table.sum(axis=0)
    nats = digamma(8000) + (by_table - (in_class * digamma(in_class)).sum()) / 8000
    assert found == pytest.approx(nats / math.log(2), abs=1e-12)


def test_neighbour_information__some_equal_values():
    """A unit that is 0 for half of the samples, as a ReLU: the slow twin counts them too"""
    values, y = two_normals(300, 1.0, 2)
    values[values[:, 0] < 0.5] = 0
    found = neighbour_information(values, y, n_neighbours=3)
    assert found == pytest.approx(slow_neighbour_information(values, y, 3), abs=1e-12)


POINTS = hnp.arrays(
    np.float32,
    st.tuples(st.integers(8, 30), st.integers(1, 3)),
    elements=st.floats(width=32, min_value=-8, max_value=8) | st.integers(-2, 2).map(float),
)


@given(POINTS, st.integers(1, 3), st.data())
def test_neighbour_information__laws(values, k, data):
    """The order of samples and units, reflection and scale change nothing."""
    y = np.arange(len(values)) % 2
    found = neighbour_information(values, y, n_neighbours=k)
    assert (
        found == pytest.approx(slow_neighbour_information(values, y, k), abs=1e-12)
        or not (values != values[0]).any()
    )
    samples = data.draw(st.permutations(range(len(values))))
    moved = -4 * values[samples][:, ::-1]
    again = neighbour_information(moved, y[samples], n_neighbours=k)
    assert again == pytest.approx(found, abs=1e-12)


def test_neighbour_information__rotation():
    values, y = two_normals(300, 1.5, 3)
    rotation, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))
    rotated = (values.astype(np.float64) @ rotation).astype(np.float32)
    found = neighbour_information(rotated, y, n_neighbours=3)
    assert found == pytest.approx(neighbour_information(values, y, n_neighbours=3), abs=1e-3)
