"""The chance level against every permutation, exact rational weights, and scikit-learn."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score
from sklearn.metrics.cluster import expected_mutual_information as sklearn_expectation

from ibtools.analysis.estimators.counting import statistics_of_labels
from ibtools.analysis.kernels import chance
from ibtools.analysis.kernels.chance import (
    SATURATED,
    chance_deviations,
    chance_levels,
    count_singletons,
    expected_mutual_information,
    saturation,
)
from ibtools.analysis.kernels.contingency import Contingency
from ibtools.analysis.kernels.counts import Spectrum, label_spectra
from ibtools.analysis.kernels.information import entropy, largest_entropy, mutual_information
from ibtools.analysis.kernels.permutations import permuted_information as draw_permutations
from ibtools.store.schema import WHOLE_LAYER
from tests.analysis.oracle import permuted_information, slow_chance_level
from tests.analysis.strategies import labelled_samples

BOUND = 1e-12


def table_of(labels, y):
    n_states, n_classes = int(labels.max()) + 1, int(y.max()) + 1
    return Contingency.from_labels(labels, y, n_states=n_states, n_classes=n_classes).table


def level_of(labels, y):
    return expected_mutual_information(table_of(np.asarray(labels), np.asarray(y)))


@pytest.mark.parametrize(
    ("labels", "y"),
    [
        ([0, 0, 1, 1], [0, 0, 1, 1]),
        ([0, 1, 2, 2, 2], [0, 0, 1, 1, 1]),
        ([0, 0, 0, 1, 1, 2], [0, 1, 2, 2, 1, 0]),
        ([0, 0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1, 1]),
    ],
)
def test_expected_mutual_information__is_the_mean_over_all_permutations(labels, y):
    assert level_of(labels, y) == pytest.approx(np.mean(permuted_information(labels, y)), abs=1e-12)


@given(labelled_samples(max_samples=60))
def test_expected_mutual_information__equals_exact_weights(samples):
    labels, y, _, _ = samples
    table = table_of(labels, y)
    states, classes = (table.sum(axis=axis) for axis in (1, 0))
    expected = slow_chance_level(states[states > 0].tolist(), classes[classes > 0].tolist())
    assert abs(expected_mutual_information(table) - expected) <= BOUND


@pytest.mark.parametrize(("n_states", "n_classes"), [(2, 2), (30, 10), (3000, 3), (4000, 10)])
def test_expected_mutual_information__equals_that_of_scikit_learn(n_states, n_classes):
    rng = np.random.default_rng(n_states)
    labels = (rng.random(5000) ** 2 * n_states).astype(np.int64)
    table = table_of(labels, rng.integers(0, n_classes, 5000))
    table = table[table.sum(axis=1) > 0]
    nats = sklearn_expectation(table, 5000)
    assert expected_mutual_information(table) == pytest.approx(nats / np.log(2), abs=1e-9)


def test_mutual_information__equals_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    for n_states in (2, 20, 2000):
        labels, y = rng.integers(0, n_states, 3000), rng.integers(0, 5, 3000)
        nats = mutual_info_score(labels, y)
        assert mutual_information(table_of(labels, y)) == pytest.approx(nats / np.log(2), abs=1e-12)


def test_expected_mutual_information__large_states_keep_their_digits():
    """Factorials of 70000 would cost nine digits; relative weights cost none."""
    sizes, classes = [35000, 34999, 1], [6903, 63097]
    states, y = np.repeat(np.arange(3), sizes), np.repeat(np.arange(2), classes)
    found = expected_mutual_information(table_of(states, y))
    assert found == pytest.approx(_level_by_pmf(sizes, classes), abs=1e-12)


def _level_by_pmf(sizes, classes):
    """By scipy's hypergeometric weights, made to sum to one, as their error is common to all."""
    from scipy.stats import hypergeom

    n, left = sum(sizes), 0.0
    for a in sizes:
        for b in classes:
            k = np.arange(max(1, a + b - n), min(a, b) + 1)
            log_weights = hypergeom(n, b, a).logpmf(np.arange(max(0, a + b - n), min(a, b) + 1))
            weights = np.exp(log_weights - log_weights.max())
            weights = (weights / weights.sum())[-len(k) :]
            left += (weights * k * np.log2(a / k)).sum()
    return entropy(np.array(classes)) - left / n


@given(labelled_samples())
def test_expected_mutual_information__bounds(samples):
    """0 <= E[I(T;Y)] <= min(H(T), H(Y)), the upper bound up to rounding"""
    table = table_of(*samples[:2])
    least = min(entropy(table.sum(axis=1)), entropy(table.sum(axis=0)))
    assert 0.0 <= expected_mutual_information(table) <= least + BOUND


@given(labelled_samples())
def test_expected_mutual_information__symmetric(samples):
    """Permuting the states is permuting the labels: E[I(T;Y)] = E[I(Y;T)]."""
    table = table_of(*samples[:2])
    there, back = expected_mutual_information(table), expected_mutual_information(table.T)
    assert abs(there - back) <= BOUND


@given(labelled_samples(), st.data())
def test_expected_mutual_information__data_processing(samples, data):
    """T' = f(T): E[I(T';Y)] <= E[I(T;Y)]"""
    labels, y, n_states, _ = samples
    f = np.array(
        data.draw(st.lists(st.integers(0, 5), min_size=n_states, max_size=n_states)), np.int64
    )
    assert level_of(f[labels], y) <= level_of(labels, y) + BOUND


