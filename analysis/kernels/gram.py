"""Matrix-based Rényi entropy: of the eigenvalues of a normalised Gram matrix."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.kernels.blas import one_thread

WIDTHS = np.geomspace(0.1, 10, 25)
"""Widths of the kernel that are tried, in the mean distance between samples: our own choice."""


@dataclass(frozen=True, eq=False)
class GramInformation:
    """Matrix-based entropy and information of a layer.

    Parameters
    ----------
    entropy_t : float
        S(T) in bits.
    mi_ty : float
        I(T;Y) in bits.
    width : float
        Of the kernel, in the unit of the values; 0 where all values are equal.
    by_chance : ndarray, (permutation,), float64
        I(T;Y) of permuted labels in bits, under the same kernel.
    """

    entropy_t: float
    mi_ty: float
    width: float
    by_chance: NDArray[np.float64]


@one_thread()
def gram_information(
    values: NDArray[np.float32],
    y: NDArray[np.integer],
    *,
    alpha: float,
    permuted: Sequence[NDArray[np.integer]] | NDArray[np.integer] = (),
) -> GramInformation:
    """Compute the matrix-based entropy of a layer, and its information about the class.

    Parameters
    ----------
    values : ndarray, (sample, unit), float32
        Finite; both dims are consumed. Time grows with the cube of the samples.
    y : ndarray, (sample,), integer
        The class of each sample.
    alpha : float
        The order; positive and not 1.
    permuted : sequence of ndarray, (sample,), integer, optional
        Permutations of `y`.

    Returns
    -------
    GramInformation

    Notes
    -----
    With n samples, K_ij = exp(-||t_i - t_j||^2 / s^2), A = K / n, and eigenvalues l_i of A,

        S(T) = 1 / (1 - alpha) log2 sum_i l_i^alpha,
        I(T;Y) = S(T) + S(Y) - S(T, Y),    S(T, Y) of n times the product of A and B, by elements,

    where B is of the class: n B_ij is 1 for samples of one class, else 0. Ordered by class, that
    product is a block for each class, so that its eigenvalues are those of the blocks. I(T;Y) is at
    most S(T) and S(Y); that it is never negative holds in the limit of alpha = 1 only.

    The width s is that of `WIDTHS` whose kernel is aligned best with that of the class, by
    ``<K, L> / sqrt(<K, K> <L, L>)`` with L = n B. Permuted labels are looked at with the kernel of
    the true ones: that is what these samples tell of any labels at the scale that was taken.

    References
    ----------
    Sanchez Giraldo, Rao & Principe (2015), IEEE Trans. Inf. Theory 61, 535. Wickstrøm et al.
    (2019), arXiv 1909.11396 (widths by alignment; which ones are tried is not theirs).

    Examples
    --------
    Two values far apart, each of a class:

    >>> found = gram_information(np.array([[0], [0], [9], [9]], np.float32),
    ...     np.array([0, 0, 1, 1]), alpha=1.01)
    >>> round(found.entropy_t, 3), round(found.mi_ty, 3)
    (1.0, 1.0)
    """
    order = np.argsort(y, kind="stable")
    squares = squared_distances(values[order])
    sizes = np.unique(y, return_counts=True)[1]
    mean_distance = float(np.sqrt(squares).mean())
    if mean_distance == 0:
        return GramInformation(0.0, 0.0, 0.0, np.zeros(len(permuted)))
    ends = np.cumsum(sizes)
    blocks = [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]
    width = _aligned_width(squares, blocks, mean_distance)
    gram = np.exp(squares / -(width**2)) / y.size
    entropy_t = matrix_entropy(np.linalg.eigvalsh(gram), alpha)
    entropy_y = matrix_entropy(sizes / y.size, alpha)
    mi_ty, *by_chance = (
        entropy_t + entropy_y - _joint_entropy(gram, labels[order], alpha)
        for labels in (y, *permuted)
    )
    return GramInformation(entropy_t, mi_ty, width, np.array(by_chance))


def _joint_entropy(gram: NDArray[np.float64], y: NDArray[np.integer], alpha: float) -> float:
    """Compute S(T, Y) from the eigenvalues of the blocks of the classes, in bits."""
    of_class = [np.flatnonzero(y == label) for label in np.unique(y)]
    blocks = [np.linalg.eigvalsh(gram[np.ix_(one, one)]) for one in of_class]
    return matrix_entropy(np.concatenate(blocks), alpha)


def matrix_entropy(eigenvalues: NDArray[np.floating[Any]], alpha: float) -> float:
    """Compute the Rényi entropy of order alpha of eigenvalues that sum to 1, in bits.

    Those below 0 by rounding are taken for 0.

    Examples
    --------
    >>> matrix_entropy(np.full(8, 1 / 8), 2.0)
    3.0
    """
    positive = eigenvalues[eigenvalues > 0]
    return float(np.log2((positive**alpha).sum()) / (1 - alpha))


def squared_distances(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Compute squared Euclidean distances between samples (sample, unit), (sample, sample).

    Values are centred first, so that little is lost where they are far from 0; equal samples have
    distance 0.
    """
    points = values - values.mean(axis=0, dtype=np.float64)
    products = points @ points.T
    own = np.diag(products)
    squares: NDArray[np.float64] = own[:, np.newaxis] + own
    squares -= 2 * products
    equal = 1e-12 * (own[:, np.newaxis] + own)  # what is left by rounding
    squares[squares < equal] = 0.0
    return squares


def _aligned_width(
    squares: NDArray[np.float64], blocks: list[slice], mean_distance: float
) -> float:
    """Choose the width whose kernel is aligned best with that of the classes."""
    alignments = []
    for width in WIDTHS:
        kernel = np.exp(squares / -((width * mean_distance) ** 2))
        shared = sum(float(kernel[block, block].sum()) for block in blocks)
        alignments.append(shared / float(np.linalg.norm(kernel)))
    return float(WIDTHS[int(np.argmax(alignments))]) * mean_distance


def chosen_samples(n_samples: int, most: int, *, seed: int) -> NDArray[np.intp]:
    """Choose samples without replacement, each set equally likely; all if there are no more.

    Examples
    --------
    >>> chosen_samples(3, 5, seed=0).tolist(), chosen_samples(1000, 4, seed=0).tolist()
    ([0, 1, 2], [31, 248, 394, 451])
    """
    if n_samples <= most:
        return np.arange(n_samples)
    words = np.random.PCG64(np.random.SeedSequence((seed, n_samples))).random_raw(n_samples)
    return np.sort(np.argsort(words, kind="stable")[:most])
