"""Sliced mutual information: what one-dimensional projections of a layer know of the class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, ndtri

from ibtools.analysis.kernels.blas import one_thread
from ibtools.analysis.kernels.neighbours import ROOM
from ibtools.partition import partition
from ibtools.store.symbols import float_symbols

FEWEST = 2
"""Directions that a standard error needs."""

PORTION = 2**20
"""Values that are projected at once, as float64."""


@dataclass(frozen=True, eq=False)
class SlicedInformation:
    """What random projections know of the class, in bits.

    Parameters
    ----------
    mean : float
        The mean over directions: the sliced mutual information.
    standard_error : float
        Of the mean, from the directions only.
    by_chance : ndarray, (permutation,), float64
        Of permuted labels, each along one direction.
    """

    mean: float
    standard_error: float
    by_chance: NDArray[np.float64]


def random_directions(n_units: int, n_projections: int, *, seed: int) -> NDArray[np.float64]:
    """Draw directions, uniformly on the sphere.

    Parameters
    ----------
    n_units : int
        Units of the layer.
    n_projections : int
        How many to draw.
    seed : int
        With the number of units decides what is drawn. The first are the same however many there
        are.

    Returns
    -------
    ndarray, (projection, unit), float64
        Of length 1.

    Examples
    --------
    >>> directions = random_directions(3, 2, seed=0)
    >>> directions.shape, np.linalg.norm(directions, axis=1).round(12).tolist()
    ((2, 3), [1.0, 1.0])
    """
    words = np.random.PCG64(np.random.SeedSequence((seed, n_units))).random_raw(
        n_projections * n_units
    )
    normal = ndtri(((words >> 11) + 0.5) / 2**53).reshape(n_projections, n_units)
    directions: NDArray[np.float64] = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    return directions


@one_thread()
def sliced_information(
    values: NDArray[np.float32],
    y: NDArray[np.integer],
    directions: NDArray[np.float64],
    *,
    n_neighbours: int,
    permuted: Sequence[NDArray[np.integer]] | NDArray[np.integer] = (),
) -> SlicedInformation:
    """Estimate the sliced mutual information of a layer and the class.

    Parameters
    ----------
    values : ndarray, (sample, unit), float32
        Finite; both dims are consumed.
    y : ndarray, (sample,), integer
        The class of each sample, from 0. Every class that occurs has more than `n_neighbours`.
    directions : ndarray, (projection, unit), float64
        At least two, as from `random_directions`.
    n_neighbours : int
        As of `ibtools.analysis.kernels.neighbours.neighbour_information`.
    permuted : sequence of ndarray, (sample,), integer, optional
        Permutations of `y`. The first is looked at along the first direction, and so on, from the
        first one again after the last.

    Returns
    -------
    SlicedInformation
        In bits; an estimate, which its error may take below 0 and above H(Y).

    Notes
    -----
    With theta uniform on the sphere, ``SI(T;Y) = E[I(theta . T; Y)]``. Each term is estimated from
    the neighbours on the line, by the formula of `neighbour_information`. Samples of equal values
    have equal projections, to the last bit.

    References
    ----------
    Goldfeld & Greenewald (2021), NeurIPS, arXiv 2110.05279. Ross (2014), PLOS ONE 9(2) e87357.

    Examples
    --------
    Two classes far apart on a line, which any direction tells apart:

    >>> values = np.array([[0], [1], [2], [10], [11], [12]], np.float32)
    >>> y = np.array([0, 0, 0, 1, 1, 1])
    >>> found = sliced_information(values, y, random_directions(1, 4, seed=0), n_neighbours=1)
    >>> round(found.mean, 6), found.standard_error
    (1.130111, 0.0)
    """
    states, projected = project(values, directions)
    found = np.array([line_information(one[states], y, n_neighbours) for one in projected])
    error = float(found.std(ddof=1) / np.sqrt(found.size))
    by_chance = [
        line_information(projected[place % len(projected)][states], labels, n_neighbours)
        for place, labels in enumerate(permuted)
    ]
    return SlicedInformation(float(found.mean()), error, np.array(by_chance))


def project(
    values: NDArray[np.float32], directions: NDArray[np.float64]
) -> tuple[NDArray[np.uint32], NDArray[np.float64]]:
    """Project the different states of a layer on directions.

    Parameters
    ----------
    values : ndarray, (sample, unit), float32
        Finite; unit is consumed.
    directions : ndarray, (projection, unit), float64

    Returns
    -------
    states : ndarray, (sample,), uint32
        The state of each sample: samples of equal values have equal projections, to the last bit.
    projected : ndarray, (projection, state), float64
    """
    states, _ = partition(float_symbols(values))
    first = np.unique(states, return_index=True)[1]
    projected = np.zeros((len(directions), len(first)))
    step = max(1, PORTION // len(first))
    for start in range(0, values.shape[1], step):
        part = values[first, start : start + step].astype(np.float64)
        projected += directions[:, start : start + step] @ part.T
    return states, projected


def line_information(
    values: NDArray[np.float64], y: NDArray[np.integer], n_neighbours: int
) -> float:
    """Estimate the information of one number about the class.

    Parameters
    ----------
    values : ndarray, (sample,), float64
        Finite.
    y, n_neighbours
        As for `sliced_information`.

    Returns
    -------
    float
        In bits, what `ibtools.analysis.kernels.neighbours.neighbour_information` gives, from sorted
        values: n log n in time.

    Examples
    --------
    >>> found = line_information(np.array([0.0, 1, 2, 10, 11, 12]), np.array([0, 0, 0, 1, 1, 1]), 1)
    >>> round(found, 6)
    1.130111
    """
    if (values == values[0]).all():
        return 0.0
    everywhere = np.sort(values)
    psi = np.concatenate([[np.nan], digamma(np.arange(1, y.size + 1))])
    total = 0.0
    for label in np.unique(y):
        own = np.sort(values[y == label])
        radius = _distance_to_neighbour(own, n_neighbours) * ROOM
        in_class = _count_within(own, own, radius)
        in_all = _count_within(everywhere, own, radius)
        total += float((psi[in_class] - psi[in_all] - psi[own.size]).sum())
    return (float(psi[y.size]) + total / y.size) / float(np.log(2))


def _distance_to_neighbour(ordered: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Return the distance of each of some ordered numbers to the k-th nearest other.

    It is the least reach of a window of k + 1 neighbouring numbers that holds the one.
    """
    reach = np.full(ordered.size, np.inf)
    for below in range(k + 1):
        inside = slice(below, ordered.size - k + below)
        low, high = ordered[: ordered.size - k], ordered[k:]
        to_ends = np.maximum(ordered[inside] - low, high - ordered[inside])
        reach[inside] = np.minimum(reach[inside], to_ends)
    return reach


def _count_within(
    ordered: NDArray[np.float64], points: NDArray[np.float64], radius: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Count the others of some ordered numbers that are within a radius of points among them."""
    above = np.searchsorted(ordered, points + radius, side="right")
    below = np.searchsorted(ordered, points - radius, side="left")
    return above - below - 1
