"""Information of channels: against `dit`, scikit-learn, and closed forms."""

import dit
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import mutual_info_score

from ibtools.analysis.kernels.information import (
    conditional_entropy,
    entropy,
    information_of_labels,
    mutual_information,
)
from ibtools.partition import partition_block

TABLES = hnp.arrays(
    np.int64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.integers(0, 40)
).filter(np.any)


def distribution(table):
    """The joint distribution of state and class, as dit has it."""
    cells = np.argwhere(table)
    outcomes = [(int(t), int(y)) for t, y in cells]
    return dit.Distribution(outcomes, (table[table > 0] / table.sum()).tolist())


@given(TABLES)
@settings(max_examples=60)
def test_information__equals_that_of_dit(table):
    joint = distribution(table)
    assert mutual_information(table) == pytest.approx(
        dit.shannon.mutual_information(joint, [0], [1]), abs=1e-9
    )
    assert conditional_entropy(table) == pytest.approx(
        dit.shannon.conditional_entropy(joint, [0], [1]), abs=1e-9
    )
    assert entropy(table.sum(axis=1)) == pytest.approx(dit.shannon.entropy(joint, [0]), abs=1e-9)


@given(st.integers(1, 200), st.integers(1, 8), st.integers(1, 5), st.integers(0, 2**32))
@settings(max_examples=60)
def test_information_of_labels__equals_that_of_scikit_learn(n, n_states, n_classes, seed):
    rng = np.random.default_rng(seed)
    symbols = rng.integers(0, n_states, (1, n, 1), np.uint8)
    y = rng.integers(0, n_classes, n)
    _, found = information_of_labels(partition_block(symbols)[0], y, n_classes)
    nats = mutual_info_score(symbols[0, :, 0], y)
    assert found[0] == pytest.approx(nats / np.log(2), abs=1e-9)


def binary_entropy(p):
    return -(p * np.log2(p) + (1 - p) * np.log2(1 - p)) if 0 < p < 1 else 0.0


@pytest.mark.parametrize("flips", [0, 1, 13, 50, 100])
def test_mutual_information__binary_symmetric_channel(flips):
    """I = 1 - h(f) for a fair input and flips with probability f."""
    table = np.array([[100 - flips, flips], [flips, 100 - flips]])
    expected = 1 - binary_entropy(flips / 100)
    assert mutual_information(table) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("erased", [0, 25, 100])
def test_mutual_information__binary_erasure_channel(erased):
    """I = 1 - e for a fair input that is erased with probability e."""
    table = np.array([[100 - erased, 0], [0, 100 - erased], [erased, erased]])
    assert mutual_information(table) == pytest.approx(1 - erased / 100, abs=1e-14)


def test_mutual_information__z_channel():
    """I = h(p (1 - f)) - p h(f): ones become zeros with probability f."""
    ones, flipped, zeros = 60, 15, 140
    table = np.array([[zeros, flipped], [0, ones - flipped]])
    p, f = ones / 200, flipped / ones
    expected = binary_entropy(p * (1 - f)) - p * binary_entropy(f)
    assert mutual_information(table) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("n_classes", [3, 10])
def test_mutual_information__symmetric_channel_of_many_classes(n_classes):
    """I = log2 C - h(e) - e log2(C - 1): the label errs with probability e, evenly."""
    wrong, right = 4, 100
    table = np.full((n_classes, n_classes), wrong)
    np.fill_diagonal(table, right)
    e = wrong * (n_classes - 1) / (right + wrong * (n_classes - 1))
    expected = np.log2(n_classes) - binary_entropy(e) - e * np.log2(n_classes - 1)
    assert mutual_information(table) == pytest.approx(expected, abs=1e-13)
