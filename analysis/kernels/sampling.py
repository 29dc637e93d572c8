"""Entropies of a population, estimated from counts of a sample of it.

The entropy of counts (`ibtools.analysis.kernels.information`) is exact for the inputs that were
counted. For the population that they are a sample of it is too small, the more so the more states
are rare: what was not drawn was not counted. The corrections here are functions of how often each
count occurs. They correct a bias; they say nothing about the spread between repeats, which is
another uncertainty (`ibtools.analysis.repeats.uncertainty`).
"""

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, xlog1py, xlogy

from ibtools.analysis.kernels.counts import Spectrum
from ibtools.errors import InputError, unknown_name
from ibtools.store.header import Header

Correction = Literal["miller-madow", "grassberger", "chao-shen"]

Counts = NDArray[np.int64]
Nats = NDArray[np.float64]


def miller_madow(counts: Counts, cells: Counts) -> Nats:
    """Correct the entropy of counts by its first-order bias.

    Parameters
    ----------
    counts, cells : ndarray, (..., entry), int64
        As of a `Spectrum`: distinct counts, and how many states have each. Consumes entry.

    Returns
    -------
    ndarray, (...), float64
        Nats.

    Notes
    -----
    ``H + (K - 1) / (2 N)`` with the K states that were seen. The bias is of this size with all
    states of the population for K; where many were not seen, the correction is too small.

    References
    ----------
    Miller, Note on the bias of information estimates, 1955, in Information Theory in Psychology.

    Examples
    --------
    >>> miller_madow(np.array([2]), np.array([2])).round(6)  # ln 2 + 1 / 8
    np.float64(0.818147)
    """
    n_samples = np.sum(counts * cells, axis=-1)
    plug_in = np.log(n_samples) - np.sum(cells * xlogy(counts, counts), axis=-1) / n_samples
    n_states = np.sum(cells, axis=-1)
    return np.asarray(plug_in + (n_states - 1) / (2 * n_samples))


def grassberger(counts: Counts, cells: Counts) -> Nats:
    """Estimate the entropy with the logarithm of each count replaced by Grassberger's G.

    Parameters
    ----------
    counts, cells : ndarray, (..., entry), int64
        As for `miller_madow`.

    Returns
    -------
    ndarray, (...), float64
        Nats. Not exactly 0 for a single state: about 1 / N where N is odd.

    Notes
    -----
    ``ln N - sum of n G(n) / N`` with
    ``G(n) = psi(n) + (-1)^n (psi((n + 1) / 2) - psi(n / 2)) / 2``, psi being the digamma function.
    So G(1) = -gamma - ln 2, G(2) = 2 - gamma - ln 2,
    G(2m + 1) = G(2m) and G(2m + 2) = G(2m) + 2 / (2m + 1).

    References
    ----------
    Grassberger, Entropy estimates from insufficient samplings, 2003, revised 2008,
    arXiv physics/0307138.

    Examples
    --------
    >>> grassberger(np.array([2]), np.array([2])).round(6)  # ln 4 - G(2)
    np.float64(0.656657)
    """
    n_samples = np.sum(counts * cells, axis=-1)
    n = np.maximum(counts, 1)
    sign = np.where(n % 2 == 0, 0.5, -0.5)
    g = digamma(n) + sign * (digamma((n + 1) / 2) - digamma(n / 2))
    return np.asarray(np.log(n_samples) - np.sum(cells * counts * g, axis=-1) / n_samples)


def chao_shen(counts: Counts, cells: Counts) -> Nats:
    """Estimate the entropy from the coverage of the sample and the chance of being seen at all.

    Parameters
    ----------
    counts, cells : ndarray, (..., entry), int64
        As for `miller_madow`.

    Returns
    -------
    ndarray, (...), float64
        Nats.

    Notes
    -----
    The coverage ``C = 1 - f / N``, f being the states that were seen once, is the part of the
    population whose states were seen (Good and Turing). With ``p = C n / N``, each state counts for
    ``-p ln p / (1 - (1 - p)^N)``, divided by its chance of being in the sample (Horvitz and
    Thompson). Where all states were seen once, C would be 0, and f = N - 1 is taken instead; then
    the result says no more than that the population has many more states.

    References
    ----------
    Chao & Shen, Nonparametric estimation of Shannon's index of diversity when there are unseen
    species in sample, Environmental and Ecological Statistics 10, 2003.

    Examples
    --------
    >>> chao_shen(np.array([2]), np.array([2])).round(6)  # ln 2 / (1 - 1 / 16)
    np.float64(0.739357)
    """
    n_samples = np.sum(counts * cells, axis=-1)
    n_seen_once = np.sum(cells * (counts == 1), axis=-1)
    coverage = 1 - np.minimum(n_seen_once, n_samples - 1) / n_samples
    p = coverage[..., np.newaxis] * counts / n_samples[..., np.newaxis]
    seen = -np.expm1(xlog1py(n_samples[..., np.newaxis], -p))
    terms = np.divide(-xlogy(p, p), seen, out=np.zeros_like(p), where=counts > 0)
    return np.asarray(np.sum(cells * terms, axis=-1))