@given(st.lists(st.integers(0, 4), min_size=1, max_size=80))
def test_chance_levels__all_singletons_know_any_label(y):
    """E[I(T;Y)] = H(Y) exactly if every sample has its own state, and 0 exactly if all share one"""
    y = np.array(y)
    labels = np.stack([np.arange(y.size), np.zeros(y.size, np.int64)])
    states, classes, _ = label_spectra(labels, y, 5)
    assert chance_levels(states, classes).tolist() == [entropy(np.bincount(y)), 0.0]


def test_chance_levels__binary_symmetric_channel():
    """Two equal states of a fair label: the closed form is one hypergeometric sum."""
    found = expected_mutual_information(np.array([[5, 3], [3, 5]]))
    assert found == pytest.approx(slow_chance_level([8, 8], [8, 8]), abs=1e-15)
    assert expected_mutual_information(np.array([[8, 0], [0, 8]])) == found  # margins decide


@given(labelled_samples(), st.randoms())
def test_chance_levels__order_of_samples_states_and_classes_changes_no_bit(samples, random):
    labels, y, n_states, n_classes = samples
    order = np.array(random.sample(range(y.size), y.size))
    states = np.array(random.sample(range(n_states), n_states))
    classes = np.array(random.sample(range(n_classes), n_classes))
    expected = statistics(labels, y)
    found = statistics(states[labels][order], classes[y][order])
    assert found == expected


def statistics(labels, y):
    padded = np.unique(labels, return_inverse=True)[1].astype(np.uint32)[np.newaxis]
    entropy_x = largest_entropy(y.size)
    found = statistics_of_labels(padded, y, int(y.max()) + 1, entropy_x)
    assert tuple(found) == WHOLE_LAYER
    return {name: values.tolist() for name, values in found.items()}


def test_statistics_of_labels__singletons_and_saturation_by_hand():
    found = statistics(np.array([0, 0, 1, 2]), np.array([0, 1, 0, 1]))
    assert (found["n_states"], found["n_singletons"]) == ([3], [2])
    assert found["saturation"] == [0.75]
    assert found["mi_ty_above_null"] == [found["mi_ty"][0] - found["mi_ty_null"][0]]


@given(labelled_samples())
def test_saturation__bounds(samples):
    """0 <= H(T) / H(X) <= 1, and 1 exactly when every sample has its own state."""
    found = statistics(*samples[:2])
    assert 0.0 <= found["saturation"][0] <= 1.0
    assert (found["saturation"] == [1.0]) == (found["n_singletons"] == [samples[1].size])


@given(labelled_samples())
def test_saturation__leaves_this_much_to_the_label(samples):
    """H(Y|T) <= (1 - saturation) log2 N, for any labels: the reason for `SATURATED`."""
    labels, y, _, _ = samples
    found, most = statistics(labels, y), largest_entropy(y.size)
    left = entropy(np.bincount(y)) - found["mi_ty"][0]
    assert left <= (1 - found["saturation"][0]) * most + BOUND
    assert 0.0 < SATURATED < 1.0


@pytest.mark.parametrize("n", [1, 2, 3, 7, 4096, 70_000])
def test_largest_entropy__is_that_of_single_samples(n):
    assert largest_entropy(n) == entropy(np.ones(n, np.int64))
    assert saturation(np.array([largest_entropy(n)]), largest_entropy(n)).tolist() == [1.0]


def test_count_singletons__of_none():
    labels = np.zeros((1, 4), np.uint32)
    assert count_singletons(label_spectra(labels, np.zeros(4, int), 1)[0]).tolist() == [0]


def test_chance_levels__many_threads_fill_one_table():
    rng = np.random.default_rng(3)
    labels = (rng.random((64, 3000)) ** 3 * 300).astype(np.uint32)
    states, classes, _ = label_spectra(labels, rng.integers(0, 4, 3000), 4)
    expected = chance_levels(states, classes)
    chance._left_table.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        parts = pool.map(
            lambda b: chance_levels(Spectrum(states.counts[b], states.cells[b]), classes),
            [slice(b, b + 1) for b in range(64)],
        )
    assert np.concatenate(list(parts)).tolist() == expected.tolist()


def test_expected_mutual_information__refuses():
    with pytest.raises(ValueError, match=r"must be \(state, class\), found shape \(3,\)"):
        expected_mutual_information(np.array([1, 2, 3]))
    with pytest.raises(TypeError, match="counts must be integers"):
        expected_mutual_information(np.ones((2, 2)))


@pytest.mark.parametrize("n_states", [8, 300, 3000, 20_000])
def test_chance_deviations__are_those_of_permutations(n_states):
    """Of two classes of one size: few large states, pairs, and nearly all states of one sample."""
    rng = np.random.default_rng(0)
    sizes = np.bincount(rng.integers(0, n_states, 4096))
    drawn = draw_permutations(
        Spectrum.of(sizes), np.array([2048, 2048]), n_permutations=2000, seed=0
    )
    found = chance_deviations(np.array((sizes > 1).sum()), n_samples=4096, entropy_y=1.0)
    assert float(found) == pytest.approx(float(drawn.std(ddof=1)), rel=0.2)


def test_chance_deviations__of_single_samples():
    """A state of one sample agrees with any label, whatever that is."""
    found = chance_deviations(np.zeros(3, int), n_samples=4096, entropy_y=1.0)
    assert found.tolist() == [0, 0, 0]
