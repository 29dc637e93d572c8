"""Projections of layers and directions of inputs: linear layers, whose information is known."""

import numpy as np
import pytest

from ibtools.analysis.kernels.input_slices import input_slices
from ibtools.analysis.kernels.permutations import sample_permutations
from ibtools.analysis.kernels.principal import principal_directions
from ibtools.analysis.kernels.slices import random_directions
from ibtools.errors import InputError

SCALES = np.array([3.0, 2.0, 1.0, 0.5])


def gaussian_inputs(n_samples: int, seed: int = 0):
    """Inputs (sample, value) whose principal directions are the axes, but for chance."""
    return SCALES * np.random.default_rng(seed).normal(size=(n_samples, 4))


def information_of_linear(weights, directions, scales=SCALES):
    """I(theta . W x; x_j) in bits of independent Gaussian x, (projection, value)."""
    shares = (directions @ weights * scales) ** 2
    return -0.5 * np.log2(1 - shares / shares.sum(axis=1, keepdims=True))


def test_input_slices__of_a_linear_layer_is_that_of_its_projections():
    x = gaussian_inputs(2000)
    weights = np.random.default_rng(1).normal(size=(6, 4))
    directions = random_directions(6, 16, seed=1)
    scores = principal_directions(x, 3).scores
    values = (x @ weights.T).astype(np.float32)
    found = input_slices(
        values, scores, directions, sample_permutations(2000, 2, seed=0), n_neighbours=3
    )
    expected = information_of_linear(weights, directions)[:, :3]
    assert found.mean == pytest.approx(expected.mean(axis=0), abs=0.05)
    errors = expected.std(axis=0, ddof=1) / np.sqrt(16)
    assert found.standard_error == pytest.approx(errors, abs=0.02)
    assert np.abs(found.chance).max() < 0.02
    assert (found.chance_sd < 0.02).all()


def test_input_slices__of_an_independent_layer_is_its_chance_level():
    x = gaussian_inputs(1000)
    values = np.random.default_rng(5).normal(size=(1000, 5)).astype(np.float32)
    found = input_slices(
        values,
        principal_directions(x, 2).scores,
        random_directions(5, 16, seed=0),
        sample_permutations(1000, 4, seed=0),
        n_neighbours=3,
    )
    assert found.mean == pytest.approx(0, abs=0.03)
    assert (
        np.abs(found.mean - found.chance) < 5 * found.chance_sd + 3 * found.standard_error
    ).all()


def test_input_slices__a_monotone_activation_of_one_unit_leaves_it_nearly_unchanged():
    x = gaussian_inputs(2000)
    scores, one = principal_directions(x, 2).scores, random_directions(1, 2, seed=0)
    linear = (x @ [[0.2], [0.3], [0.1], [0.1]]).astype(np.float32)
    none = sample_permutations(2000, 0, seed=0)
    plain, bent = (
        input_slices(values, scores, one, none, n_neighbours=3)
        for values in (linear, np.tanh(linear))
    )
    assert bent.mean == pytest.approx(plain.mean, abs=0.05)
    assert np.isnan(plain.chance).all()
    assert np.isnan(plain.chance_sd).all()


def test_input_slices__of_a_constant_layer_is_zero():
    values = np.full((50, 3), 0.1, np.float32)
    shuffled = sample_permutations(50, 1, seed=0)
    found = input_slices(
        values, gaussian_inputs(50), random_directions(3, 2, seed=0), shuffled, n_neighbours=3
    )
    assert found.mean.tolist() == found.chance.tolist() == [0, 0, 0, 0]
    assert np.isnan(found.chance_sd).all()


def test_sample_permutations__are_permutations_seeded_and_the_first_do_not_change():
    many = sample_permutations(40, 20, seed=3)
    np.testing.assert_array_equal(np.sort(many, axis=1), np.tile(np.arange(40), (20, 1)))
    assert len(np.unique(many, axis=0)) == 20
    np.testing.assert_array_equal(sample_permutations(40, 3, seed=3), many[:3])
    assert (sample_permutations(40, 1, seed=4) != many[:1]).any()
    assert sample_permutations(40, 0, seed=3).shape == (0, 40)


@pytest.mark.parametrize("n_samples", [30, 9])
def test_principal_directions__equal_those_of_singular_values(n_samples):
    """More samples than values, and fewer."""
    x = np.random.default_rng(0).normal(size=(n_samples, 12)) * np.arange(1, 13)
    centred = x - x.mean(axis=0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    found = principal_directions(x, 4)
    signs = np.sign((found.scores * left[:, :4]).sum(axis=0))
    np.testing.assert_allclose(found.scores * signs, (left * singular)[:, :4], atol=1e-9)
    np.testing.assert_allclose(found.share, (singular**2 / (singular**2).sum())[:4])


def test_principal_directions__refuses_those_that_are_not_determined():
    patterns = (np.arange(16)[:, np.newaxis] >> np.arange(4) & 1).astype(float)
    with pytest.raises(InputError, match=r"along direction 0 of x .*; give other x"):
        principal_directions(patterns, 2)
    with pytest.raises(InputError, match=r"along direction 1 of x .*; ask for 1, or give"):
        principal_directions(patterns * [2, 1, 1, 1], 2)
    assert principal_directions(patterns * [2, 1, 1, 1], 1).share.tolist() == pytest.approx([4 / 7])
    with pytest.raises(InputError, match="along direction 0 of x"):
        principal_directions(np.ones((5, 2)), 1)
    with pytest.raises(InputError, match="along direction 1 of x"):
        principal_directions(np.arange(10.0)[:, np.newaxis] * [1, 2], 2)
    for n in (0, 5):
        with pytest.raises(InputError, match=f"n_directions must be 1 to 4, .* found {n}"):
            principal_directions(patterns, n)
