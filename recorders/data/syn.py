"""SYN: all 12-bit patterns, labelled by a rotation-invariant function of 12 points on a sphere.

Bit i of a pattern x lights vertex v_i of a regular icosahedron on the unit sphere. The label
thresholds the norms of the pattern's spherical-harmonic components of degree 0 and 1::

    f(x) = sum_i x_i + | sum_i x_i v_i |,      y = [ f(x) > 7.6 ]

These two norms decide those of every other degree. By the addition theorem the squared norm of
degree l is ``sum_ij x_i x_j P_l(v_i . v_j)`` up to a factor, P_l being a Legendre polynomial, and
the vertices have only the scalar products 1, ``+-1/sqrt(5)`` and -1. With n lit vertices, a lit
pairs of neighbours, b of next-to-neighbours and c of opposites it is::

    n + 2 (a P_l(1/sqrt(5)) + b P_l(-1/sqrt(5)) + c P_l(-1))

For even l this is a function of n and c, because a + b + c is n (n - 1) / 2; for odd l it is one
of n - 2c and a - b. As sqrt(5) is irrational, degrees 0 and 1 already tell n, c and a - b. There
are 64 such triples, and the label is a function of them.

The data set is that of Shwartz-Ziv & Tishby [1]_, to the last label, computed instead of copied.

References
----------
.. [1] R. Shwartz-Ziv & N. Tishby, "Opening the black box of deep neural networks via information",
   arXiv:1703.00810, 2017.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ibtools.recorders.data.data_set import DataSet
from ibtools.recorders.data.split import stratified_split
from ibtools.store.inputs import checksum

N_BITS = 12
"""Bits of a pattern, vertices of the icosahedron."""

THRESHOLD = 7.6
"""The cut that balances the labels best; f has no value between 7.562777 and 7.701302."""

_VERTEX_OF_BIT = (0, 2, 9, 4, 11, 10, 7, 1, 6, 3, 8, 5)


def load_syn(_: Path | None = None) -> DataSet:
    """Compute the data set; a fixed fifth of each class is for testing."""
    x = create_patterns()
    y = label_patterns(x)
    is_test = stratified_split(y, "SYN")
    return DataSet("SYN", x, y, is_test, checksum(x, y), 2, is_population=True, published="SYN")


def create_patterns() -> NDArray[np.float32]:
    """Write out all patterns.

    Returns
    -------
    ndarray, (sample=4096, bit=12), float32
        Row r is the binary expansion of r, most significant bit first.

    Examples
    --------
    >>> create_patterns()[5].astype(int)
    array([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1])
    """
    shifts = np.arange(N_BITS)[::-1]
    return (np.arange(2**N_BITS)[:, np.newaxis] >> shifts & 1).astype(np.float32)


def icosahedron() -> NDArray[np.float64]:
    """Place the vertices that the bits light.

    Returns
    -------
    ndarray, (bit=12, coordinate=3), float64
        Unit vectors: the cyclic permutations of (0, +-1, +-golden ratio), normalised.
    """
    golden = (1 + np.sqrt(5)) / 2
    signs = (1, -1)
    vertices = [
        np.roll((0, s, t * golden), shift) for shift in range(3) for s in signs for t in signs
    ]
    on_sphere: NDArray[np.float64] = np.array(vertices) / np.hypot(1, golden)
    return on_sphere[list(_VERTEX_OF_BIT)]


def label_patterns(x: NDArray[np.float32]) -> NDArray[np.int64]:
    """Label patterns.

    Parameters
    ----------
    x : ndarray, (sample, bit=12), float32
        Zeros and ones.

    Returns
    -------
    ndarray, (sample,), int64
        0 or 1.
    """
    lit = x.astype(np.float64)
    f: NDArray[np.float64] = lit.sum(axis=1) + np.linalg.norm(lit @ icosahedron(), axis=1)
    return (f > THRESHOLD).astype(np.int64)


def rotations() -> NDArray[np.int64]:
    """List what the rotations of the icosahedron do to the bits.

    Returns
    -------
    ndarray, (rotation=60, bit=12), int64
        The bit that lands on each bit's vertex.

    Notes
    -----
    A rotation is given by where it takes one pair of neighbouring vertices: to one of the 12 * 5
    ordered pairs of neighbours.
    """
    vertices = icosahedron()
    first, second = np.nonzero(np.isclose(vertices @ vertices.T, 5**-0.5))
    pairs = vertices[first], vertices[second]
    frames = np.stack([*pairs, np.cross(*pairs)], axis=2)
    turned = vertices @ np.linalg.inv(frames @ np.linalg.inv(frames[0])).transpose(0, 2, 1)
    found: NDArray[np.int64] = (turned @ vertices.T).argmax(axis=2)
    return found


def label_popcounts(x: NDArray[np.float32]) -> NDArray[np.int64]:
    """Count the lit bits of patterns.

    Parameters
    ----------
    x : ndarray, (sample, bit=12), float32
        Zeros and ones.

    Returns
    -------
    ndarray, (sample,), int64
        0 to 12.
    """
    return np.asarray(x.sum(axis=1), np.int64)


def label_orbits(x: NDArray[np.float32]) -> NDArray[np.int64]:
    """Give patterns the same number if a rotation takes one to the other.

    Parameters
    ----------
    x : ndarray, (sample, bit=12), float32
        Zeros and ones.

    Returns
    -------
    ndarray, (sample,), int64
        0 to 95 for all patterns, in the order of the smallest pattern of each orbit.
    """
    weights = 1 << np.arange(N_BITS)[::-1]
    smallest = np.min([x[:, bits].astype(np.int64) @ weights for bits in rotations()], axis=0)
    return np.asarray(np.unique(smallest, return_inverse=True)[1], np.int64)
