"""From rows of symbols to labels: samples with equal rows share a label.

Everything that is exact about a whole layer follows from its labels, so this is where the time
goes: the cost is linear in the bytes of the rows, and equality is always verified, never inferred
from a hash.

Rows of one or two bytes index a table directly. Longer rows are hashed into a table with open
addressing whose entries hold half of the hash as a tag and the label; where the tag agrees, the row
is compared with the first row of that label.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from ibtools.kernel import kernel

MAX_SAMPLES = 2**31 - 1
"""Counts are int32, and half of a table entry has room for twice as many labels."""

_DIRECT_BYTES = 2
_MAX_ENTRY = 2**32 - 1  # of the half of a table entry that holds a label

Bytes = NDArray[np.uint8]

# Odd 64-bit constants with well mixed bits: the primes of XXH64 (Collet, xxhash.com).
_P1 = np.uint64(0x9E3779B185EBCA87)
_P2 = np.uint64(0xC2B2AE3D27D4EB4F)
_P3 = np.uint64(0x165667B19E3779F9)
_P4 = np.uint64(0x85EBCA77C2B2AE63)
_QUARTER, _HALF = np.uint64(16), np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_ONE = np.uint64(1)


@kernel
def _word(memory: Bytes, at: int, n_bytes: int) -> np.uint64:
    """Read up to eight bytes as one integer: a single load where n_bytes is a constant.

    The index is unsigned, or numba would look at each byte whether it counts from the end.
    """
    word = np.uint64(0)
    for i in range(n_bytes):
        word |= np.uint64(memory[np.uint64(at) + np.uint64(i)]) << np.uint64(8 * i)
    return word


@kernel
def _short_word(memory: Bytes, at: int, n_bytes: int) -> np.uint64:
    """Read a row of at most eight bytes as one integer, in pieces that may overlap."""
    if n_bytes >= 4:
        return _word(memory, at, 4) | (_word(memory, at + n_bytes - 4, 4) << _HALF)
    outer = _word(memory, at, 1) | (_word(memory, at + n_bytes - 1, 1) << _HALF)
    return outer | (_word(memory, at + n_bytes // 2, 1) << _QUARTER)


@kernel
def _mix(state: np.uint64, word: np.uint64) -> np.uint64:
    """Take one word into the state of a hash; one to one in either."""
    state = (state ^ word) * _P1
    return state ^ (state >> _HALF)


@kernel
def _finish(state: np.uint64) -> np.uint64:
    """Spread what differs in a state over all bits of the hash."""
    state ^= state >> _HALF
    state *= _P2
    return state ^ (state >> _HALF)


@kernel
def _hash_long(memory: Bytes, at: int, n_bytes: int) -> np.uint64:
    """Hash a row of eight bytes or more in four independent lanes; the last words may overlap."""
    a, b, c, d = _P1, _P2, _P3, _P4
    last = at + n_bytes - 8
    while at + 24 <= last:
        a = _mix(a, _word(memory, at, 8))
        b = _mix(b, _word(memory, at + 8, 8))
        c = _mix(c, _word(memory, at + 16, 8))
        d = _mix(d, _word(memory, at + 24, 8))
        at += 32
    while at < last:
        a = _mix(a, _word(memory, at, 8))
        at += 8
    b = _mix(b, _word(memory, last, 8))
    return _finish(_mix(_mix(_mix(a, b), c), d))


@kernel
def _hash_rows(
    memory: Bytes, start: int, stride: int, n_bytes: int, hashes: NDArray[np.uint64]
) -> None:
    """Hash the rows of one snapshot, with a loop for each kind of width."""
    if n_bytes <= 8:
        for sample in range(len(hashes)):
            word = _short_word(memory, start + sample * stride, n_bytes)
            hashes[sample] = _finish(_mix(_P3, word))
    elif n_bytes <= 16:
        for sample in range(len(hashes)):
            at = start + sample * stride
            state = _mix(_P3, _word(memory, at, 8))
            hashes[sample] = _finish(_mix(state, _word(memory, at + n_bytes - 8, 8)))
    else:
        for sample in range(len(hashes)):
            hashes[sample] = _hash_long(memory, start + sample * stride, n_bytes)


@kernel
def _same_row(memory: Bytes, one: int, other: int, n_bytes: int) -> bool:
    """Compare two rows, all their bytes, a word at a time."""
    if n_bytes <= 8:
        return bool(_short_word(memory, one, n_bytes) == _short_word(memory, other, n_bytes))
    last = n_bytes - 8
    i = 0
    while i < last and _word(memory, one + i, 8) == _word(memory, other + i, 8):
        i += 8
    return bool(i >= last and _word(memory, one + last, 8) == _word(memory, other + last, 8))


@kernel
def _label_hashed(
    memory: Bytes,
    start: int,
    stride: int,
    n_bytes: int,
    labels: NDArray[np.uint32],
    hashes: NDArray[np.uint64],
    table: NDArray[np.uint64],
    base: np.uint64,
    first: NDArray[np.int64],
) -> int:
    """Label the rows of one snapshot by open addressing; entries below `base` are free.

    The high bits of the hash choose the entry, the low bits are its tag. `first` keeps where the
    first row of each label is.
    """
    n_states = 0
    shift, mask = np.uint64(64 - int(np.log2(len(table)))), np.uint64(len(table) - 1)
    for sample in range(len(labels)):
        at = start + sample * stride
        slot, tag = hashes[sample] >> shift, hashes[sample] << _HALF
        while True:
            entry = table[slot]
            if (entry & _LOW) < base:
                label = n_states
                table[slot] = tag | (base + np.uint64(label))
                first[label] = at
                n_states += 1
                break
            if (entry ^ tag) <= _LOW:
                label = int((entry & _LOW) - base)
                if _same_row(memory, at, first[label], n_bytes):
                    break
            slot = (slot + _ONE) & mask
        labels[sample] = label
    return n_states


@kernel
def _label_direct(
    memory: Bytes,
    start: int,
    stride: int,
    n_bytes: int,
    labels: NDArray[np.uint32],
    table: NDArray[np.uint64],
    base: np.uint64,
) -> int:
    """Label the one- or two-byte rows of one snapshot; entries below `base` are free."""
    next_label = base
    for sample in range(len(labels)):
        at = start + sample * stride
        slot = np.int64(memory[at]) | (np.int64(memory[at + n_bytes - 1]) << (8 * (n_bytes - 1)))
        entry = table[slot]
        if entry < base:
            entry = next_label
            table[slot] = entry
            next_label += _ONE
        labels[sample] = entry - base
    return int(next_label - base)


@kernel
def _label_block(
    memory: Bytes,
    strides: tuple[int, int],
    n_bytes: int,
    labels: NDArray[np.uint32],
    n_states: NDArray[np.int64],
    hashes: NDArray[np.uint64],
    table: NDArray[np.uint64],
    first: NDArray[np.int64],
    max_entry: int,
) -> None:
    """Label snapshot after snapshot.

    Entries are labels above a base that grows by the labels given out, so that those of earlier
    snapshots count as free. The table is cleared only when the base would outgrow an entry.
    """
    base = _ONE
    for b in range(len(labels)):
        start = b * strides[0]
        if n_bytes <= _DIRECT_BYTES:
            n = _label_direct(memory, start, strides[1], n_bytes, labels[b], table, base)
        else:
            _hash_rows(memory, start, strides[1], n_bytes, hashes)
            n = _label_hashed(
                memory, start, strides[1], n_bytes, labels[b], hashes, table, base, first
            )
        n_states[b] = n
        base += np.uint64(n)
        if base + np.uint64(labels.shape[1]) > np.uint64(max_entry):
            table[:] = 0
            base = _ONE


def partition(symbols: NDArray[np.unsignedinteger]) -> tuple[NDArray[np.uint32], int]:
    """Label the samples of one snapshot of one layer: equal rows, equal labels.

    Parameters
    ----------
    symbols : ndarray, (sample, unit), any unsigned integer
        One row per sample. Rows may be padded at their end (the first columns of a wider array),
        and those of a single symbol of up to two bytes may be anywhere; other layouts are copied.

    Returns
    -------
    labels : ndarray, (sample,), uint32
        0 to n_states - 1 in order of first appearance, so that equal partitions have equal bytes.
    n_states : int
        How many rows are different.

    Raises
    ------
    TypeError
        If the symbols are not unsigned integers.
    ValueError
        If there is no sample or no unit, or the array is not two-dimensional.

    Examples
    --------
    >>> import numpy as np
    >>> labels, n_states = partition(np.array([[7, 7], [0, 7], [7, 7]], dtype=np.uint8))
    >>> labels.tolist(), n_states
    ([0, 1, 0], 2)
    """
    if symbols.ndim != 2:
        raise ValueError(f"symbols must be (sample, unit), found shape {symbols.shape}.")
    labels, n_states = partition_block(symbols[np.newaxis])
    return labels[0], int(n_states[0])


def partition_block(
    symbols: NDArray[np.unsignedinteger],
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Label the samples of several snapshots of one layer, each by itself, with one set of buffers.

    Parameters
    ----------
    symbols : ndarray, (block, sample, unit), any unsigned integer
        As for `partition`; unit is consumed.

    Returns
    -------
    labels : ndarray, (block, sample), uint32
        Per snapshot, in order of first appearance.
    n_states : ndarray, (block,), int64
        Per snapshot, how many rows are different.

    Raises
    ------
    TypeError
        If the symbols are not unsigned integers.
    ValueError
        If there is no sample or no unit, or the array is not three-dimensional.

    Notes
    -----
    Memory beside the result is 40 to 64 bytes per sample, whatever the number of snapshots. The
    hash is fixed, so rows can be made up that collide; they cost time, never correctness.

    Examples
    --------
    >>> import numpy as np
    >>> labels, n_states = partition_block(np.array([[[1], [2]], [[3], [3]]], dtype=np.uint8))
    >>> labels.tolist(), n_states.tolist()
    ([[0, 1], [0, 0]], [2, 1])
    """
    _validate(symbols)
    n_snapshots, n_samples, _ = symbols.shape
    memory, strides, n_bytes = _rows(symbols)
    labels = np.empty((n_snapshots, n_samples), dtype=np.uint32)
    n_states = np.empty(n_snapshots, dtype=np.int64)
    table = np.zeros(_table_size(n_samples, n_bytes), dtype=np.uint64)
    hashes = np.empty(n_samples, dtype=np.uint64)
    first = np.empty(n_samples, dtype=np.int64)
    _label_block(memory, strides, n_bytes, labels, n_states, hashes, table, first, _MAX_ENTRY)
    return labels, n_states


