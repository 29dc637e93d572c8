"""Matrix-based entropy: against the closed form of Gaussians, and its limits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibtools.analysis.kernels.gram import (
    WIDTHS,
    chosen_samples,
    gram_information,
    matrix_entropy,
    squared_distances,
)


def entropy_of_gaussian(width: float, alpha: float, n_units: int) -> float:
    """S(T) in bits of N(0, I) under the kernel exp(-d^2 / width^2), of infinitely many samples.

    The eigenvalues of that operator in one dimension are sqrt(2 a / A) B^k (Zhu et al., 1998).
    """
    a, b = 0.25, 1 / width**2
    c = np.sqrt(a**2 + 2 * a * b)
    total = a + b + c
    ratio = b / total
    powers = (2 * a / total) ** (alpha / 2) / (1 - ratio**alpha)
    return n_units * float(np.log2(powers)) / (1 - alpha)


@pytest.mark.parametrize("alpha", [1.01, 2.0])
@pytest.mark.parametrize("n_units", [1, 2])
def test_gram_information__of_gaussians_is_the_closed_form(n_units, alpha):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(1200, n_units)).astype(np.float32)
    y = (values[:, 0] > 0).astype(int)
    found = gram_information(values, y, alpha=alpha)
    expected = entropy_of_gaussian(found.width, alpha, n_units)
    assert found.entropy_t == pytest.approx(expected, abs=0.08)
    assert found.entropy_t > 0.5


def clusters(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Values (sample, unit) in clusters that are all as far apart, and the cluster of each."""
    cluster = np.arange(400) % number
    noise = np.random.default_rng(1).normal(size=(400, number))
    return (100 * np.eye(number)[cluster] + 1e-3 * noise).astype(np.float32), cluster


def test_gram_information__of_two_clusters_far_apart_is_one_bit():
    found = gram_information(*clusters(2), alpha=1.01)
    assert found.entropy_t == pytest.approx(1, abs=0.01)
    assert found.mi_ty == pytest.approx(1, abs=0.01)


def test_gram_information__of_a_class_in_two_clusters_is_not_all_found():
    """A limit: the kernel that suits the label best blurs what it would take to tell all of it."""
    values, cluster = clusters(4)
    found = gram_information(values, cluster % 2, alpha=1.01)
    assert found.mi_ty == pytest.approx(0.896, abs=0.005)
    narrow = np.exp(-squared_distances(values) / 100) / 400
    assert matrix_entropy(np.linalg.eigvalsh(narrow), 1.01) == pytest.approx(2, abs=0.01)


def test_gram_information__about_labels_by_chance_is_little():
    rng = np.random.default_rng(2)
    found = gram_information(
        rng.normal(size=(600, 5)).astype(np.float32), rng.integers(0, 2, 600), alpha=1.01
    )
    assert 0 <= found.mi_ty < 0.05


@given(st.integers(2, 25), st.integers(1, 4), st.integers(0, 2**32), st.sampled_from([1.01, 2.0]))
@settings(deadline=None, max_examples=40)
def test_gram_information__equals_whole_matrices(n_samples, n_units, seed, alpha):
    """Of the product of the two matrices, element by element, not block by block."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n_samples, n_units)).astype(np.float32)
    values[1::4] = values[0]
    y = rng.integers(0, 3, n_samples)
    found = gram_information(values, y, alpha=alpha)
    if found.width == 0:
        assert (values == values[0]).all()
        return
    points = values.astype(float)
    squares = ((points[:, np.newaxis] - points) ** 2).sum(axis=2)
    of_class = (y[:, np.newaxis] == y).astype(float)
    kernels = [np.exp(-squares / (width * np.sqrt(squares).mean()) ** 2) for width in WIDTHS]
    alignments = [(one * of_class).sum() / np.sqrt((one**2).sum()) for one in kernels]
    assert found.width == pytest.approx(WIDTHS[np.argmax(alignments)] * np.sqrt(squares).mean())
    kernel = kernels[int(np.argmax(alignments))]
    t, both, of_y = (
        matrix_entropy(np.linalg.eigvalsh(one / n_samples), alpha)
        for one in (kernel, kernel * of_class, of_class)
    )
    assert found.entropy_t == pytest.approx(t, abs=1e-6)
    assert found.mi_ty == pytest.approx(t + of_y - both, abs=1e-6)
    assert found.mi_ty <= min(t, of_y) + 1e-9
    assert found.mi_ty >= -0.05  # only of order 1 is it never negative


def test_gram_information__does_not_see_shift_scale_or_rotation():
    rng = np.random.default_rng(3)
    values, y = rng.normal(size=(150, 3)).astype(np.float32), rng.integers(0, 2, 150)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    one = gram_information(values, y, alpha=1.01)
    other = gram_information((8 * values @ rotation + 40).astype(np.float32), y, alpha=1.01)
    assert other.entropy_t == pytest.approx(one.entropy_t, abs=1e-4)
    assert other.mi_ty == pytest.approx(one.mi_ty, abs=1e-4)
    assert other.width == pytest.approx(8 * one.width, rel=1e-4)


def test_matrix_entropy__near_one_is_shannons():
    eigenvalues = np.array([0.5, 0.25, 0.125, 0.125, -1e-18])
    assert matrix_entropy(eigenvalues, 1.0001) == pytest.approx(1.75, abs=1e-3)
    assert matrix_entropy(eigenvalues, 2.0) == pytest.approx(-np.log2(0.34375))


def test_chosen_samples__are_seeded_different_and_equally_likely():
    chosen = np.array([chosen_samples(20, 5, seed=seed) for seed in range(2000)])
    assert all(len(set(one)) == 5 for one in chosen.tolist())
    assert np.bincount(chosen.ravel()) == pytest.approx(500, abs=5 * np.sqrt(500 * 0.75))
    np.testing.assert_array_equal(chosen[3], chosen_samples(20, 5, seed=3))