CORRECTIONS: Mapping[str, Callable[[Counts, Counts], Nats]] = {
    "miller-madow": miller_madow,
    "grassberger": grassberger,
    "chao-shen": chao_shen,
}
"""Every correction by its name."""


def corrected_entropy(counts: NDArray[np.integer], correction: Correction) -> float:
    """Estimate the entropy of the population that was sampled.

    Parameters
    ----------
    counts : ndarray, any shape, integer
        Samples per state. All dims are consumed.
    correction : {"miller-madow", "grassberger", "chao-shen"}
        How.

    Returns
    -------
    float
        Bits.

    Raises
    ------
    UnknownNameError
        If there is no such correction.

    Examples
    --------
    >>> corrected_entropy(np.array([2, 1, 1]), "miller-madow").__round__(6)
    1.860674
    """
    spectrum = Spectrum.of(counts)
    return float(_bits(spectrum, find_correction(correction)))


def corrected_information(table: NDArray[np.integer], correction: Correction) -> float:
    """Estimate the mutual information of state and class in the population that was sampled.

    Parameters
    ----------
    table : ndarray, (state, class), integer
        Samples per state and class; both dims are consumed.
    correction : {"miller-madow", "grassberger", "chao-shen"}
        How.

    Returns
    -------
    float
        Bits. It may be negative, since an estimate that never is would be too large on average.

    Raises
    ------
    UnknownNameError
        If there is no such correction.

    Notes
    -----
    ``H(T) + H(Y) - H(T,Y)``, each corrected. With Miller and Madow's, that is the information of
    the counts less ``(K_ty - K_t - K_y + 1) / (2 N ln 2)`` bits.

    Examples
    --------
    >>> corrected_information(np.array([[25, 25], [25, 25]]), "miller-madow").__round__(6)
    -0.007213
    """
    tables = table.sum(axis=1), table.sum(axis=0), table
    states, classes, cells = (Spectrum.of(counts) for counts in tables)
    _, mi_ty = corrected_information_of_spectra(states, classes, cells, correction)
    return float(mi_ty)


def corrected_information_of_spectra(
    states: Spectrum, classes: Spectrum, cells: Spectrum, correction: Correction
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Estimate entropy and information about the class from how often each count occurs.

    Parameters
    ----------
    states, classes, cells : Spectrum
        Of the samples per state, per class, and per state and class: from
        `ibtools.analysis.kernels.counts.label_spectra`, for a block of snapshots.
    correction : {"miller-madow", "grassberger", "chao-shen"}
        How.

    Returns
    -------
    entropy_t, mi_ty : ndarray, (block,), float64
        As from `corrected_entropy` and `corrected_information`, in bits.

    Raises
    ------
    UnknownNameError
        If there is no such correction.

    Examples
    --------
    >>> from ibtools.analysis.kernels.counts import label_spectra
    >>> spectra = label_spectra(np.array([[0, 0, 1, 2]]), np.array([0, 0, 1, 1]), 2)
    >>> corrected_information_of_spectra(*spectra, "miller-madow")[0].round(6)
    array([1.860674])
    """
    correct = find_correction(correction)
    t, y, ty = (_bits(spectrum, correct) for spectrum in (states, classes, cells))
    return t, t + y - ty


def find_correction(name: str) -> Callable[[Counts, Counts], Nats]:
    """Look a correction up by its name.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    """
    if name not in CORRECTIONS:
        raise unknown_name("correction", name, CORRECTIONS)
    return CORRECTIONS[name]


def _bits(spectrum: Spectrum, correct: Callable[[Counts, Counts], Nats]) -> NDArray[np.float64]:
    return np.asarray(correct(spectrum.counts, spectrum.cells) / np.log(2))


def validate_sample(header: Header) -> None:
    """Check that there is a population beyond the recorded inputs to estimate something of.

    Raises
    ------
    InputError
        If the recorded inputs are the population.
    """
    if header.records_population:
        raise InputError(
            "the target population needs inputs that are a sample of it, but the inputs of this "
            "store are the whole population: their information is exact, and a correction would "
            "put an error into it; analyse without --target population (the estimator exact)"
        )