def _validate(symbols: NDArray[np.unsignedinteger]) -> None:
    """Check what `partition_block` promises to refuse."""
    if symbols.dtype.kind != "u":
        raise TypeError(
            f"symbols must be unsigned integers, found {symbols.dtype}; "
            "take them from ibtools.store.symbols."
        )
    if symbols.ndim != 3:
        raise ValueError(f"symbols must be (block, sample, unit), found shape {symbols.shape}.")
    if not 0 < symbols.shape[1] <= MAX_SAMPLES:
        raise ValueError(
            f"between 1 and {MAX_SAMPLES} samples are needed, found {symbols.shape[1]}."
        )
    if symbols.shape[2] == 0:
        raise ValueError("a layer must have at least one unit, found 0.")


def _table_size(n_samples: int, n_bytes: int) -> int:
    """Entries of the table: one per key, or a power of two that stays at most a third full."""
    if n_bytes <= _DIRECT_BYTES:
        return int(256**n_bytes)
    return 1 << (3 * n_samples).bit_length()


def _rows(
    symbols: NDArray[np.unsignedinteger],
) -> tuple[NDArray[np.uint8], tuple[int, int], int]:
    """View symbols as memory, the strides of snapshot and sample in it, and the bytes of a row."""
    row_bytes = symbols.shape[2] * symbols.itemsize
    # Rows of a single short symbol are read once, wherever they are.
    is_read_once = symbols.shape[2] == 1 and row_bytes <= _DIRECT_BYTES
    is_row = is_read_once or symbols.strides[2] == symbols.itemsize
    if min(symbols.strides) < 0 or not is_row:
        symbols = symbols.copy(order="C")
    stride_block, stride_sample, _ = symbols.strides
    n_snapshots, n_samples, _ = symbols.shape
    span = (n_snapshots - 1) * stride_block + (n_samples - 1) * stride_sample + row_bytes
    everything = symbols.view(np.uint8)
    memory = as_strided(everything, shape=(max(span, 0),), strides=(1,), writeable=False)
    return memory, (stride_block, stride_sample), row_bytes
