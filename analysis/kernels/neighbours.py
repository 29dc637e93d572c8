"""Information about a class from the distances between nearest neighbours."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import digamma

ROOM = 1 + 1e-12
"""Widens a radius by more than rounding: the neighbour that it was measured to is inside."""


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
    if (values == values[0]).all():
        return 0.0
    points = values.astype(np.float64)
    everywhere = cKDTree(points)
    total = 0.0
    for label in np.unique(y):
        own = points[y == label]
        tree = cKDTree(own)
        radius = tree.query(own, k=[n_neighbours + 1])[0][:, 0] * ROOM
        in_class = _count_within(tree, own, radius)
        in_all = _count_within(everywhere, own, radius)
        total += float((digamma(in_class) - digamma(in_all) - digamma(len(own))).sum())
    return (float(digamma(y.size)) + total / y.size) / math.log(2)


def _count_within(
    tree: cKDTree, points: NDArray[np.float64], radius: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Count the neighbours of points of the tree within a radius, without the points themselves."""
    counts: NDArray[np.int64] = tree.query_ball_point(points, radius, return_length=True) - 1
    return counts
