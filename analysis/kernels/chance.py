"""What a value must be compared with: the chance level of I(T;Y), and saturation.

When most inputs have a state of their own, I(T;Y) is near H(Y) for any labels, random ones too. The
chance level says how near: the mean of I(T;Y) over all permutations of the labels, in closed form.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.kernels.counts import Spectrum, label_spectra
from ibtools.analysis.kernels.information import (
    entropy,
    information_of_spectra,
    validate_contingency,
)
from ibtools.kernel import kernel

SATURATED = 0.99
"""The saturation from which on figures draw a point hollow.

What a state hides of the label is no more than what it hides of the input, so that I(X;Y) - I(T;Y)
is at most ``H(X) - H(T)``. So with saturation s, I(T;Y) is within ``(1 - s) H(X)`` of I(X;Y), which
is H(Y) where equal inputs have equal labels, *for any labels whatever*: from 0.99 on within 0.12
bits for SYN and 0.16 bits for MNIST. Such a value says that inputs are told apart, and next to
nothing about the label.
"""

_NEGLIGIBLE = 2.0**-70
"""Weights of the hypergeometric distribution, relative to the largest, that are left out."""


@kernel
def _expected_bits(size: int, n_class: int, n_samples: int, logs: NDArray[np.float64]) -> float:
    """Compute E[n log2(size / n)], n of `size` samples drawn from all being of one class.

    n is hypergeometric. Its weights follow from the largest by products, relative to it, and the
    sum of all normalises them: no factorials, and every term is positive.
    """
    low, high = max(0, size + n_class - n_samples), min(size, n_class)
    mode = min(max((size + 1) * (n_class + 1) // (n_samples + 2), low), high)
    total, bits = 1.0, mode * (logs[size] - logs[mode])
    weight, n = 1.0, mode
    while n < high and weight > _NEGLIGIBLE:
        weight *= (size - n) / (n + 1) * ((n_class - n) / (n_samples - size - n_class + n + 1))
        n += 1
        total += weight
        bits += weight * n * (logs[size] - logs[n])
    weight, n = 1.0, mode
    while n > low and weight > _NEGLIGIBLE:
        weight *= n / (size - n + 1) * ((n_samples - size - n_class + n) / (n_class - n + 1))
        n -= 1
        total += weight
        bits += weight * n * (logs[size] - logs[n])
    return float(bits / total)


@kernel
def _left_block(
    states: tuple[NDArray[np.int64], NDArray[np.int64]],
    classes: tuple[NDArray[np.int64], NDArray[np.int64]],
    n_samples: int,
    logs: NDArray[np.float64],
    left: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Fill the expected N H(Y|T) of snapshot after snapshot.

    `left` keeps what is known of states by their size, NaN where nothing is yet.
    """
    for b in range(len(out)):
        out[b] = 0.0
        for entry in range(states[0].shape[1]):
            size = states[0][b, entry]
            if size == 0:
                break
            if np.isnan(left[size]):
                bits = 0.0
                for c in range(len(classes[0])):
                    if classes[0][c] > 0:
                        found = _expected_bits(size, classes[0][c], n_samples, logs)
                        bits += classes[1][c] * found
                left[size] = bits
            out[b] += states[1][b, entry] * left[size]


@lru_cache(maxsize=4)
def _logarithms(n_samples: int) -> NDArray[np.float64]:
    """Tabulate log2 from 0, where it stands beside a factor 0, to the number of samples."""
    logs: NDArray[np.float64] = np.log2(np.maximum(np.arange(n_samples + 1), 1))
    return logs


@lru_cache(maxsize=64)
def _left_table(classes: bytes, n_samples: int) -> NDArray[np.float64]:
    """Keep, for one set of labels, what is known of states by their size.

    It is filled when a size is first met, by any thread: all would write the same number.
    """
    return np.full(n_samples + 1, np.nan)


def chance_levels(states: Spectrum, classes: Spectrum) -> NDArray[np.float64]:
    """Compute the mean of I(T;Y) over all permutations of the labels.

    Parameters
    ----------
    states : Spectrum, (block, entry)
        Of the samples per state of each snapshot.
    classes : Spectrum, (entry,)
        Of the samples per class.

    Returns
    -------
    ndarray, (block,), float64
        E[I(T;Y)] in bits: exactly H(Y) where every sample has its own state, exactly 0 where all
        share one.

    Notes
    -----
    If labels are permuted, the number n of samples of a class of size b among the a samples of a
    state is hypergeometric, and

        E[I(T;Y)] = H(Y) - (1/N) * sum over states and classes of E[n log2(a / n)].

    The sum depends on the sizes of states and classes only. States of equal size are taken
    together, and what a size contributes is kept for the next snapshot: it costs at most some
    standard deviations of n, and a snapshot at most sqrt(2 N) additions. All terms are positive;
    the error is below 1e-12 bits.

    References
    ----------
    Vinh, Epps & Bailey (2010), JMLR 11, 2837: the expectation in the adjusted mutual information.

    Examples
    --------
    >>> import numpy as np
    >>> classes = Spectrum.of(np.array([2, 2]))
    >>> states = Spectrum(np.array([[1, 0], [2, 0], [4, 0]]), np.array([[4, 0], [2, 0], [1, 0]]))
    >>> chance_levels(states, classes).round(6)
    array([1.      , 0.333333, 0.      ])
    """
    used = classes.counts > 0
    sizes = classes.counts[used], classes.cells[used]
    n_samples = int((sizes[0] * sizes[1]).sum())
    table = _left_table(np.stack(sizes).tobytes(), n_samples)
    left = np.empty(len(states.counts))
    _left_block(
        (states.counts, states.cells), sizes, n_samples, _logarithms(n_samples), table, left
    )
    entropy_y = entropy(np.repeat(*sizes))
    # A mean of what is never negative: what is cut off at 0 is rounding.
    expected = np.maximum(entropy_y - left / n_samples, 0.0)
    return np.where(states.counts[:, 0] == n_samples, 0.0, expected)


