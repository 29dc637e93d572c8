import hashlib
import itertools

import numpy as np
import pytest

from ibtools.errors import UnknownNameError
from ibtools.recorders.data import DataSet, load_data_set
from ibtools.recorders.data.syn import (
    icosahedron,
    label_orbits,
    label_popcounts,
    rotations,
)


@pytest.fixture(scope="module")
def data():
    return load_data_set("SYN")


def entropy(symbols):
    _, counts = np.unique(symbols, axis=0, return_counts=True)
    p = counts / counts.sum()
    return -(p * np.log2(p)).sum()


def symmetries():
    """Yield (determinant, permutation of the bits) of all 120 symmetries of the icosahedron."""
    vertices = icosahedron()
    products = vertices @ vertices.T
    frame = [0, *np.flatnonzero(np.isclose(products[0], 5**-0.5))[:2]]
    for image in itertools.permutations(range(12), 3):
        if np.allclose(products[np.ix_(image, image)], products[np.ix_(frame, frame)]):
            matrix = np.linalg.solve(vertices[frame], vertices[list(image)])
            overlap = vertices @ matrix @ vertices.T
            if np.allclose(overlap.max(axis=1), 1):
                yield round(np.linalg.det(matrix)), overlap.argmax(axis=1)


def n_orbits(x, permutations):
    weights = 1 << np.arange(12)[::-1]
    smallest = np.min([x[:, p] @ weights for p in permutations], axis=0)
    return len(np.unique(smallest))


def power_spectra(x, degree):
    """Squared norms, (sample, degree 0...degree), of the spherical-harmonic components."""
    products = icosahedron() @ icosahedron().T
    legendre = [np.polynomial.Legendre.basis(k)(products) for k in range(degree + 1)]
    return np.einsum("si,kij,sj->sk", x, legendre, x, optimize=True).round(6) + 0.0


def test_syn__is_the_published_data_set(data):
    digest = hashlib.sha256(data.y.astype(np.uint8).tobytes()).hexdigest()
    assert digest == "77732f16f85e91b49d3997196b56163b3bd362d8cf631468a8de3f986e88359f"
    assert np.array_equal(data.x @ (1 << np.arange(12)[::-1]), np.arange(4096))
    assert data.y.sum() == 2118


def test_syn__entropies(data):
    assert entropy(data.x) == 12
    assert entropy(data.y) == pytest.approx(0.999157, abs=5e-7)
    popcount = data.x.sum(axis=1)
    joint = entropy(np.column_stack([popcount, data.y]))
    information = entropy(popcount) + entropy(data.y) - joint
    assert information == pytest.approx(0.627641, abs=5e-7)


def test_syn__orbits_of_the_icosahedral_groups(data):
    full = list(symmetries())
    rotations = [permutation for sign, permutation in full if sign == 1]
    assert (len(full), len(rotations)) == (120, 60)
    x = data.x.astype(int)
    assert n_orbits(x, rotations) == 96
    assert n_orbits(x, [permutation for _, permutation in full]) == 82


def test_rotations__are_the_symmetries_of_determinant_one():
    expected = {tuple(permutation.tolist()) for sign, permutation in symmetries() if sign == 1}
    found = {tuple(permutation.tolist()) for permutation in rotations()}
    assert len(rotations()) == 60
    inverse = {tuple(np.argsort(permutation).tolist()) for permutation in rotations()}
    assert found == inverse == expected


def test_label_orbits__are_closed_under_rotations_and_96(data):
    orbits = label_orbits(data.x)
    weights = 1 << np.arange(12)[::-1]
    for permutation in rotations():
        assert np.array_equal(orbits[data.x.astype(int)[:, permutation] @ weights], orbits)
    assert np.array_equal(np.unique(orbits), np.arange(96))
    for labels in (data.y, label_popcounts(data.x)):  # both are functions of the orbit
        assert len(np.unique(np.column_stack([orbits, labels]), axis=0)) == 96


def test_label_popcounts__are_numbers_of_ones(data):
    assert label_popcounts(data.x).tolist() == [row.bit_count() for row in range(4096)]


def test_syn__labels_are_invariant_under_every_symmetry(data):
    weights = 1 << np.arange(12)[::-1]
    for _, permutation in symmetries():
        assert np.array_equal(data.y[data.x.astype(int)[:, permutation] @ weights], data.y)


@pytest.mark.parametrize("degree", [1, 6])
def test_syn__power_spectra(data, degree):
    """Degrees 0 and 1 tell as many patterns apart as all degrees up to 6, and decide the label."""
    spectra = power_spectra(data.x.astype(float), degree)
    assert len(np.unique(spectra, axis=0)) == 64
    assert entropy(spectra) == pytest.approx(5.569522, abs=5e-7)
    assert len(np.unique(np.column_stack([spectra, data.y]), axis=0)) == 64


def test_syn__split_is_stratified_and_fixed(data):
    assert (data.is_test.sum(), (~data.is_test).sum()) == (820, 3276)
    assert data.y[data.is_test].sum() == 424
    digest = hashlib.sha256(np.packbits(data.is_test).tobytes()).hexdigest()
    assert digest == "b9047a66dca8af7f95a42e0f9badef7867cc910f25a23d07f482b962074162b4"


def test_syn__checksum_is_of_inputs_and_labels(data):
    digest = hashlib.sha256(data.x.tobytes() + data.y.tobytes()).hexdigest()
    assert data.checksum == f"sha256:{digest}"
    assert digest.startswith("6d63c99b6e10c5a1")


def test_load_data_set__unknown():
    with pytest.raises(UnknownNameError, match=r"unknown data set 'syn'.*Known: SYN"):
        load_data_set("syn")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.zeros((4, 2))}, "must be float32, int64 and bool"),
        ({"y": np.zeros(3, np.int64)}, "one entry per sample"),
        ({"y": np.full(4, 2)}, "labels must be 0 to 1, but are 2 to 2"),
        ({"is_test": np.ones(4, bool)}, "must have training and test samples"),
    ],
)
def test_data_set__refuses_what_does_not_fit(change, message):
    good = {
        "name": "tiny",
        "x": np.zeros((4, 2), np.float32),
        "y": np.zeros(4, np.int64),
        "is_test": np.array([False, False, True, True]),
        "checksum": "",
        "n_classes": 2,
    }
    DataSet(**good)
    with pytest.raises(ValueError, match=message):
        DataSet(**good | change)
