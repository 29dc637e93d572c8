"""Partitions of layers that are too large for memory, from 128-bit digests of their rows.

The digest of a row is a sum over its words, each mixed with its position. So digests of parts of a
layer, by samples and units, add up to those of the layer in any order and grouping, and a worker
needs one part at a time. And those of all units but one are a subtraction.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ibtools.kernel import kernel
from ibtools.partition import partition
from ibtools.store.snapshots import LayerSpec
from ibtools.store.symbols import exact_symbols

WORD_BYTES = 8

PORTION_BYTES = 2**21
"""Of the labels of all units but one that are made at a time; they stay in the cache."""

Words = NDArray[np.uint64]

# Seeds of the keys of the two lanes: the first digits of pi and of e, in hexadecimal.
_SEED_A, _SEED_B = np.uint64(0x243F6A8885A308D3), np.uint64(0xB7E151628AED2A6A)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
# The finalisers of SplitMix64 (Stafford's Mix13) and of MurmurHash3 (Appleby).
_A1, _A2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_B1, _B2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_S27, _S30, _S31, _S33 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(33)


@kernel
def _mix_a(word: np.uint64) -> np.uint64:
    """Mix a word; one to one."""
    word = (word ^ (word >> _S30)) * _A1
    word = (word ^ (word >> _S27)) * _A2
    return word ^ (word >> _S31)


@kernel
def _mix_b(word: np.uint64) -> np.uint64:
    """Mix a word in another way; one to one."""
    word = (word ^ (word >> _S33)) * _B1
    word = (word ^ (word >> _S33)) * _B2
    return word ^ (word >> _S33)


@kernel
def _add_words(words: Words, first_word: int, lanes: Words) -> None:
    """Add to the lanes (sample, 2) what words (sample, word) contribute."""
    keys = np.empty((2, words.shape[1]), np.uint64)
    for w in range(words.shape[1]):
        step = np.uint64(first_word + w) * _GOLDEN
        keys[0, w] = _mix_a(_SEED_A + step)
        keys[1, w] = _mix_b(_SEED_B + step)
    for sample in range(words.shape[0]):
        a, b = lanes[sample, 0], lanes[sample, 1]
        for w in range(words.shape[1]):
            word = words[sample, w]
            a += _mix_a(word ^ keys[0, w])
            b += _mix_b(word ^ keys[1, w])
        lanes[sample, 0], lanes[sample, 1] = a, b


@kernel
def _words_of_unit(unit: int, labels: NDArray[np.unsignedinteger]) -> Words:
    """Return what each label of a unit adds to the lanes, (label, 2)."""
    step = np.uint64(unit) * _GOLDEN
    key_a, key_b = _mix_a(_SEED_A + step), _mix_b(_SEED_B + step)
    words = np.empty((np.int64(labels.max()) + 1, 2), np.uint64)
    for label in range(len(words)):
        words[label, 0] = _mix_a(np.uint64(label) ^ key_a)
        words[label, 1] = _mix_b(np.uint64(label) ^ key_b)
    return words


@kernel
def _add_units(labels: NDArray[np.unsignedinteger], lanes: Words) -> None:
    """Add to the lanes (block, sample, 2) what labels (block, unit, sample) are worth as words."""
    for b in range(labels.shape[0]):
        for unit in range(labels.shape[1]):
            words = _words_of_unit(unit, labels[b, unit])
            for sample in range(labels.shape[2]):
                label = labels[b, unit, sample]
                lanes[b, sample, 0] += words[label, 0]
                lanes[b, sample, 1] += words[label, 1]


@kernel
def _label_digests(
    lanes: Words, table: NDArray[np.uint32], base: np.uint32, out: NDArray[np.uint32]
) -> None:
    """Label the samples of digests (sample, 2) in order of first appearance.

    Digests are as good as random, so that the high bits of one lane choose the entry of the table.
    An entry is a sample above a base; those below it are of earlier digests, and count as free.
    """
    n_states = 0
    shift, mask = np.uint64(64 - int(np.log2(len(table)))), np.uint64(len(table) - 1)
    for sample in range(len(lanes)):
        lane = lanes[sample, 0]
        slot = lane >> shift
        while True:
            entry = table[slot]
            if entry < base:
                table[slot] = base + np.uint32(sample)
                out[sample] = n_states
                n_states += 1
                break
            # Unsigned, or numba would look at the index whether it counts from the end.
            first = np.uint64(entry - base)
            if lanes[first, 0] == lane and lanes[first, 1] == lanes[sample, 1]:
                out[sample] = out[first]
                break
            slot = (slot + np.uint64(1)) & mask


@kernel
def _new_table(n_samples: int) -> NDArray[np.uint32]:
    """Make a table that stays so empty that hardly any two samples want one entry."""
    return np.zeros(1 << (np.int64(np.log2(n_samples)) + 3), np.uint32)


@kernel
def _label_all(lanes: Words, out: NDArray[np.uint32]) -> None:
    """Fill (block, sample) with labels of all units."""
    n_samples = out.shape[1]
    table = _new_table(n_samples)
    for b in range(len(out)):
        _label_digests(lanes[b], table, np.uint32(1 + b * n_samples), out[b])


@kernel
def _label_without(
    labels: NDArray[np.unsignedinteger], lanes: Words, first_row: int, out: NDArray[np.uint32]
) -> None:
    """Fill (row, sample) with labels of all units but one; rows are all snapshots and units."""
    n_samples = labels.shape[2]
    table = _new_table(n_samples)
    digests = np.empty((n_samples, 2), np.uint64)
    for row in range(len(out)):
        b, unit = divmod(first_row + row, labels.shape[1])
        words = _words_of_unit(unit, labels[b, unit])
        for sample in range(n_samples):
            label = np.uint64(labels[b, unit, sample])
            digests[sample, 0] = lanes[b, sample, 0] - words[label, 0]
            digests[sample, 1] = lanes[b, sample, 1] - words[label, 1]
        _label_digests(digests, table, np.uint32(1 + row * n_samples), out[row])


@dataclass(frozen=True, eq=False)
class RowDigests:
    """What the parts of a snapshot that were seen so far add to the digests of its rows.

    A mergeable state: `zero` is neutral, and `+` is associative and commutative.

    Parameters
    ----------
    lanes : ndarray, (sample, 2), uint64
        Two sums modulo 2^64 per sample.

    Notes
    -----
    The bytes of a row are cut into words w_j of eight, the last filled up with zeros. With keys
    k_j = mix(seed + j g) that depend on the position j, each of the two lanes is

        sum over j of mix(w_j xor k_j)   modulo 2^64,

    with seeds and mixing functions of its own. All is fixed, so the same rows have the same
    digests everywhere. Rows that differ in one word never share a lane, because mixing is one to
    one.

    Rows with equal digests are taken as equal, which is *not verified*. Assume that the mixed words
    behave as independent, uniformly random numbers. Then two given rows that differ share a digest
    with probability 2^-128, and any two of n rows with probability below n^2 / 2^129: for a million
    samples, 10^-27. A false merge can only lower H(T). The assumption is about data that were not
    made to defeat this hash; whoever wants to can make rows that collide.

    References
    ----------
    The mixing functions are the finalisers of SplitMix64 (Steele, Lea & Flood 2014, constants of
    D. Stafford) and MurmurHash3 (A. Appleby). Sums of hashed elements: Bellare & Micciancio (1997),
    "A new paradigm for collision-free hashing: incrementality at reduced cost".

    Examples
    --------
    >>> symbols = np.arange(32, dtype=np.uint8).reshape(2, 16) // 16
    >>> left = RowDigests.of(symbols[:, :8], n_samples=2)
    >>> right = RowDigests.of(symbols[:, 8:], n_samples=2, first_unit=8)
    >>> (right + left + RowDigests.zero(2)).labels().tolist()
    [0, 1]
    """

    lanes: Words

    @classmethod
    def zero(cls, n_samples: int) -> Self:
        """Return the digests of rows of which nothing was seen."""
        return cls(np.zeros((n_samples, 2), np.uint64))

    @classmethod
    def of(
        cls,
        symbols: NDArray[np.unsignedinteger],
        *,
        n_samples: int,
        first_sample: int = 0,
        first_unit: int = 0,
    ) -> Self:
        """Digest a part of a snapshot.

        Parameters
        ----------
        symbols : ndarray, (sample, unit), any unsigned integer
            The part; unit is consumed. Unless it ends with the last unit, it must end with a whole
            word.
        n_samples : int
            Samples of the snapshot.
        first_sample, first_unit : int, optional
            Where in the snapshot the part begins; a word must begin there.

        Returns
        -------
        RowDigests
            Of all samples of the snapshot.

        Raises
        ------
        ValueError
            If the part does not begin with a word.
        """
        first_byte = first_unit * symbols.itemsize
        if first_byte % WORD_BYTES:
            raise ValueError(
                f"a part must begin at a multiple of {WORD_BYTES} bytes, found unit {first_unit} "
                f"of {symbols.itemsize} bytes each."
            )
        digests = cls.zero(n_samples)
        lanes = digests.lanes[first_sample : first_sample + len(symbols)]
        _add_words(_words(symbols), first_byte // WORD_BYTES, lanes)
        return digests

    def __add__(self, other: Self) -> Self:
        if self.lanes.shape != other.lanes.shape:
            raise ValueError(
                "digests must be of the same samples to be added, found "
                f"{len(self.lanes)} and {len(other.lanes)}."
            )
        return type(self)(self.lanes + other.lanes)

    def labels(self) -> NDArray[np.uint32]:
        """Label samples with equal digests equally, in order of first appearance."""
        return partition(self.lanes)[0]


@dataclass(frozen=True, eq=False)
class UnitDigests:
    """Digests of the rows of some snapshots of a layer, from which single units can be taken.

    Parameters
    ----------
    labels : ndarray, (block, unit, sample), any unsigned integer
        The state of each single unit.
    lanes : ndarray, (block, sample, 2), uint64
        Digests of the rows of all units: those of `RowDigests`, a label for a word.

    Notes
    -----
    As a digest is a sum over units, that of all units but one is the digest of all less what the
    one adds to it: n units cost as much as n partitions of rows of sixteen bytes, not of rows of
    n - 1 units. Equal digests are not verified; for the probability of a false merge see
    `RowDigests`. Of N samples and n units it is below n N^2 / 2^129 for all partitions of a
    snapshot together: for 512 units and 4096 samples, 10^-29.

    Examples
    --------
    The third unit is constant. Without the first, samples 0, 2 and 3 are alike:

    >>> labels = np.array([[[0, 0, 1, 1], [0, 1, 0, 0], [0, 0, 0, 0]]], np.uint32)
    >>> digests = UnitDigests.of(labels)
    >>> digests.all_units()[0].tolist()
    [0, 1, 2, 2]
    >>> [part.tolist() for part in digests.without_each()]
    [[[0, 1, 0, 0], [0, 0, 1, 1], [0, 1, 2, 2]]]
    """

    labels: NDArray[np.unsignedinteger]
    lanes: Words

    @classmethod
    def of(cls, labels: NDArray[np.unsignedinteger]) -> Self:
        """Digest the rows of all units."""
        lanes = np.zeros((len(labels), labels.shape[2], 2), np.uint64)
        _add_units(labels, lanes)
        return cls(labels, lanes)

    def all_units(self) -> NDArray[np.uint32]:
        """Label samples with equal rows equally, (block, sample)."""
        found = np.empty(self.lanes.shape[:2], np.uint32)
        _label_all(self.lanes, found)
        return found

    def without_each(self) -> Iterator[NDArray[np.uint32]]:
        """Yield labels of the rows of all units but one, (row, sample), portion by portion.

        Rows are all snapshots and units, in the order of `labels`; a portion takes about
        `PORTION_BYTES`, or one row.
        """
        n_snapshots, n_units, n_samples = self.labels.shape
        step = max(1, PORTION_BYTES // (4 * n_samples))
        for first in range(0, n_snapshots * n_units, step):
            found = np.empty((min(step, n_snapshots * n_units - first), n_samples), np.uint32)
            _label_without(self.labels, self.lanes, first, found)
            yield found


def _words(symbols: NDArray[np.unsignedinteger]) -> Words:
    """View rows as words, filled up with zeros at their end."""
    n_bytes = symbols.shape[1] * symbols.itemsize
    if n_bytes % WORD_BYTES == 0:
        return np.ascontiguousarray(symbols).view(np.uint64)
    padded = np.zeros((len(symbols), -(-n_bytes // WORD_BYTES) * WORD_BYTES), np.uint8)
    padded[:, :n_bytes] = np.ascontiguousarray(symbols).view(np.uint8)
    return padded.view(np.uint64)


def part_symbols(
    values: NDArray[Any], layer: LayerSpec, first: NDArray[Any]
) -> NDArray[np.unsignedinteger]:
    """Return symbols of some units of a layer: rows of all units are equal as the exact ones are.

    Parameters
    ----------
    values : ndarray, (sample, unit), uint8, uint16 or float32
        Codes or values of some units.
    layer : LayerSpec
        The layer.
    first : ndarray, (sample, 1), dtype of values
        The same of the first unit of the layer. Used for softmax layers of codes only.

    Returns
    -------
    ndarray, (sample, unit), unsigned integer
        From `ibtools.store.symbols.exact_symbols`; but codes of logits are taken relative to the
        first unit, instead of to the largest, which no part knows. Both forget the common shift of
        a row and nothing else.

    Examples
    --------
    >>> logits = LayerSpec("output", 3, "softmax", 8)
    >>> code = np.array([[5, 6, 4], [8, 9, 7]], np.uint8)
    >>> part_symbols(code[:, 1:], logits, code[:, :1]).tolist()
    [[1, 65535], [1, 65535]]
    """
    if not layer.is_softmax_of_codes:
        return exact_symbols(values, layer)
    wider = np.dtype(f"u{2 * values.itemsize}")  # holds every difference, modulo its range
    symbols: NDArray[np.unsignedinteger] = values.astype(wider) - first.astype(wider)
    return symbols
