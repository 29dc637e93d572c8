"""Sums of Gaussian kernels over all pairs of samples, in memory that does not grow with the pairs.

A layer to whose values Gaussian noise is added is a mixture of Gaussians, one component per sample.
Bounds on its entropy are sums over the distances between all pairs of samples. Samples of one class
with equal values are one component of a larger weight, so that only different values cost; pairs
are visited in tiles, with the samples of a tile side by side in a small buffer.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.kernels.information import entropy
from ibtools.kernel import kernel
from ibtools.partition import partition
from ibtools.store.symbols import float_symbols

TILE = 256
"""Samples of a tile: with ten units, its values and sums stay in the fastest cache."""

CUTOFF = 64 * math.log(2)
"""Kernels of a larger exponent are below 2^-64, beside the 1 that a sample has of itself."""


@kernel
def _add_tile(
    values: NDArray[np.float32],
    first: NDArray[np.intp],
    of_class: NDArray[np.int64],
    weight: NDArray[np.float64],
    factor: float,
    begin: int,
    tile: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Add the kernels between the components of a tile and all components from `begin` on."""
    n_units, width = tile.shape
    distance = np.empty(width)
    for i in range(begin, len(first)):
        distance[:] = 0.0
        for unit in range(n_units):
            value = np.float64(values[first[i], unit])
            for at in range(width):
                difference = tile[unit, at] - value
                distance[at] += difference * difference
        for at in range(min(width, i - begin)):
            exponent = distance[at] * factor
            if exponent > CUTOFF:
                continue
            j = begin + at
            wide = math.exp(-exponent)
            narrow = wide * wide * (wide * wide)
            out[0, i] += weight[j] * narrow
            out[0, j] += weight[i] * narrow
            out[1, i] += weight[j] * wide
            out[1, j] += weight[i] * wide
            if of_class[i] == of_class[j]:
                out[2, i] += weight[j] * narrow
                out[2, j] += weight[i] * narrow
                out[3, i] += weight[j] * wide
                out[3, j] += weight[i] * wide


@kernel
def _sum_kernels(
    values: NDArray[np.float32],
    first: NDArray[np.intp],
    of_class: NDArray[np.int64],
    weight: NDArray[np.float64],
    factor: float,
    out: NDArray[np.float64],
) -> None:
    """Fill the sums of `kernel_sums`, every pair once, tile after tile."""
    for i in range(len(first)):
        out[:, i] = weight[i]
    for begin in range(0, len(first), TILE):
        width = min(TILE, len(first) - begin)
        tile = np.empty((values.shape[1], width))
        for at in range(width):
            for unit in range(values.shape[1]):
                tile[unit, at] = values[first[begin + at], unit]
        _add_tile(values, first, of_class, weight, factor, begin, tile, out)


