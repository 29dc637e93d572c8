"""How the units of a layer share what they know: sums over single units and over all but one.

Everything here follows from entropies and information of the whole layer T, of each single unit
T_u, and of all units but one, T_-u. Which samples agree in all units but one is known from
`ibtools.analysis.kernels.digests.UnitDigests`.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.kernels.chance import chance_levels
from ibtools.analysis.kernels.counts import label_spectra
from ibtools.analysis.kernels.digests import UnitDigests
from ibtools.analysis.kernels.information import information_of_spectra, rounding_bound


@dataclass(frozen=True, eq=False)
class Knowledge:
    """What some variables know of the label, each in bits.

    Parameters
    ----------
    entropy, information, chance : ndarray, (...), float64
        H, I(;Y), and the mean of that over all permutations of the label.
    """

    entropy: NDArray[np.float64]
    information: NDArray[np.float64]
    chance: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Correlations:
    """How far the units of some layers are from independent, in bits.

    Parameters
    ----------
    total_correlation, dual_total_correlation : ndarray, (block,), float64
        See `correlations`.
    """

    total_correlation: NDArray[np.float64]
    dual_total_correlation: NDArray[np.float64]

    @property
    def o_information(self) -> NDArray[np.float64]:
        """The difference: above 0 redundancy prevails, below 0 synergy."""
        return self.total_correlation - self.dual_total_correlation


def knowledge_of_labels(
    labels: NDArray[np.unsignedinteger], y: NDArray[np.integer], n_classes: int
) -> Knowledge:
    """Compute what partitions (row, sample) know of the classes (sample,), (row,)."""
    spectra = label_spectra(labels, y, n_classes)
    entropies, information = information_of_spectra(*spectra, n_samples=y.size)
    return Knowledge(entropies, information, chance_levels(*spectra[:2]))


def knowledge_of_units(
    unit_labels: NDArray[np.unsignedinteger], y: NDArray[np.integer], n_classes: int
) -> tuple[Knowledge, Knowledge, Knowledge]:
    """Compute what a layer, its single units, and all its units but one know of the class.

    Parameters
    ----------
    unit_labels : ndarray, (block, unit, sample), any unsigned integer
        The state of each single unit, below the number of samples; sample is consumed.
    y : ndarray, (sample,), integer
        The class of each sample.
    n_classes : int
        Number of classes.

    Returns
    -------
    layer : Knowledge, (block,)
        Of all units.
    units, others : Knowledge, (block, unit)
        Of each unit, and of all units but this one.

    Raises
    ------
    TypeError, ValueError
        As `ibtools.analysis.kernels.information.information_of_labels`.

    Examples
    --------
    Two units whose exclusive or is the label: neither knows anything alone.

    >>> units = np.array([[[0, 0, 1, 1], [0, 1, 0, 1]]], np.uint32)
    >>> layer, single, others = knowledge_of_units(units, np.array([0, 1, 1, 0]), 2)
    >>> layer.information.tolist(), single.information.tolist(), others.information.tolist()
    ([1.0], [[0.0, 0.0]], [[0.0, 0.0]])
    """
    shape = unit_labels.shape[:2]
    digests = UnitDigests.of(unit_labels)
    flat = unit_labels.reshape(-1, unit_labels.shape[2])
    parts = [knowledge_of_labels(labels, y, n_classes) for labels in digests.without_each()]
    layer = knowledge_of_labels(digests.all_units(), y, n_classes)
    units = knowledge_of_labels(flat, y, n_classes)
    return layer, _shaped([units], shape), _shaped(parts, shape)


def _shaped(parts: list[Knowledge], shape: tuple[int, ...]) -> Knowledge:
    """Join portions of rows, as (block, unit)."""
    return Knowledge(
        *(
            np.concatenate([getattr(part, name) for part in parts]).reshape(shape)
            for name in ("entropy", "information", "chance")
        )
    )


def information_given_others(
    layer: NDArray[np.float64], others: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Compute I(T_u;Y|T_-u) from I(T;Y), (block,), and I(T_-u;Y), (block, unit): their difference.

    It is never negative; what is cut off at 0 is rounding. Of chance levels it is one as well.
    """
    return np.maximum(layer[:, np.newaxis] - others, 0.0)


