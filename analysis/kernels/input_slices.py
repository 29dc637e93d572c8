"""What projections of a layer know of directions of the input: sliced mutual information."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.kernels.blas import one_thread
from ibtools.analysis.kernels.number_pairs import ordered_information, standardised
from ibtools.analysis.kernels.slices import project


@dataclass(frozen=True, eq=False)
class InputSlices:
    """What random projections of a layer know of directions of the input, in bits.

    Parameters
    ----------
    mean : ndarray, (direction,), float64
        Over the projections.
    standard_error : ndarray, (direction,), float64
        Of the mean, from the projections only.
    chance : ndarray, (direction,), float64
        The mean after samples were permuted; NaN without permutations.
    chance_sd : ndarray, (direction,), float64
        Its standard deviation over the permutations (n - 1); NaN of fewer than two.
    """

    mean: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    chance: NDArray[np.float64]
    chance_sd: NDArray[np.float64]


@one_thread()
def input_slices(
    values: NDArray[np.float32],
    scores: NDArray[np.float64],
    directions: NDArray[np.float64],
    permutations: NDArray[np.intp],
    *,
    n_neighbours: int,
) -> InputSlices:
    """Estimate the sliced mutual information of a layer and each of some directions of the input.

    Parameters
    ----------
    values : ndarray, (sample, unit), float32
        Finite; unit is consumed.
    scores : ndarray, (sample, direction), float64
        The input along each of its directions.
    directions : ndarray, (projection, unit), float64
        Of the layer; at least two, as from `ibtools.analysis.kernels.slices.random_directions`.
    permutations : ndarray, (permutation, sample), intp
        As from `ibtools.analysis.kernels.permutations.sample_permutations`; may be none.
    n_neighbours : int
        As of `ibtools.analysis.kernels.number_pairs.number_information`.

    Returns
    -------
    InputSlices
        Sample and projection are consumed.

    Notes
    -----
    With theta uniform on the sphere, and X_j the input along a direction, ``E[I(theta . T; X_j)]``.

    References
    ----------
    Goldfeld & Greenewald (2021), NeurIPS, arXiv 2110.05279, there with random directions of both.

    Examples
    --------
    >>> from ibtools.analysis.kernels.permutations import sample_permutations
    >>> from ibtools.analysis.kernels.slices import random_directions
    >>> x = np.random.default_rng(0).normal(size=(500, 2))
    >>> values, two = x[:, :1].astype(np.float32), random_directions(1, 2, seed=0)
    >>> shuffled = sample_permutations(500, 3, seed=0)
    >>> found = input_slices(values, x, two, shuffled, n_neighbours=3)
    >>> found.mean.round(1).tolist(), bool((abs(found.chance) < 0.1).all())
    ([7.6, 0.0], True)
    """
    n_orders = 1 + len(permutations)
    found = np.empty((scores.shape[1], len(directions), n_orders))
    orders = [np.argsort(one, kind="stable") for one in scores.T]
    inputs = [standardised(one[order]) for one, order in zip(scores.T, orders, strict=True)]
    for place, projection in enumerate(_projections(values, directions)):
        ascending = np.sort(projection)
        for direction, (one, order) in enumerate(zip(inputs, orders, strict=True)):
            found[direction, place] = [
                ordered_information(one, two[order], ascending, n_neighbours)
                for two in (projection, *projection[permutations])
            ]
    of_layer, by_chance = found[..., 0], found[..., 1:].mean(axis=1)
    missing = np.full(len(found), np.nan)
    return InputSlices(
        of_layer.mean(axis=1),
        of_layer.std(axis=1, ddof=1) / np.sqrt(len(directions)),
        by_chance.mean(axis=1) if len(permutations) > 0 else missing,
        by_chance.std(axis=1, ddof=1) if len(permutations) > 1 else missing,
    )


def _projections(
    values: NDArray[np.float32], directions: NDArray[np.float64]
) -> Iterator[NDArray[np.float64]]:
    """Yield the standardised projections (sample,) of a layer on each direction."""
    states, projected = project(values, directions)
    for one in projected:
        yield standardised(one[states])
