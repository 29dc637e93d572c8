"""Pairs of partitions of the same samples: what they share, by chance too, and how they differ."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.kernels.chance import chance_levels
from ibtools.analysis.kernels.counts import label_spectra
from ibtools.analysis.kernels.information import entropy, information_of_spectra, rounding_bound


@dataclass(frozen=True, eq=False)
class PartitionPairs:
    """How partitions compare with others, each with each.

    Parameters
    ----------
    information : ndarray, (partition, other), float64
        I(A;B) in bits.
    chance : ndarray, (partition, other), float64
        Its mean over all permutations of the samples of either, in bits.
    entropy : ndarray, (partition,), float64
        H(A) in bits.
    other_entropy : ndarray, (other,), float64
        H(B) in bits.
    n_samples : int
        Of all of them.
    """

    information: NDArray[np.float64]
    chance: NDArray[np.float64]
    entropy: NDArray[np.float64]
    other_entropy: NDArray[np.float64]
    n_samples: int

    @property
    def variation(self) -> NDArray[np.float64]:
        """Variation of information, H(A|B) + H(B|A) in bits: 0 if and only if A and B are equal."""
        either = self.entropy[:, np.newaxis] + self.other_entropy
        return np.maximum(either - 2 * self.information, 0.0)

    @property
    def adjusted(self) -> NDArray[np.float64]:
        """Adjusted mutual information: 1 of equal partitions, 0 in the mean by chance.

        ``(I - E[I]) / (max(H(A), H(B)) - E[I])``; NaN where chance leaves nothing to share, as
        where both partitions are of single samples.
        """
        most = np.maximum(self.entropy[:, np.newaxis], self.other_entropy)
        room = most - self.chance
        shared = self.information - self.chance
        there = room > 4 * rounding_bound(self.n_samples)
        return np.divide(shared, room, out=np.full_like(room, np.nan), where=there)


def compare_partitions(labels: NDArray[np.uint32], others: NDArray[np.uint32]) -> PartitionPairs:
    """Compare each of some partitions with each of others, of the same samples.

    Parameters
    ----------
    labels : ndarray, (partition, sample), uint32
        As from `ibtools.partition.partition_block`; sample is consumed.
    others : ndarray, (other, sample), uint32
        The same.

    Returns
    -------
    PartitionPairs

    Raises
    ------
    ValueError
        If they are not of the same samples.

    References
    ----------
    Meilă (2007), J. Multivar. Anal. 98, 873 (variation of information). Vinh, Epps & Bailey (2010),
    JMLR 11, 2837 (adjusted mutual information, here with the larger entropy).

    Examples
    --------
    >>> halves, copy, parity = np.array([[0, 0, 1, 1], [1, 1, 0, 0], [0, 1, 0, 1]], np.uint32)
    >>> found = compare_partitions(halves[np.newaxis], np.stack([copy, parity]))
    >>> found.information.tolist(), found.variation.tolist(), found.adjusted.round(3).tolist()
    ([[1.0, 0.0]], [[0.0, 2.0]], [[1.0, -0.5]])
    """
    shape = len(labels), len(others)
    information, chance = np.empty(shape), np.empty(shape)
    other_entropy = np.empty(len(others))
    own_entropy = np.empty(len(labels))
    for index, other in enumerate(others):
        n_states = int(other.max()) + 1
        states, classes, cells = label_spectra(labels, other, n_states)
        found = information_of_spectra(states, classes, cells, n_samples=other.size)
        own_entropy, information[:, index] = found
        chance[:, index] = chance_levels(states, classes)
        other_entropy[index] = entropy(np.bincount(other))
    return PartitionPairs(information, chance, own_entropy, other_entropy, labels.shape[1])