def correlations(
    entropy_t: NDArray[np.float64],
    entropy_units: NDArray[np.float64],
    entropy_others: NDArray[np.float64],
) -> Correlations:
    """Compute total and dual total correlation of the units.

    Parameters
    ----------
    entropy_t : ndarray, (block,), float64
        H(T) in bits.
    entropy_units, entropy_others : ndarray, (block, unit), float64
        H(T_u) and H(T_-u) in bits.

    Returns
    -------
    Correlations
        Never negative; what is cut off at 0 is rounding.

    Notes
    -----
    ``TC = sum_u H(T_u) - H(T)`` and ``DTC = H(T) - sum_u H(T_u|T_-u)``, with ``H(T_u|T_-u) =
    H(T) - H(T_-u)``. Both are 0 if and only if the units are independent. Neither knows the label.
    With everything given the label, they relate to what units know of it:

        TC(T) - TC(T|Y)   = sum_u I(T_u;Y) - I(T;Y)
        DTC(T) - DTC(T|Y) = I(T;Y) - sum_u I(T_u;Y|T_-u).

    References
    ----------
    Watanabe (1960), IBM J. Res. Dev. 4, 66. Han (1978), Inf. Control 36, 133. Rosas, Mediano,
    Gastpar & Jensen (2019), Phys. Rev. E 100, 032305.

    Examples
    --------
    Three copies of a coin, and three units any of which is the exclusive or of the others:

    >>> others = np.array([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]])
    >>> found = correlations(np.array([1.0, 2.0]), np.ones((2, 3)), others)
    >>> found.total_correlation.tolist(), found.dual_total_correlation.tolist()
    ([2.0, 1.0], [1.0, 2.0])
    >>> found.o_information.tolist()
    [1.0, -1.0]
    """
    unknown = np.maximum(entropy_t[:, np.newaxis] - entropy_others, 0.0)
    total = sum_units(entropy_units) - entropy_t
    dual = entropy_t - sum_units(unknown)
    return Correlations(np.maximum(total, 0.0), np.maximum(dual, 0.0))


def correlations_of_units(
    unit_labels: NDArray[np.unsignedinteger], entropy_units: NDArray[np.float64]
) -> Correlations:
    """Compute `correlations` of states (block, unit, sample) of units of known entropies."""
    digests = UnitDigests.of(unit_labels)
    others = [_entropies(labels) for labels in digests.without_each()]
    return correlations(
        _entropies(digests.all_units()),
        entropy_units,
        np.concatenate(others).reshape(entropy_units.shape),
    )


def _entropies(labels: NDArray[np.unsignedinteger]) -> NDArray[np.float64]:
    """Compute H of partitions (row, sample), (row,)."""
    nothing = np.zeros(labels.shape[1], np.int64)
    return information_of_spectra(*label_spectra(labels, nothing, 1), n_samples=nothing.size)[0]


def sum_units(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum (..., unit) over units, rounded once, so that their order changes no bit."""
    rows = values.reshape(-1, values.shape[-1]).tolist()
    return np.array([math.fsum(row) for row in rows]).reshape(values.shape[:-1])


def degrees(
    sums: NDArray[np.float64], information: NDArray[np.float64], n_samples: int
) -> NDArray[np.float64]:
    """Divide sums over units by the information of the layer; NaN where that is none.

    Parameters
    ----------
    sums : ndarray, (block,), float64
        Over units of I(T_u;Y), or of I(T_u;Y|T_-u), in bits.
    information : ndarray, (block,), float64
        I(T;Y) in bits.
    n_samples : int
        Samples that were counted, which bound the rounding of what is 0.

    Returns
    -------
    ndarray, (block,), float64
        The average degree of redundancy, or of vulnerability.

    References
    ----------
    Gutknecht, Rosas, Ehrlich, Makkeh, Mediano & Wibral (2025), arXiv 2504.15779.

    Examples
    --------
    >>> degrees(np.array([3.0, 0.0]), np.array([1.0, 0.0]), 100)
    array([ 3., nan])
    """
    known = information > rounding_bound(n_samples)
    return np.divide(sums, information, out=np.full_like(sums, np.nan), where=known)
