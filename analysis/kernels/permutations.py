"""Permutations, drawn: of the labels, for I(T;Y), and of single units, for what units share."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.kernels.counts import Spectrum
from ibtools.analysis.kernels.information import entropy, rounding_bound
from ibtools.kernel import kernel

FEWEST = 2
"""Permutations that a standard deviation needs."""

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S32 = (np.uint64(bits) for bits in (27, 30, 31, 32))
_LOW = np.uint64(0xFFFFFFFF)


@kernel
def _draw(state: NDArray[np.uint64]) -> np.uint64:
    """Draw 32 random bits by SplitMix64 (Steele, Lea & Flood, 2014), and move on."""
    state[0] += _GAMMA
    z = state[0]
    z = (z ^ (z >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    return np.uint64((z ^ (z >> _S31)) >> _S32)


@kernel
def _draw_below(n: int, state: NDArray[np.uint64]) -> int:
    """Draw a whole number from 0 to n - 1, each equally likely (Lemire, 2019)."""
    bound = np.uint64(n)
    product = _draw(state) * bound
    if (product & _LOW) < bound:
        threshold = ((_LOW - bound) + np.uint64(1)) % bound
        while (product & _LOW) < threshold:
            product = _draw(state) * bound
    return int(product >> _S32)


@kernel
def _permute(
    sizes: NDArray[np.int64],
    cells: NDArray[np.int64],
    pool: NDArray[np.int32],
    bits: NDArray[np.float64],
    state: NDArray[np.uint64],
    out: NDArray[np.float64],
) -> None:
    """Fill N H(Y|T) of permutation after permutation: the bits that states leave of the label.

    Every state takes its number of labels out of the pool; those of a single sample leave nothing,
    so they need not draw. `bits` is n log2 n.
    """
    n_class = np.zeros(pool.max() + 1, np.int64)
    for k in range(len(out)):
        left, taken = 0.0, 0
        for entry in range(len(sizes)):
            if sizes[entry] < 2:
                continue
            for _ in range(cells[entry]):
                start = taken
                for _ in range(sizes[entry]):
                    other = taken + _draw_below(len(pool) - taken, state)
                    pool[taken], pool[other] = pool[other], pool[taken]
                    n_class[pool[taken]] += 1
                    taken += 1
                left += bits[sizes[entry]]
                for i in range(start, taken):
                    left -= bits[n_class[pool[i]]]
                    n_class[pool[i]] = 0
        out[k] = left


@kernel
def _shuffle(labels: NDArray[np.unsignedinteger], state: NDArray[np.uint64]) -> None:
    """Shuffle the samples of every unit (unit, sample) on their own, after Fisher and Yates."""
    for unit in range(labels.shape[0]):
        for left in range(labels.shape[1], 1, -1):
            other = _draw_below(left, state)
            kept = labels[unit, left - 1]
            labels[unit, left - 1] = labels[unit, other]
            labels[unit, other] = kept


def shuffled_units(
    labels: NDArray[np.unsignedinteger], *, n_permutations: int, seeds: Sequence[int]
) -> Iterator[NDArray[np.unsignedinteger]]:
    """Yield the states of single units of some snapshots, each unit permuted on its own.

    Parameters
    ----------
    labels : ndarray, (block, unit, sample), any unsigned integer
        The state of each single unit.
    n_permutations : int
        How many times to draw, independently, each permutation of each unit equally likely.
    seeds : sequence of int, (block,)
        Of each snapshot, from 0 to 2^64 - 1. What is drawn for it depends on its own only, and the
        first draws not on how many there are.

    Yields
    ------
    ndarray, (block, unit, sample)
        The same memory each time: use it before the next is asked for.

    Examples
    --------
    >>> labels = np.array([[[0, 0, 1, 1]]], np.uint32)
    >>> [one.tolist() for one in shuffled_units(labels, n_permutations=2, seeds=[1])]
    [[[[0, 0, 1, 1]]], [[[0, 1, 1, 0]]]]
    """
    drawn = labels.copy()
    states = [np.array([seed], np.uint64) for seed in seeds]
    for _ in range(n_permutations):
        for snapshot, state in zip(drawn, states, strict=True):
            _shuffle(snapshot, state)
        yield drawn


def sample_permutations(n_samples: int, n_permutations: int, *, seed: int) -> NDArray[np.intp]:
    """Draw permutations of samples, (permutation, sample), each equally likely.

    The first are the same however many there are.

    Examples
    --------
    >>> sample_permutations(4, 2, seed=0).tolist()
    [[1, 3, 2, 0], [2, 3, 1, 0]]
    """
    draw = np.random.PCG64(np.random.SeedSequence((seed, n_samples, 1)))  # 1: not the directions'
    words = draw.random_raw(n_permutations * n_samples).reshape(n_permutations, n_samples)
    return np.argsort(words, axis=1, kind="stable")


def permuted_information(
    states: Spectrum, classes: NDArray[np.integer], *, n_permutations: int, seed: int
) -> NDArray[np.float64]:
    """Compute I(T;Y) under random permutations of the labels, of one snapshot.

    Parameters
    ----------
    states : Spectrum, (entry,)
        Of the samples per state.
    classes : ndarray, (class,), integer
        Samples per class.
    n_permutations : int
        How many permutations to draw, independently, each equally likely.
    seed : int
        From 0 to 2^64 - 1. The result depends on the arguments only.

    Returns
    -------
    ndarray, (permutation,), float64
        In bits.

    Examples
    --------
    >>> import numpy as np
    >>> states = Spectrum.of(np.array([2, 2]))
    >>> found = permuted_information(states, np.array([2, 2]), n_permutations=6, seed=1)
    >>> sorted(set(found.tolist()))
    [0.0, 1.0]
    """
    n_samples = int(classes.sum())
    pool = np.repeat(np.arange(classes.size, dtype=np.int32), classes)
    counts = np.arange(int(states.counts.max()) + 1)
    bits = np.asarray(counts * np.log2(np.maximum(counts, 1)), np.float64)
    left = np.empty(n_permutations)
    state = np.array([seed], np.uint64)
    _permute(states.counts, states.cells, pool, bits, state, left)
    # I(T;Y) of counts is never negative: what is cut off at 0 is rounding.
    information: NDArray[np.float64] = np.maximum(entropy(classes) - left / n_samples, 0.0)
    return information


@dataclass(frozen=True)
class PermutationTest:
    """What permutations of the labels say about one I(T;Y).

    Parameters
    ----------
    mean, sd : float
        Of I(T;Y) under the permutations, in bits; n - 1 in the denominator.
    z : float
        How many sd the observed value is above the mean; NaN where all permutations give the same.
    p : float
        ``(1 + number of permutations with I(T;Y) >= the observed) / (1 + n_permutations)``.

    Notes
    -----
    That p is never 0, and its probability to be at most a, if labels are independent of states, is
    at most a (Phipson & Smyth, 2010). Values that differ by rounding only count as equal.

    References
    ----------
    Phipson & Smyth (2010), Statistical Applications in Genetics and Molecular Biology 9, 39.
    """

    mean: float
    sd: float
    z: float
    p: float

    @classmethod
    def of(
        cls, observed: float, permuted: NDArray[np.float64], n_samples: int
    ) -> "PermutationTest":
        """Compare an observed I(T;Y) with those of permutations, all in bits."""
        bound = rounding_bound(n_samples)
        mean, sd = float(permuted.mean()), float(permuted.std(ddof=1))
        at_least = int((permuted >= observed - bound).sum())
        z = (observed - mean) / sd if sd > bound else np.nan
        return cls(mean, sd if sd > bound else 0.0, z, (1 + at_least) / (1 + permuted.size))


def snapshot_seed(seed: int, *, repeat: int, epoch: int, layer: str) -> int:
    """Derive the seed of one snapshot of one layer, whatever else is analysed or in which order.

    Parameters
    ----------
    seed : int
        The user's; not negative.
    repeat, epoch : int
        The labels of the snapshot, not its position; an epoch may be negative.
    layer : str
        Name of the layer.

    Returns
    -------
    int
        From 0 to 2^64 - 1.

    Examples
    --------
    >>> snapshot_seed(0, repeat=1, epoch=5, layer="output")
    6787032619305125048
    """
    key = (seed, repeat, epoch % 2**32, crc32(layer.encode()))
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0])
