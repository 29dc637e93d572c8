import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibtools.analysis.kernels.contingency import Contingency
from ibtools.analysis.kernels.information import (
    conditional_entropy,
    entropy,
    information_of_labels,
    mutual_information,
    rounding_bound,
)
from ibtools.partition import partition, partition_block
from tests.analysis.oracle import slow_information, textbook_information
from tests.analysis.strategies import labelled_samples, symbol_arrays


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([7], 0.0),
        ([0, 0, 3], 0.0),
        ([5, 5], 1.0),
        ([3, 3, 3, 3], 2.0),
        ([2, 1, 1], 1.5),
        ([12, 6, 6, 0], 1.5),
        ([1] * 4096, 12.0),
        ([1, 2], math.log2(3) - 2 / 3),
    ],
)
def test_entropy__by_hand(counts, expected):
    assert entropy(np.array(counts)) == pytest.approx(expected, abs=1e-15)
    if expected % 0.5 == 0:
        assert entropy(np.array(counts)) == expected


def test_entropy__of_the_syn_labels():
    assert entropy(np.array([4096 - 2118, 2118])) == pytest.approx(0.999157, abs=5e-7)


def test_entropy__of_a_table_is_the_joint_entropy():
    assert entropy(np.array([[1, 1], [1, 1]])) == 2.0


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ([[3, 0], [0, 3]], 1.0),  # copy
        ([[0, 3], [3, 0]], 1.0),  # negation
        ([[1, 1], [1, 1]], 0.0),  # one input bit and the exclusive or of two
        ([[7, 7], [7, 7], [7, 7]], 0.0),  # independent
        ([[4, 9]], 0.0),  # constant layer
        ([[4], [9]], 0.0),  # constant label
        ([[1, 0], [1, 0], [0, 1], [0, 1]], 1.0),
        ([[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 2]], 1.5),
    ],
)
def test_mutual_information__by_hand(table, expected):
    assert mutual_information(np.array(table)) == expected


@pytest.mark.parametrize("table", [[[2, 0], [1, 1]], [[1, 1], [0, 0], [0, 2]]])
def test_mutual_information__a_state_that_mixes(table):
    """I = h(1/4) - 1/2: half of the samples are in a state whose label is a coin."""
    assert mutual_information(np.array(table)) == pytest.approx(
        1.5 - 0.75 * math.log2(3), abs=1e-15
    )


def test_mutual_information__of_the_pair_that_xor_reads():
    """Neither bit tells of their exclusive or, both together tell all."""
    pair = np.array([[1, 0], [0, 1], [0, 1], [1, 0]])
    assert mutual_information(pair) == 1.0


def test_mutual_information__binary_symmetric_channel():
    """I = 1 - h(p) for uniform input."""
    h = -(0.1 * math.log2(0.1) + 0.9 * math.log2(0.9))
    assert mutual_information(np.array([[450, 50], [50, 450]])) == pytest.approx(1 - h, abs=1e-15)


def test_conditional_entropy__by_hand():
    table = np.array([[2, 0], [0, 1], [0, 1]])
    assert conditional_entropy(table) == 0.5
    assert conditional_entropy(table.T) == 0.0


@given(labelled_samples())
def test_information_of_labels__equals_decimals(samples):
    labels, y, _, n_classes = samples
    labels = partition(labels[:, np.newaxis])[0]
    expected_entropy, expected_mi = slow_information(labels, y)
    (entropy_t,), (mi_ty,) = information_of_labels(labels[np.newaxis], y, n_classes)
    bound = rounding_bound(len(y))
    assert abs(entropy_t - float(expected_entropy)) <= bound
    assert abs(mi_ty - float(expected_mi)) <= bound


@given(labelled_samples())
def test_information_of_labels__has_the_bits_of_the_pure_functions(samples):
    labels, y, n_states, n_classes = samples
    table = Contingency.from_labels(labels, y, n_states=n_states, n_classes=n_classes)
    labels = partition(labels[:, np.newaxis])[0]
    (entropy_t,), (mi_ty,) = information_of_labels(labels[np.newaxis], y, n_classes)
    assert entropy_t == entropy(table.states)
    assert mi_ty == mutual_information(table.table)


@given(symbol_arrays(), st.integers(1, 4), st.integers(0, 99))
def test_information_of_labels__equals_the_textbook(symbols, n_classes, seed):
    y = np.random.default_rng(seed).integers(0, n_classes, len(symbols))
    labels, _ = partition(symbols)
    (entropy_t,), (mi_ty,) = information_of_labels(labels[np.newaxis], y, n_classes)
    expected = textbook_information(symbols, y)
    assert (entropy_t, mi_ty) == pytest.approx(expected, abs=1e-12)


def test_information_of_labels__many_threads_at_once():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 700)
    blocks = [partition_block(rng.integers(0, 3, (9, 700, 4), np.uint8))[0] for _ in range(16)]
    expected = [information_of_labels(labels, y, 3) for labels in blocks]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda labels: information_of_labels(labels, y, 3), blocks))
    np.testing.assert_array_equal(np.array(found), np.array(expected))


def test_mutual_information__rounding_below_zero_is_clipped():
    """Independent counts whose logarithms are irrational: without clipping some are below 0."""
    rng = np.random.default_rng(1)
    for _ in range(500):
        table = np.outer(rng.integers(1, 50, 6), rng.integers(1, 50, 3))
        found = mutual_information(table)
        assert 0.0 <= found <= rounding_bound(int(table.sum()))


@pytest.mark.parametrize(
    ("function", "table", "error", "match"),
    [
        (entropy, np.array([0.5, 0.5]), TypeError, "must be integers, found float64"),
        (entropy, np.array([1, -1]), ValueError, "must not be negative, found -1"),
        (entropy, np.array([0, 0]), ValueError, "at least one sample"),
        (entropy, np.array([], dtype=np.int64), ValueError, "at least one sample"),
        (mutual_information, np.array([1, 2]), ValueError, r"found shape \(2,\)"),
        (conditional_entropy, np.zeros((2, 2), dtype=int), ValueError, "at least one sample"),
    ],
)
def test_information__bad_counts(function, table, error, match):
    with pytest.raises(error, match=match):
        function(table)
