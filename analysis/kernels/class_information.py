"""Class by class: entropies within a class, and information about being of it or not."""

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.kernels.chance import chance_levels
from ibtools.analysis.kernels.counts import (
    Spectrum,
    class_spectra,
    label_spectra,
    one_against_rest_spectra,
)
from ibtools.analysis.kernels.information import information_of_spectra


def class_entropies(
    labels: NDArray[np.integer], y: NDArray[np.integer], n_classes: int
) -> NDArray[np.float64]:
    """Entropy of the samples of every class, of a block of partitions.

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
    ndarray, (block, class), float64
        H(T|Y=c) in bits; NaN for a class without samples.

    Raises
    ------
    TypeError
        If labels or y are not integers.
    ValueError
        If the arrays do not fit together, or a label or class is out of range.

    Notes
    -----
    Their mean, weighted by the shares p(c) of the classes, is H(T|Y).

    Examples
    --------
    >>> import numpy as np
    >>> class_entropies(np.array([[0, 1, 2, 2]]), np.array([0, 0, 1, 1]), 2)
    array([[1., 0.]])
    """
    inside = class_spectra(labels, y, n_classes)
    entropies = np.full((len(labels), n_classes), np.nan)
    for c, count in enumerate(np.bincount(y, minlength=n_classes)):
        if count:
            states, one = inside.select(c), Spectrum.of(np.array([count]))
            found, _ = information_of_spectra(states, one, states, n_samples=int(count))
            entropies[:, c] = found
    return entropies


def class_information(
    labels: NDArray[np.integer], y: NDArray[np.integer], n_classes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Information about being of a class or not, for every class, of a block of partitions.

    Parameters
    ----------
    labels, y, n_classes
        As for `class_entropies`.

    Returns
    -------
    mi_t_class : ndarray, (block, class), float64
        I(T;[Y=c]) in bits, where [Y=c] is 1 for samples of the class and 0 for all others.
    mi_t_class_null : ndarray, (block, class), float64
        The chance level of that, in bits.

    Raises
    ------
    TypeError, ValueError
        As `class_entropies`.

    Notes
    -----
    The I(T;[Y=c]) are not parts of I(T;Y): each is at most I(T;Y) by data processing, and of two
    classes both equal it.

    Examples
    --------
    >>> import numpy as np
    >>> class_information(np.array([[0, 1, 2, 2]]), np.array([0, 0, 1, 1]), 2)[0]
    array([[1., 1.]])
    """
    states, _, table = label_spectra(labels, y, n_classes)
    split = None if n_classes == 2 else one_against_rest_spectra(labels, y, n_classes)
    out = np.empty((2, len(labels), n_classes))
    for c, count in enumerate(np.bincount(y, minlength=n_classes)):
        one_and_rest = Spectrum.of(np.array([count, y.size - count]))
        cells = table if split is None else split.select(c)
        _, out[0, :, c] = information_of_spectra(states, one_and_rest, cells, n_samples=y.size)
        out[1, :, c] = chance_levels(states, one_and_rest)
    return out[0], out[1]