@dataclass(frozen=True, eq=False)
class Components:
    """The different values that samples of a class have, and how many samples have each.

    Parameters
    ----------
    first : ndarray, (component,), intp
        A sample that has the values.
    of_class : ndarray, (component,), int64
        The class of its samples.
    n_samples : ndarray, (component,), int64
        How many they are.
    """

    first: NDArray[np.intp]
    of_class: NDArray[np.int64]
    n_samples: NDArray[np.int64]

    @classmethod
    def of(cls, values: NDArray[np.float32], y: NDArray[np.integer]) -> Self:
        """Find the components of one snapshot, (sample, unit), by the classes y, (sample,).

        Examples
        --------
        >>> values = np.array([[1], [2], [1], [1]], np.float32)
        >>> found = Components.of(values, np.array([0, 0, 0, 1]))
        >>> found.first.tolist(), found.of_class.tolist(), found.n_samples.tolist()
        ([0, 1, 3], [0, 0, 1], [2, 1, 1])
        """
        states, n_states = partition(float_symbols(values))
        cell = y.astype(np.int64) * n_states + states
        cells, first, n_samples = np.unique(cell, return_index=True, return_counts=True)
        return cls(first, cells // n_states, n_samples)


def kernel_sums(
    values: NDArray[np.float32], components: Components, variance: float
) -> NDArray[np.float64]:
    """Sum Gaussian kernels from every component to all samples, and to those of its class.

    Parameters
    ----------
    values : ndarray, (sample, unit), float32
        Finite.
    components : Components
        Of these values.
    variance : float
        Of the noise, in the square of the values' unit. For 0 all values must be equal.

    Returns
    -------
    ndarray, (4, component), float64
        The sums of ``exp(-d^2 / (2 s^2))`` and of ``exp(-d^2 / (8 s^2))`` over all samples, with d
        the Euclidean distance and s^2 the variance, then both over the samples of the same class. A
        sample counts itself. Both dims of `values` are consumed.

    Notes
    -----
    Distances are sums of squared differences in float64, not differences of squares, so that those
    of equal values are 0. Kernels below 2^-64 are left out.

    Examples
    --------
    >>> values, y = np.array([[0], [0], [2]], np.float32), np.array([0, 0, 1])
    >>> kernel_sums(values, Components.of(values, y), variance=1.0).round(3)
    array([[2.135, 1.271],
           [2.607, 2.213],
           [2.   , 1.   ],
           [2.   , 1.   ]])
    """
    out = np.empty((4, len(components.first)))
    factor = 1 / (8 * variance) if variance > 0 else 0.0
    weight = components.n_samples.astype(np.float64)
    _sum_kernels(values, components.first, components.of_class, weight, factor, out)
    return out


@dataclass(frozen=True)
class NoisyInformation:
    """What is known of a layer to which noise is added, T' = T + noise; all in bits.

    Parameters
    ----------
    mi_xt_lower, mi_xt_upper : float
        Bounds on I(X;T').
    mi_ty_lower, mi_ty_upper : float
        Bounds on I(T';Y).
    mi_ty : float
        The difference of upper bounds, an estimate of I(T';Y) between its bounds.
    """

    mi_xt_lower: float
    mi_xt_upper: float
    mi_ty_lower: float
    mi_ty_upper: float
    mi_ty: float


def noisy_information(
    values: NDArray[np.float32], y: NDArray[np.integer], variance: float
) -> NoisyInformation:
    """Bound the information of a layer plus Gaussian noise about input and class.

    Parameters
    ----------
    values : ndarray, (sample, unit), float32
        Finite; both dims are consumed.
    y : ndarray, (sample,), integer
        The class of each sample, from 0.
    variance : float
        Of the noise, independent in every unit. For 0 all values must be equal.

    Returns
    -------
    NoisyInformation
        In bits.

    Notes
    -----
    Every sample is equally likely, and noise of covariance s^2 I is added to its d values: T' is a
    mixture of N Gaussians. Its entropy is at least and at most

        H = d/2 log2(2 pi e s^2) - 1/N sum_i log2(1/N sum_j k(t_i, t_j)),

    with k = exp(-d_ij^2 / (8 s^2)), from the Bhattacharyya distance between components, for the
    lower bound, and exp(-d_ij^2 / (2 s^2)), from the Kullback-Leibler divergence, for the upper. As
    ``H(T'|X) = d/2 log2(2 pi e s^2)``, the second term is the bound on I(X;T').

    Of ``I(T';Y) = H(T') - H(T'|Y)``, with the mixture of each class for ``H(T'|Y)``, the upper
    bound is the upper bound of the first less the lower of the second, the lower bound the other
    way; what is outside of 0 to min(H(Y), I(X;T')) is cut off, which makes true bounds tighter and
    hides nothing. `mi_ty` takes upper bounds for both,
    as Saxe et al. do, and so is between the two bounds, without being one itself. It would be cut
    off at 0, too; but that Gaussian kernels never give less is a conjecture (Gallego-Posada et
    al.).

    References
    ----------
    Kolchinsky & Tracey (2017), Entropy 19(7) 361. Saxe et al. (2018), ICLR. Gallego-Posada et al.
    (2020), arXiv 1906.08325.

    Examples
    --------
    Two inputs of different classes, far apart:

    >>> noisy_information(np.array([[0], [9]], np.float32), np.array([0, 1]), variance=0.1)
    NoisyInformation(mi_xt_lower=1.0, mi_xt_upper=1.0, mi_ty_lower=1.0, mi_ty_upper=1.0, mi_ty=1.0)
    """
    components = Components.of(values, y)
    sums = kernel_sums(values, components, variance)
    in_class = np.bincount(y)
    sums[:2] /= y.size
    sums[2:] /= in_class[components.of_class]
    share = components.n_samples / y.size
    upper, lower, class_upper, class_lower = -(np.log2(sums) @ share)
    mi_xt_upper = _between(0.0, upper, entropy(np.ones(y.size, np.int64)))
    ceiling = min(entropy(in_class), mi_xt_upper)
    mi_ty_lower = _between(0.0, lower - class_upper, ceiling)
    mi_ty_upper = _between(mi_ty_lower, upper - class_lower, ceiling)
    return NoisyInformation(
        mi_xt_lower=_between(0.0, lower, mi_xt_upper),
        mi_xt_upper=mi_xt_upper,
        mi_ty_lower=mi_ty_lower,
        mi_ty_upper=mi_ty_upper,
        mi_ty=_between(mi_ty_lower, np.log2(sums[2] / sums[0]) @ share, mi_ty_upper),
    )


def noisy_information_by_chance(
    values: NDArray[np.float32],
    y: NDArray[np.integer],
    variance: float,
    *,
    mi_xt_upper: float,
) -> float:
    """Estimate I(T';Y) of other classes than those of `noisy_information`, such as permuted ones.

    Parameters
    ----------
    values, y, variance
        As for `noisy_information`.
    mi_xt_upper : float
        The upper bound on I(X;T') in bits, whatever the classes.

    Returns
    -------
    float
        `mi_ty` of `noisy_information` for these classes, but for rounding. Only pairs of one class
        are looked at.

    Examples
    --------
    >>> values = np.array([[0], [9]], np.float32)
    >>> noisy_information_by_chance(values, np.array([0, 0]), 0.1, mi_xt_upper=1.0)
    0.0
    """
    in_class = 0.0
    for label in np.unique(y):
        own = values[y == label]
        one_class = np.zeros(len(own), np.int64)
        components = Components.of(own, one_class)
        upper = np.log2(kernel_sums(own, components, variance)[0] / len(own))
        in_class -= float(upper @ components.n_samples) / y.size
    return max(mi_xt_upper - in_class, 0.0)


def _between(low: float, value: float, high: float) -> float:
    """Cut a value off where it, perhaps by rounding only, is outside of what it can be."""
    return float(min(max(value, low), high))
