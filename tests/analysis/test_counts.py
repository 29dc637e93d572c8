from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibtools.analysis.kernels.contingency import Contingency
from ibtools.analysis.kernels.counts import Spectrum, label_spectra
from tests.analysis.strategies import labelled_samples


def count(samples):
    labels, y, n_states, n_classes = samples
    return Contingency.from_labels(labels, y, n_states=n_states, n_classes=n_classes)


def test_contingency__from_labels_by_hand():
    table = Contingency.from_labels(
        np.array([0, 1, 1, 1]), np.array([2, 0, 0, 2]), n_states=2, n_classes=3
    )
    assert table.table.dtype == np.int64
    assert table.table.tolist() == [[0, 0, 1], [2, 0, 1]]
    assert table.n_samples == 4
    assert table.states.tolist() == [1, 3]
    assert table.classes.tolist() == [2, 0, 2]


@given(labelled_samples(), st.data())
def test_contingency__any_chunks_merged_in_any_order_equal_the_whole(samples, data):
    """count(A + B) = count(A) + count(B); + is associative and commutative and has a zero."""
    labels, y, _, n_classes = samples
    cuts = sorted(data.draw(st.lists(st.integers(0, len(y)), max_size=4)))
    bounds = [0, *cuts, len(y)]
    chunks = [slice(a, b) for a, b in pairwise(bounds) if a < b]
    parts = [count((labels[c], y[c], int(labels[c].max()) + 1, n_classes)) for c in chunks]
    total = Contingency.zero(n_classes)
    for part in data.draw(st.permutations(parts)):
        total = total + part
    whole = count((labels, y, int(labels.max()) + 1, n_classes))
    np.testing.assert_array_equal(total.table, whole.table)
    np.testing.assert_array_equal((whole + Contingency.zero(n_classes)).table, whole.table)


def test_contingency__adding_leaves_the_parts_alone():
    part = Contingency(np.array([[1, 2]]))
    part + part
    assert part.table.tolist() == [[1, 2]]


def test_contingency__different_classes():
    with pytest.raises(ValueError, match="found 2 and 3 classes"):
        Contingency.zero(2) + Contingency.zero(3)


@pytest.mark.parametrize(
    ("labels", "y", "match"),
    [
        ([0, 1], [0], "same samples"),
        ([], [], "at least one"),
        ([0, 2], [0, 1], "labels must be from 0 to 1, found 0 to 2"),
        ([0, 1], [-1, 1], "y must be from 0 to 1, found -1 to 1"),
    ],
)
def test_contingency__bad_labels(labels, y, match):
    labels, y = np.array(labels, dtype=np.int64), np.array(y, dtype=np.int64)
    with pytest.raises(ValueError, match=match):
        Contingency.from_labels(labels, y, n_states=2, n_classes=2)
    with pytest.raises(ValueError, match=match):
        label_spectra(labels[np.newaxis], y, 2)


def assert_spectrum_is(spectrum, b, table):
    expected = Spectrum.of(table)
    used = spectrum.counts[b] > 0
    assert spectrum.counts[b][used].tolist() == expected.counts.tolist()
    assert spectrum.cells[b][used].tolist() == expected.cells.tolist()
    assert used[: len(expected.counts)].all()  # zeros come last


@given(st.lists(labelled_samples(max_samples=40), min_size=1, max_size=4))
def test_label_spectra__equal_those_of_the_tables(blocks):
    n = min(len(y) for _, y, _, _ in blocks)
    labels = np.stack([labels[:n] % n for labels, _, _, _ in blocks])
    y, n_classes = blocks[0][1][:n], blocks[0][3]
    spectrum_t, spectrum_y, spectrum_ty = label_spectra(labels, y, n_classes)
    assert_spectrum_is(spectrum_y, ..., np.bincount(y))
    for b in range(len(labels)):
        table = count((labels[b], y, n, n_classes))
        assert_spectrum_is(spectrum_t, b, table.states)
        assert_spectrum_is(spectrum_ty, b, table.table)


def test_label_spectra__most_entries_that_fit():
    """Counts 1, 2, ... m of m states: as many distinct counts as so many samples can have."""
    labels = np.repeat(np.arange(50), np.arange(1, 51))[np.newaxis]
    y = np.zeros(labels.size, dtype=np.int64)
    spectrum_t, _, _ = label_spectra(labels, y, 1)
    assert spectrum_t.counts[0][:50].tolist() == list(range(1, 51))
    assert set(spectrum_t.cells[0][:50].tolist()) == {1}


@pytest.mark.parametrize("labels", [[0, 1, 2, 3], [3, 2, 1, 0], [0, 0, 3, 3], [0, 1, 2, 2]])
def test_label_spectra__labels_need_not_be_dense_or_in_order(labels):
    y = np.array([0, 1, 0, 1])
    spectra = label_spectra(np.array([labels]), y, 2)
    table = count((np.array(labels), y, 4, 2))
    assert_spectrum_is(spectra[0], 0, table.states)
    assert_spectrum_is(spectra[1], ..., table.classes)
    assert_spectrum_is(spectra[2], 0, table.table)


def test_label_spectra__labels_of_other_dtypes():
    with pytest.raises(TypeError, match="y must be integers, found float64"):
        label_spectra(np.zeros((1, 2), np.uint32), np.zeros(2), 2)


def test_label_spectra__no_snapshot():
    spectrum_t, _, _ = label_spectra(np.empty((0, 3), np.uint32), np.zeros(3, int), 1)
    assert len(spectrum_t.counts) == 0
