"""Information about a class from the distances between nearest neighbours."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import digamma

ROOM = 1 + 1e-12
"""Widens a radius by more than rounding: the neighbour that it was measured to is inside."""

NEARBY = 64
"""Nearest samples that are looked up of each: enough, unless its class is rare around it."""

PORTION = 2048
"""Samples whose neighbours are looked at together."""


def neighbour_information(
    values: NDArray[np.float32], y: NDArray[np.integer], *, n_neighbours: int
) -> float:
    """Estimate the information of a layer about the class.

    Parameters
    ----------
    values : ndarray, (sample, unit), float32
        Finite; both dims are consumed.
    y : ndarray, (sample,), integer
        The class of each sample, from 0. Every class that occurs has more than `n_neighbours`.
    n_neighbours : int
        Which neighbour the distance is measured to: k.

    Returns
    -------
    float
        I(T;Y) in bits: an estimate, which its error may take below 0 and above H(Y).

    Notes
    -----
    With r_i the Euclidean distance from sample i to its k-th nearest neighbour of the same class,
    N_i the samples of that class, and k_i and m_i how many samples of the class, and of all, are
    within r_i without i itself,

        I(T;Y) = psi(N) - <psi(N_i)> + <psi(k_i)> - <psi(m_i)>.

    Among different distances k_i = k, which is Ross' formula. Where more than k samples of a class
    have the same values, r_i = 0 and there is no density; then k_i and m_i count those with equal
    values, as Gao et al. do, and the estimate goes over into the one from counts of states. It is
    not cut off at 0 and H(Y): then means of it would be too large where there is little to know,
    and too small where there is all. A layer whose samples all have the same values has exactly 0
    bits, where the formula misses that by about one part in N.

    References
    ----------
    Ross (2014), PLOS ONE 9(2) e87357. Gao, Kannan, Oh & Viswanath (2017), NeurIPS, arXiv 1709.06212
    (equal values). Kraskov, Stögbauer & Grassberger (2004), Phys. Rev. E 69 066138.

    Examples
    --------
    >>> values = np.array([[0], [1], [2], [10], [11], [12]], np.float32)
    >>> round(neighbour_information(values, np.array([0, 0, 0, 1, 1, 1]), n_neighbours=1), 6)
    1.130111
    >>> neighbour_information(values * 0, np.array([0, 0, 0, 1, 1, 1]), n_neighbours=1)
    0.0
    """
    return float(neighbour_informations(values, y[np.newaxis], n_neighbours=n_neighbours)[0])


def neighbour_informations(
    values: NDArray[np.float32], labels: NDArray[np.integer], *, n_neighbours: int
) -> NDArray[np.float64]:
    """Estimate the information of a layer about several labels of its samples.

    Parameters
    ----------
    values, n_neighbours
        As for `neighbour_information`.
    labels : ndarray, (label, sample), integer
        Each as `y` there.

    Returns
    -------
    ndarray, (label,), float64
        In bits.

    Notes
    -----
    The samples that are nearest are looked up once, whatever their labels. Only where too few of
    them are of its class, a sample is looked at again, in a tree of its class.
    """
    if (values == values[0]).all():
        return np.zeros(len(labels))
    points = values.astype(np.float64)
    everywhere = cKDTree(points)
    n_samples = len(points)
    nats = np.zeros(len(labels))
    is_far = np.zeros(labels.shape, bool)
    for start in range(0, n_samples, PORTION):
        own = slice(start, start + PORTION)
        distance, nearest = everywhere.query(points[own], k=range(1, min(NEARBY, n_samples) + 1))
        for place, y in enumerate(labels):
            is_class = y[nearest] == y[own, np.newaxis]
            radius = _radius_nearby(distance, is_class, n_neighbours)
            is_far[place, own] = _is_beyond(distance, radius, n_samples)
            known = ~is_far[place, own]
            within = distance[known] <= radius[known, np.newaxis]
            in_class = (within & is_class[known]).sum(axis=1) - 1
            nats[place] += _psi(in_class) - _psi(within.sum(axis=1) - 1)
    for place, y in enumerate(labels):
        sizes = np.bincount(y)
        nats[place] -= float((sizes * digamma(np.maximum(sizes, 1))).sum())
        nats[place] += _far(points, everywhere, y, is_far[place], n_neighbours)
    return (float(digamma(n_samples)) + nats / n_samples) / math.log(2)


def _psi(counts: NDArray[np.int64]) -> float:
    return float(digamma(counts).sum())


def _radius_nearby(
    distance: NDArray[np.float64], is_class: NDArray[np.bool_], n_neighbours: int
) -> NDArray[np.float64]:
    """Return the distance to a neighbour of the class among some, ascending; inf if it is none."""
    is_reached = np.cumsum(is_class, axis=1) > n_neighbours
    first = is_reached.argmax(axis=1)
    rows = np.arange(len(distance))
    return np.where(is_reached[rows, first], distance[rows, first] * ROOM, np.inf)


def _is_beyond(
    distance: NDArray[np.float64], radius: NDArray[np.float64], n_samples: int
) -> NDArray[np.bool_]:
    """Whether samples that are not listed may be within the radius."""
    if distance.shape[1] == n_samples:
        return np.zeros(len(distance), bool)
    beyond: NDArray[np.bool_] = radius >= distance[:, -1]
    return beyond


def _far(
    points: NDArray[np.float64],
    everywhere: cKDTree,
    y: NDArray[np.integer],
    is_far: NDArray[np.bool_],
    n_neighbours: int,
) -> float:
    """Sum psi(k_i) - psi(m_i) over the samples that are told, from trees of their classes."""
    total = 0.0
    for label in np.unique(y[is_far]):
        tree = cKDTree(points[y == label])
        own = points[is_far & (y == label)]
        radius = tree.query(own, k=[n_neighbours + 1])[0][:, 0] * ROOM
        in_class = _count_within(tree, own, radius)
        total += _psi(in_class) - _psi(_count_within(everywhere, own, radius))
    return total


def _count_within(
    tree: cKDTree, points: NDArray[np.float64], radius: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Count the neighbours of points of the tree within a radius, without the points themselves."""
    counts: NDArray[np.int64] = tree.query_ball_point(points, radius, return_length=True) - 1
    return counts
