"""Pairs of partitions: against decimals, scikit-learn, and the laws of a distance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import adjusted_mutual_info_score

from ibtools.analysis.kernels.chance import expected_mutual_information
from ibtools.analysis.kernels.pairs import compare_partitions
from ibtools.partition import partition_block
from tests.analysis.oracle import slow_information

BOUND = 1e-11


@st.composite
def partitions(draw, count: int):
    """Draw some partitions (partition, sample) of the same samples."""
    n_samples = draw(st.integers(1, 40))
    symbols = draw(hnp.arrays(np.uint8, (count, n_samples, 1), elements=st.integers(0, 6)))
    return partition_block(symbols)[0]


@given(partitions(5))
@settings(deadline=None)
def test_compare_partitions__equals_the_slow_oracle(labels):
    found = compare_partitions(labels[:2], labels[2:])
    for i, j in np.ndindex(2, 3):
        a, b = labels[i], labels[2 + j]
        entropy, shared = map(float, slow_information(a, b))
        other, _ = map(float, slow_information(b, a))
        assert abs(found.information[i, j] - shared) <= BOUND
        assert abs(found.variation[i, j] - (entropy + other - 2 * shared)) <= BOUND
        table = np.zeros((a.max() + 1, b.max() + 1), int)
        np.add.at(table, (a, b), 1)
        assert abs(found.chance[i, j] - expected_mutual_information(table)) <= BOUND


@given(partitions(2))
@settings(deadline=None)
def test_compare_partitions__adjusted_equals_that_of_scikit_learn(labels):
    adjusted = compare_partitions(labels[:1], labels[1:]).adjusted[0, 0]
    expected = adjusted_mutual_info_score(labels[0], labels[1], average_method="max")
    if np.isnan(adjusted):
        same = np.array_equal(labels[0], labels[1])
        assert not same or labels[0].max() in (0, labels[0].size - 1)
    else:
        assert adjusted == pytest.approx(expected, abs=1e-6)


@given(partitions(3))
@settings(deadline=None)
def test_compare_partitions__laws(labels):
    """Symmetric; 0 and 1 of itself; VI(A,C) <= VI(A,B) + VI(B,C); blind to names of states"""
    found = compare_partitions(labels, labels)
    np.testing.assert_array_equal(found.information, found.information.T)
    np.testing.assert_array_equal(np.diag(found.variation), 0)
    own = np.diag(found.adjusted)
    np.testing.assert_allclose(own[~np.isnan(own)], 1)
    assert (found.adjusted[~np.isnan(found.adjusted)] <= 1 + BOUND).all()
    v = found.variation
    assert v[0, 2] <= v[0, 1] + v[1, 2] + BOUND
    renamed = (labels.max(axis=1, keepdims=True) - labels).astype(np.uint32)
    np.testing.assert_array_equal(
        compare_partitions(renamed, labels).information, found.information
    )


def test_compare_partitions__single_samples_leave_nothing_to_share():
    alone = np.arange(50, dtype=np.uint32)[np.newaxis]
    found = compare_partitions(alone, alone)
    assert (found.variation.item(), np.isnan(found.adjusted).item()) == (0, True)
    assert found.information == found.chance


def test_compare_partitions__of_other_samples_are_refused():
    with pytest.raises(ValueError, match="of the same samples"):
        compare_partitions(np.zeros((1, 3), np.uint32), np.zeros((1, 4), np.uint32))
