import numpy as np
import pytest
from hypothesis import given

from ibtools.analysis.kernels.class_information import class_entropies, class_information
from ibtools.analysis.kernels.contingency import Contingency
from ibtools.analysis.kernels.counts import Spectrum, class_spectra, one_against_rest_spectra
from ibtools.analysis.kernels.information import (
    conditional_entropy,
    entropy,
    information_of_labels,
    mutual_information,
)
from tests.analysis.oracle import slow_chance_level, slow_information
from tests.analysis.strategies import labelled_samples

BOUND = 1e-12


def table_of(labels, y, n_classes):
    n_states = int(labels.max()) + 1
    return Contingency.from_labels(labels, y, n_states=n_states, n_classes=n_classes).table


def entries(spectrum, *at):
    counts, cells = spectrum.counts[at], spectrum.cells[at]
    used = int((counts > 0).sum())
    assert (counts[:used] > 0).all()
    return counts[:used].tolist(), cells[:used].tolist()


@given(labelled_samples(max_samples=60))
def test_class_spectra__equal_those_of_the_tables(samples):
    labels, y, _, n_classes = samples
    labels = labels % y.size
    block = np.stack([labels, np.zeros_like(labels), np.arange(y.size, dtype=np.uint32)])
    inside = class_spectra(block, y, n_classes)
    split = one_against_rest_spectra(block, y, n_classes)
    for b, one in enumerate(block):
        table = table_of(one, y, n_classes)
        for c in range(n_classes):
            expected = Spectrum.of(table[:, c])
            assert entries(inside, c, b) == (expected.counts.tolist(), expected.cells.tolist())
            rest = table.sum(axis=1) - table[:, c]
            expected = Spectrum.of(np.stack([table[:, c], rest]))
            assert entries(split, c, b) == (expected.counts.tolist(), expected.cells.tolist())


@given(labelled_samples(max_samples=60))
def test_class_information__equals_decimals(samples):
    labels, y, _, n_classes = samples
    labels = labels % y.size
    given_class = class_entropies(labels[np.newaxis], y, n_classes)
    shared, null = class_information(labels[np.newaxis], y, n_classes)
    for c in range(n_classes):
        one = (y == c).astype(np.int64)
        assert abs(shared[0, c] - float(slow_information(labels, one)[1])) <= BOUND
        sizes = [count for count in np.bincount(one, minlength=2).tolist() if count]
        states = [count for count in np.bincount(labels).tolist() if count]
        assert abs(null[0, c] - slow_chance_level(states, sizes)) <= BOUND
        if one.any():
            expected = float(slow_information(labels[y == c], y[y == c])[0])
            assert abs(given_class[0, c] - expected) <= BOUND
        else:
            assert np.isnan(given_class[0, c])


@given(labelled_samples())
def test_class_entropies__sum_to_the_conditional_entropy(samples):
    """sum over classes of p(c) H(T|Y=c) = H(T|Y)"""
    labels, y, _, n_classes = samples
    found = class_entropies(labels[np.newaxis] % y.size, y, n_classes)
    shares = np.bincount(y, minlength=n_classes) / y.size
    expected = conditional_entropy(table_of(labels % y.size, y, n_classes))
    assert abs(np.nansum(shares * found[0]) - expected) <= BOUND


@given(labelled_samples())
def test_class_information__data_processing(samples):
    """[Y=c] is a function of Y: I(T;[Y=c]) <= I(T;Y); and it is at most H([Y=c])"""
    labels, y, _, n_classes = samples
    labels = labels % y.size
    shared, _ = class_information(labels[np.newaxis], y, n_classes)
    most = mutual_information(table_of(labels, y, n_classes))
    for c in range(n_classes):
        share = entropy(np.array([(y == c).sum(), (y != c).sum()]))
        assert 0.0 <= shared[0, c] <= min(most + BOUND, share)


@given(labelled_samples())
def test_class_information__all_of_the_class(samples):
    """I(T;[Y=c]) = H([Y=c]) exactly when no state mixes the class with others"""
    labels, y, _, n_classes = samples
    labels = labels % y.size
    table = table_of(labels, y, n_classes)
    shared, _ = class_information(labels[np.newaxis], y, n_classes)
    for c in range(n_classes):
        rest = table.sum(axis=1) - table[:, c]
        mixes = ((table[:, c] > 0) & (rest > 0)).any()
        whole = entropy(np.array([table[:, c].sum(), rest.sum()]))
        assert (shared[0, c] == whole) == (not mixes)


def test_class_information__of_two_classes_both_are_the_whole():
    rng = np.random.default_rng(0)
    labels, y = rng.integers(0, 30, (5, 200)), rng.integers(0, 2, 200)
    shared, _ = class_information(labels, y, 2)
    _, whole = information_of_labels(labels, y, 2)
    np.testing.assert_array_equal(shared, np.stack([whole, whole], axis=1))


def test_class_spectra__refuse_classes_out_of_range():
    for spectra in (class_spectra, one_against_rest_spectra):
        with pytest.raises(ValueError, match="y must be from 0 to 1, found 0 to 2"):
            spectra(np.zeros((1, 3), np.uint32), np.array([0, 1, 2]), 2)
