import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibtools.analysis.kernels.chance import chance_levels
from ibtools.analysis.kernels.counts import Spectrum, label_spectra
from ibtools.analysis.kernels.permutations import (
    PermutationTest,
    permuted_information,
    snapshot_seed,
)
from tests.analysis.oracle import permuted_information as all_permutations
from tests.analysis.strategies import labelled_samples


def draw(labels, y, *, n_permutations=4000, seed=5):
    states, classes, _ = label_spectra(np.array([labels], np.uint32), np.array(y), max(y) + 1)
    return (
        permuted_information(
            states.select(0), np.bincount(y), n_permutations=n_permutations, seed=seed
        ),
        float(chance_levels(states, classes)[0]),
    )


@pytest.mark.parametrize(
    ("labels", "y"),
    [
        ([0, 0, 1, 1], [0, 0, 1, 1]),
        ([0, 0, 0, 1, 1, 2], [0, 1, 2, 2, 1, 0]),
        ([0, 0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1, 1]),
    ],
)
def test_permuted_information__every_permutation_is_equally_likely(labels, y):
    """Each value comes as often as among all permutations, within five standard errors."""
    found, _ = draw(labels, y)
    exact = np.round(all_permutations(labels, y), 9)
    for value in np.unique(exact):
        share = (exact == value).mean()
        error = np.sqrt(share * (1 - share) / found.size)
        assert abs((np.abs(found - value) < 1e-8).mean() - share) <= 5 * error
    assert all(np.abs(exact - value).min() < 1e-8 for value in found)


@given(labelled_samples(), st.integers(0, 2**64 - 1))
@settings(max_examples=30)
def test_permuted_information__mean_is_the_chance_level(samples, seed):
    labels, y, _, _ = samples
    labels = np.unique(labels, return_inverse=True)[1]
    found, expected = draw(labels, y.tolist(), n_permutations=1000, seed=seed)
    error = found.std(ddof=1) / np.sqrt(found.size)
    assert abs(found.mean() - expected) <= 6 * error + 1e-12


def test_permuted_information__deviation_of_a_large_table_is_that_of_numpy():
    rng = np.random.default_rng(0)
    labels, y = rng.integers(0, 12, 600), rng.integers(0, 3, 600)
    found, _ = draw(labels, y.tolist())

    def information(permuted):
        p = np.bincount(labels * 3 + permuted, minlength=36).reshape(12, 3) / 600
        ratio = p / (p.sum(1, keepdims=True) * p.sum(0, keepdims=True))
        return (p[p > 0] * np.log2(ratio[p > 0])).sum()

    slow = np.array([information(rng.permutation(y)) for _ in range(4000)])
    assert found.mean() == pytest.approx(slow.mean(), rel=0.02)
    assert found.std() == pytest.approx(slow.std(), rel=0.06)


def test_permuted_information__depends_on_the_seed_and_on_nothing_else():
    rng = np.random.default_rng(1)
    labels, y = rng.integers(0, 9, 100), rng.integers(0, 4, 100)
    order = rng.permutation(100)
    same, _ = draw(labels[order], y[order].tolist(), n_permutations=50)
    assert draw(labels, y.tolist(), n_permutations=50)[0].tolist() == same.tolist()
    assert draw(labels, y.tolist(), n_permutations=50, seed=6)[0].tolist() != same.tolist()


def test_permutation_test__of_a_copy_and_of_single_samples():
    y = [0, 1] * 20
    copy = PermutationTest.of(1.0, draw(y, y, n_permutations=99)[0], 40)
    assert copy.p == 0.01
    assert copy.z > 5
    alone = PermutationTest.of(1.0, draw(list(range(40)), y, n_permutations=99)[0], 40)
    assert (alone.mean, alone.sd, alone.p) == (1.0, 0.0, 1.0)
    assert np.isnan(alone.z)


def test_permutation_test__equal_but_for_rounding_counts_as_equal():
    permuted = np.array([0.5, 0.5 - 1e-15, 0.25, 0.75])
    assert PermutationTest.of(0.5, permuted, 100).p == (1 + 3) / 5


def test_permutation_test__p_of_random_labels_is_uniform():
    """Under independence p is at most a with probability at most a, here over 200 labellings."""
    rng = np.random.default_rng(2)
    labels = np.sort(rng.integers(0, 10, 80)).tolist()
    states = Spectrum.of(np.bincount(labels))
    y = np.repeat([0, 1], 40)
    p = []
    for seed in range(200):
        shuffled = rng.permutation(y)
        table = np.bincount(np.array(labels) * 2 + shuffled, minlength=20).reshape(10, 2)
        observed = _information(table)
        permuted = permuted_information(states, np.array([40, 40]), n_permutations=99, seed=seed)
        p.append(PermutationTest.of(observed, permuted, 80).p)
    for level in (0.1, 0.3, 0.5, 0.8):
        share = np.mean(np.array(p) <= level)
        assert abs(share - level) <= 4 * np.sqrt(level * (1 - level) / 200) + 0.01


def _information(table):
    p = table / table.sum()
    ratio = p / (p.sum(1, keepdims=True) * p.sum(0, keepdims=True))
    return float((p[p > 0] * np.log2(ratio[p > 0])).sum())


def test_snapshot_seed__every_part_counts():
    seeds = {
        snapshot_seed(seed, repeat=repeat, epoch=epoch, layer=layer)
        for seed in (0, 1)
        for repeat in (0, 1)
        for epoch in (-1, 0, 1)
        for layer in ("hidden_1", "output")
    }
    assert len(seeds) == 24
