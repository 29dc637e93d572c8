"""From counts to bits: entropies and mutual information as pure functions.

With g(c) = c log2 c, N samples, and S the sum of g over the counts of states (S_t), classes (S_y)
or states by class (S_ty),

    H(T) = (g(N) - S_t) / N,    I(T;Y) = (g(N) - S_t - S_y + S_ty) / N.

The sums run over a `Spectrum`, in ascending order of the counts. So no bit of a result depends on
the order of states, samples or classes, nor on which of the functions here computed it. With
c = 2^k m and m odd, g(c) = c k + c log2 m; the first part is summed apart, in whole numbers. So a
fair coin has 1 bit exactly, however often it was thrown.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.kernels.counts import Spectrum, label_spectra
from ibtools.kernel import kernel

Sum = tuple[float, float]
"""A sum over g: whole bits, from the powers of two in the counts, and the rest."""


@kernel
def _sum_g(counts: NDArray[np.int64], cells: NDArray[np.int64]) -> Sum:
    """Sum g over a spectrum."""
    whole, rest = 0.0, 0.0
    for entry in range(len(counts)):
        odd, power = counts[entry], 0
        if odd == 0:
            break
        samples = odd * cells[entry]
        while odd % 2 == 0:
            odd //= 2
            power += 1
        whole += samples * power
        rest += samples * math.log2(odd)
    return whole, rest


@kernel
def _difference(minuend: Sum, subtrahend: Sum) -> float:
    """Subtract one sum from another."""
    return (minuend[0] - subtrahend[0]) + (minuend[1] - subtrahend[1])


@kernel
def _shared(total: Sum, sum_t: Sum, sum_y: Sum, sum_ty: Sum) -> float:
    """N I(T;Y) as the smaller entropy less what is left of it when the other variable is known.

    See the Notes of `mutual_information` for why in this order, and why clipping at 0 is sound.
    """
    if sum_t[0] + sum_t[1] < sum_y[0] + sum_y[1]:
        sum_t, sum_y = sum_y, sum_t
    return max(_difference(total, sum_t) - _difference(sum_y, sum_ty), 0.0)


@kernel
def _information_block(
    spectra_t: tuple[NDArray[np.int64], NDArray[np.int64]],
    spectra_ty: tuple[NDArray[np.int64], NDArray[np.int64]],
    total: Sum,
    sum_y: Sum,
    out: NDArray[np.float64],
) -> None:
    """Fill N H(T) and N I(T;Y) of snapshot after snapshot."""
    for b in range(len(spectra_t[0])):
        sum_t = _sum_g(spectra_t[0][b], spectra_t[1][b])
        sum_ty = _sum_g(spectra_ty[0][b], spectra_ty[1][b])
        out[0, b] = _difference(total, sum_t)
        out[1, b] = _shared(total, sum_t, sum_y, sum_ty)


def _sum(table: NDArray[np.integer]) -> Sum:
    """Sum g over the cells of a table of any shape."""
    spectrum = Spectrum.of(table)
    return _sum_g(spectrum.counts, spectrum.cells)


def _g(n_samples: int) -> Sum:
    """Compute N log2 N as a sum of one term."""
    return _sum_g(np.array([n_samples]), np.array([1]))


def _validate_table(table: NDArray[np.integer]) -> int:
    """Check that a table counts something; returns the number of samples."""
    if table.dtype.kind not in "iu":
        raise TypeError(f"counts must be integers, found {table.dtype}.")
    if table.size and table.min() < 0:
        raise ValueError(f"counts must not be negative, found {table.min()}.")
    n_samples = int(table.sum())
    if n_samples == 0:
        raise ValueError("at least one sample must be counted, found none.")
    return n_samples


def validate_contingency(table: NDArray[np.integer]) -> int:
    """Check that a table is (state, class) and counts something; returns the number of samples.

    Raises
    ------
    TypeError
        If the counts are not integers.
    ValueError
        If the table is not two-dimensional, a count is negative, or nothing is counted.
    """
    if table.ndim != 2:
        raise ValueError(f"a table must be (state, class), found shape {table.shape}.")
    return _validate_table(table)


def entropy(counts: NDArray[np.integer]) -> float:
    """Entropy of the distribution that was counted.

    Parameters
    ----------
    counts : ndarray, any shape, integer
        Samples per state. All dims are consumed, so a table (state, class) gives the joint entropy.

    Returns
    -------
    float
        H in bits.

    Raises
    ------
    TypeError
        If the counts are not integers.
    ValueError
        If a count is negative, or nothing is counted.

    Notes
    -----
    Exactly 0 for one state. N states of one sample give g(N) / N, which no partition of the same
    samples exceeds, in floating point neither.

    Examples
    --------
    >>> import numpy as np
    >>> entropy(np.array([5, 5]))
    1.0
    """
    n_samples = _validate_table(counts)
    return _difference(_g(n_samples), _sum(counts)) / n_samples


def largest_entropy(n_samples: int) -> float:
    """Entropy of so many samples that all differ: no state of them has more.

    Parameters
    ----------
    n_samples : int
        N, at least 1.

    Returns
    -------
    float
        log2 N in bits, to the last bit what `entropy` gives for N states of one sample.

    Examples
    --------
    >>> largest_entropy(4096)
    12.0
    """
    return _difference(_g(n_samples), (0.0, 0.0)) / n_samples


def mutual_information(table: NDArray[np.integer]) -> float:
    """Mutual information of state and class.

    Parameters
    ----------
    table : ndarray, (state, class), integer
        Samples per state and class; both dims are consumed.

    Returns
    -------
    float
        I(T;Y) in bits, never negative, never above ``entropy`` of either marginal.

    Raises
    ------
    TypeError
        If the counts are not integers.
    ValueError
        If the table is not two-dimensional, a count is negative, or nothing is counted.

    Notes
    -----
    Computed as ``((g(N) - max(S_t, S_y)) - (min(S_t, S_y) - S_ty)) / N``: the smaller entropy less
    what is left of it when the other variable is known. If no state mixes classes, S_t and S_ty
    have equal bits and the result is H(Y) exactly; for one state it is 0 exactly. A state that
    mixes classes makes S_t exceed S_ty by at least g(2) = 2, which rounding cannot hide below
    2^40 samples; so equality with H(Y) means that no state mixes.

    Where T and Y are independent and neither is constant, rounding may leave a value around 0, in
    a third of such tables a negative one. Each sum is of at most sqrt(2 N) positive terms and at
    most g(N), so the error is within `rounding_bound`. As the true value is never negative, 0 is
    closer to it than a negative one.

    Examples
    --------
    >>> import numpy as np
    >>> mutual_information(np.array([[2, 0], [0, 2]]))
    1.0
    >>> mutual_information(np.array([[1, 1], [1, 1]]))
    0.0
    """
    n_samples = validate_contingency(table)
    sums = _sum(table.sum(axis=1)), _sum(table.sum(axis=0)), _sum(table)
    return _shared(_g(n_samples), *sums) / n_samples


def conditional_entropy(table: NDArray[np.integer]) -> float:
    """Entropy of the state that is left when the class is known.

    Parameters
    ----------
    table : ndarray, (state, class), integer
        Samples per state and class; both dims are consumed. Transposed, it gives H(Y|T).

    Returns
    -------
    float
        H(T|Y) in bits.

    Raises
    ------
    TypeError
        If the counts are not integers.
    ValueError
        If the table is not two-dimensional, a count is negative, or nothing is counted.

    Notes
    -----
    ``(S_y - S_ty) / N``; exactly 0 where the class determines the state.

    Examples
    --------
    >>> import numpy as np
    >>> conditional_entropy(np.array([[2, 0], [0, 1], [0, 1]]))
    0.5
    """
    n_samples = validate_contingency(table)
    return _difference(_sum(table.sum(axis=0)), _sum(table)) / n_samples


def rounding_bound(n_samples: int) -> float:
    """How far rounding may take a mutual information of so many samples from its true value.

    Parameters
    ----------
    n_samples : int
        Samples that are counted, at least 1.

    Returns
    -------
    float
        A bound on the absolute error in bits.

    Notes
    -----
    ``4 (sqrt(2 N) + 6) u log2 N`` with unit roundoff u = 2^-53. A term of a sum over g has relative
    error 4 u (the logarithm within one unit in the last place, two products), adding at most
    sqrt(2 N) positive terms has sqrt(2 N) u, and no sum exceeds g(N) = N log2 N. Four sums and the
    roundings of their differences make the bound.

    Examples
    --------
    >>> f"{rounding_bound(4096):.1e} bits"
    '5.1e-13 bits'
    """
    return 4 * (math.sqrt(2 * n_samples) + 6) * 2.0**-53 * math.log2(n_samples)


def information_of_labels(
    labels: NDArray[np.integer],
    y: NDArray[np.integer],
    n_classes: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Entropy, and information about the class, of a block of partitions.

    Parameters
    ----------
    labels : ndarray, (block, sample), integer
        Per snapshot the state of each sample, below the number of samples; sample is consumed.
    y : ndarray, (sample,), integer
        The class of each sample.
    n_classes : int
        Number of classes.

    Returns
    -------
    entropy_t, mi_ty : ndarray, (block,), float64
        H(T) and I(T;Y) in bits, the same bits as from `entropy` and `mutual_information`.

    Raises
    ------
    TypeError
        If labels or y are not integers.
    ValueError
        If the arrays do not fit together, or a label or class is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> labels, y = np.array([[0, 1, 2, 3], [0, 0, 0, 0]]), np.array([0, 0, 1, 1])
    >>> information_of_labels(labels, y, 2)
    (array([2., 0.]), array([1., 0.]))
    """
    return information_of_spectra(*label_spectra(labels, y, n_classes), n_samples=y.size)


def information_of_spectra(
    states: Spectrum, classes: Spectrum, cells: Spectrum, *, n_samples: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Entropy, and information about the class, of a block of snapshots that were counted.

    Parameters
    ----------
    states, classes, cells : Spectrum, (block, entry), (entry,), (block, entry)
        As `ibtools.analysis.kernels.counts.label_spectra` returns them.
    n_samples : int
        Samples that were counted.

    Returns
    -------
    entropy_t, mi_ty : ndarray, (block,), float64
        As from `information_of_labels`.
    """
    sum_y = _sum_g(classes.counts, classes.cells)
    out = np.empty((2, len(states.counts)))
    counted = (states.counts, states.cells), (cells.counts, cells.cells)
    _information_block(*counted, _g(n_samples), sum_y, out)
    entropy_t, mi_ty = out / n_samples
    return entropy_t, mi_ty