def expected_mutual_information(table: NDArray[np.integer]) -> float:
    """Compute the mean of I(T;Y) over all permutations of the labels, from a table of counts.

    Parameters
    ----------
    table : ndarray, (state, class), integer
        Samples per state and class; both dims are consumed. Only its margins matter.

    Returns
    -------
    float
        E[I(T;Y)] in bits; see `chance_levels`.

    Raises
    ------
    TypeError
        If the counts are not integers.
    ValueError
        If the table is not two-dimensional, a count is negative, or nothing is counted.

    Examples
    --------
    >>> import numpy as np
    >>> round(expected_mutual_information(np.array([[2, 0], [0, 2]])), 6)
    0.333333
    """
    validate_contingency(table)
    states, classes = Spectrum.of(table.sum(axis=1)), Spectrum.of(table.sum(axis=0))
    block = Spectrum(states.counts[np.newaxis], states.cells[np.newaxis])
    return float(chance_levels(block, classes)[0])


def chance_deviations(
    n_shared: NDArray[np.number], *, n_samples: int, entropy_y: float
) -> NDArray[np.float64]:
    """Estimate the standard deviation of I(T;Y) over all permutations of the labels.

    Parameters
    ----------
    n_shared : ndarray, any shape, whole numbers
        States of more than one sample: ``n_states - n_singletons``.
    n_samples : int
        N.
    entropy_y : float
        H(Y) in bits.

    Returns
    -------
    ndarray, same shape, float64
        In bits: ``sqrt((2^H(Y) - 1) n_shared) / N``.

    Notes
    -----
    N H(Y|T) is a sum over states, of the a samples in each times the entropy of their labels. One
    sample gives 0. Of two classes of one size, two samples give 0 or 2 bits, with variance 1; many
    samples give a bit each less a chi-squared variable over 2 ln 2, with variance 1 / (2 ln^2 2) =
    1.04; no size gives more than 1.52 (four samples). So each shared state adds about 1, nearly
    independently of the others. For more classes, the degrees of freedom of a large state are as
    many times more, with 2^H(Y) for the number of classes.

    It is within a fifth of what permutations give on SYN. With the ten classes of MNIST it is up to
    four times too large, where most shared states are of two or three samples.
    `ibtools.permutation_test` draws instead.

    Examples
    --------
    >>> chance_deviations(np.array([0, 100, 400]), n_samples=4096, entropy_y=1.0).round(4)
    array([0.    , 0.0024, 0.0049])
    """
    of_states: NDArray[np.float64] = np.sqrt((2.0**entropy_y - 1) * n_shared) / n_samples
    return of_states


def count_singletons(states: Spectrum) -> NDArray[np.int64]:
    """Count the states of a single sample.

    Parameters
    ----------
    states : Spectrum, (block, entry)
        Of the samples per state of each snapshot.

    Returns
    -------
    ndarray, (block,), int64

    Examples
    --------
    >>> count_singletons(Spectrum(np.array([[1, 3], [2, 0]]), np.array([[5, 1], [4, 0]])))
    array([5, 0])
    """
    smallest_is_one = states.counts[:, 0] == 1
    return np.where(smallest_is_one, states.cells[:, 0], 0)


def saturation(entropy_t: NDArray[np.float64], entropy_x: float) -> NDArray[np.float64]:
    """Compute how much of H(X), the most that a layer can know, H(T) has used up.

    Parameters
    ----------
    entropy_t : ndarray, any shape, float64
        H(T) in bits.
    entropy_x : float
        H(X) of the same samples in bits; log2 N where all N inputs differ.

    Returns
    -------
    ndarray, same shape, float64
        ``H(T) / H(X)``, from 0 to 1: exactly 1 where every input has its own state. Of a single
        input 1, which has.

    Examples
    --------
    >>> import numpy as np
    >>> saturation(np.array([0.0, 9.0, 12.0]), 12.0)
    array([0.  , 0.75, 1.  ])
    """
    return entropy_t / entropy_x if entropy_x else np.ones_like(entropy_t)


def label_information(
    labels: NDArray[np.uint32], y: NDArray[np.int64], n_classes: int
) -> NDArray[np.float64]:
    """Compute I(T;Y) and its chance level of a block of partitions, (2, block), in bits."""
    spectra = label_spectra(labels, y, n_classes)
    _, information = information_of_spectra(*spectra, n_samples=y.size)
    return np.stack([information, chance_levels(*spectra[:2])])
