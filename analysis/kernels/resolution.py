"""Counting the states of a layer at every resolution of its codes, cut as in `cut_codes`.

States only split when the resolution grows. So each resolution is made of the states of the one
before, by the next bit of every unit, and what no finer resolution splits is left alone.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.kernels.counts import Spectrum, sort_by_class, validate_labels
from ibtools.analysis.kernels.cut_codes import Levels
from ibtools.kernel import kernel

_P1 = np.uint64(0x9E3779B185EBCA87)  # primes of XXH64 (Collet, xxhash.com)
_P2 = np.uint64(0xC2B2AE3D27D4EB4F)
_HALF = np.uint64(32)


def resolution_spectra(
    levels: Levels,
    labels: NDArray[np.integer],
    y: NDArray[np.integer],
    n_classes: int,
) -> tuple[Spectrum, Spectrum, Spectrum]:
    """Count states, classes, and states by class, at every resolution.

    Parameters
    ----------
    levels : Levels
        (block, sample, unit); sample and unit are consumed.
    labels : ndarray, (block, sample), integer
        The states at the full resolution, 0 to the number of states - 1, as from
        `ibtools.partition.partition_block`.
    y : ndarray, (sample,), integer
        The class of each sample, 0 to n_classes - 1.
    n_classes : int
        Number of classes.

    Returns
    -------
    spectrum_t : Spectrum, (block, resolution, entry)
        Of the samples per state, at the resolutions 0 to b.
    spectrum_y : Spectrum, (entry,)
        Of the samples per class.
    spectrum_ty : Spectrum, (block, resolution, entry)
        Of the samples per state and class.

    Raises
    ------
    TypeError
        If labels or y are not integers.
    ValueError
        If the arrays do not fit together, or a label or class is out of range.

    Notes
    -----
    Work is in the samples once, and for each resolution in the states of the full resolution that
    still share a state. Where all inputs have their own state, these are all samples at the lowest
    resolutions, and soon none. Equality is verified, never inferred from a hash.

    Examples
    --------
    >>> levels = Levels(np.arange(4, dtype=np.uint8).reshape(1, 4, 1), np.array([[0]]), bits=2)
    >>> states, _, _ = resolution_spectra(levels, np.arange(4)[None], np.array([0, 0, 1, 1]), 2)
    >>> states.cells.sum(axis=-1).tolist(), states.counts.max(axis=-1).tolist()
    ([[2, 3, 4]], [[3, 2, 1]])
    """
    validate_labels(labels, y, y.size, n_classes)
    n_snapshots, n_samples, _ = levels.codes.shape
    order, ends = sort_by_class(y.astype(np.int64), n_classes)
    n_entries = int(np.sqrt(2 * n_samples)) + 1
    out = np.zeros((4, n_snapshots, levels.bits + 1, n_entries), np.int64)
    known = (levels.zero >= 0) & (levels.zero < 2**levels.bits)
    zero = np.where(known, levels.zero, levels.zero % 2 ** (levels.bits - 1))
    _count_block(
        np.ascontiguousarray(levels.codes),
        _by_bytes(zero, levels.codes.itemsize),
        np.packbits(known, axis=1, bitorder="little").astype(np.uint64),
        ~known.all(axis=1),
        levels.bits,
        _middle(levels),
        np.require(labels, np.uint32, ["C"]),
        order,
        ends,
        out,
    )
    of_class = Spectrum.of(np.diff(ends, prepend=0))
    return Spectrum(out[0], out[1]), of_class, Spectrum(out[2], out[3])


def _middle(levels: Levels) -> int:
    """Return the resolution to begin with: from where on few units may tell the samples apart."""
    _, n_samples, n_units = levels.codes.shape
    needed = np.log2(max(n_samples, 2))
    if n_units > needed:
        return 0
    return min(int(np.ceil(needed / n_units)), levels.bits)


def _by_bytes(values: NDArray[np.int64], n_bytes: int) -> NDArray[np.uint64]:
    """Lay out whole numbers, (block, unit), by their bytes: (block, byte, word) of 8 units each."""
    n_snapshots, n_units = values.shape
    out = np.zeros((n_snapshots, n_bytes, -(-n_units // 8) * 8), np.uint8)
    for byte in range(n_bytes):
        out[:, byte, :n_units] = values >> (8 * byte) & 255
    return out.view(np.uint64)


@kernel
def _transposed(word: np.uint64) -> np.uint64:
    """Swap bit i of byte j with bit j of byte i: of the bytes of 8 units, make those of 8 bits."""
    swap = (word ^ (word >> np.uint64(7))) & np.uint64(0x00AA00AA00AA00AA)
    word ^= swap ^ (swap << np.uint64(7))
    swap = (word ^ (word >> np.uint64(14))) & np.uint64(0x0000CCCC0000CCCC)
    word ^= swap ^ (swap << np.uint64(14))
    swap = (word ^ (word >> np.uint64(28))) & np.uint64(0x00000000F0F0F0F0)
    return word ^ swap ^ (swap << np.uint64(28))


@kernel
def _copy_bytes(
    codes: NDArray[Any], first: NDArray[np.int32], byte: int, memory: NDArray[np.uint8]
) -> None:
    """Copy one byte of every unit of some samples."""
    for i in range(len(first)):
        sample = np.uint64(first[i])
        for unit in range(codes.shape[1]):
            memory[i, byte, unit] = codes[sample, unit] >> (8 * byte)


@kernel
def _fill_planes(
    codes: NDArray[Any],
    zero: NDArray[np.uint64],
    first: NDArray[np.int32],
    memory: NDArray[np.uint8],
    planes: NDArray[np.uint64],
    unlike: NDArray[np.uint64],
) -> None:
    """Fill the bits of zero less code, of the first sample of every state: 8 units, 8 bits a word.

    After them comes the sign, in the lowest byte of a word. `memory` is that of `planes`; `zero` is
    laid out likewise, for one sample. `unlike` gets, byte by byte, which bits differ from the sign
    in any state.
    """
    n_bytes, n_words = planes.shape[1] - 1, planes.shape[2]
    high, ones = np.uint64(0x8080808080808080), np.uint64(0x0101010101010101)
    unlike[:] = 0
    for byte in range(n_bytes):
        planes[: len(first), byte, n_words - 1] = zero[byte, n_words - 1]
        _copy_bytes(codes, first, byte, memory)
    for i in range(len(first)):
        for word in range(n_words):
            borrow = np.uint64(0)
            for byte in range(n_bytes):
                # Eight bytes are subtracted at once, and what each borrows from the next is kept.
                x, y = zero[byte, word], planes[i, byte, word]
                less = ((x | high) - (y & ~high)) ^ ((x ^ ~y) & high)
                owed = ((~x & y) | (~(x ^ y) & less)) & high
                left = ((less | high) - borrow) ^ (~less & high)
                planes[i, byte, word] = left
                borrow = ((owed | (~less & left)) & high) >> np.uint64(7)
            # The product gathers the lowest bit of every byte in the highest byte.
            sign = (borrow * np.uint64(0x0102040810204080)) >> np.uint64(56)
            planes[i, n_bytes, word] = sign
            for byte in range(n_bytes):
                bits = _transposed(planes[i, byte, word])
                planes[i, byte, word] = bits
                unlike[byte] |= bits ^ (sign * ones)


@kernel
def _has_bit(unlike: NDArray[np.uint64], bit: int) -> bool:
    """Whether a bit of any unit differs from its sign in any state."""
    byte = (unlike[bit // 8] >> np.uint64(8 * (bit % 8))) & np.uint64(255)
    return bool(byte != 0)


@kernel
def _mix(state: np.uint64, word: np.uint64) -> np.uint64:
    """Take one word into the state of a hash; one to one in either."""
    state = (state ^ word) * _P1
    return state ^ (state >> _HALF)


@kernel
def _read_keys(
    planes: NDArray[np.uint64],
    states: NDArray[np.int32],
    bit: int,
    seen: NDArray[np.uint64],
    keys: NDArray[np.uint64],
) -> None:
    """Gather the group of every state and one bit of all units into the words of a key.

    A bit below 0 stands for the sign. Units that are not to be `seen` have 0. The first word is of
    the group and of up to 32 units.
    """
    n_signs, n_words = planes.shape[1] - 1, planes.shape[2]
    byte = n_signs if bit < 0 else bit // 8
    shift = np.uint64(0 if bit < 0 else 8 * (bit % 8))
    for i in range(states.shape[1]):
        row = states[0, i]
        key, place, k = np.uint64(states[3, i]), 32, 0
        for word in range(n_words):
            bits = (planes[row, byte, word] >> shift) & np.uint64(255) & seen[word]
            key |= bits << np.uint64(place)
            place += 8
            if place == 64:
                keys[i, k] = key
                key, place, k = np.uint64(0), 0, k + 1
        if k < keys.shape[1]:
            keys[i, k] = key


@kernel
def _same_rest(keys: NDArray[np.uint64], n_key: int, one: int, other: int) -> bool:
    """Compare two keys from their second word on."""
    k = 1
    while k < n_key and keys[one, k] == keys[other, k]:
        k += 1
    return bool(k >= n_key)


@kernel
def _split(
    keys: NDArray[np.uint64],
    n_key: int,
    states: NDArray[np.int32],
    table: NDArray[np.int32],
    groups: NDArray[np.int32],
    group_of: NDArray[np.int32],
) -> int:
    """Split groups of states by keys of some words; returns how many groups there are then.

    A state is its number, first sample, samples, and group, which is replaced, in `group_of` its
    number too. Groups are numbered in order of first appearance; of each, `groups` has the first
    state, and counts states and samples.
    """
    n_states, bits = states.shape[1], 2
    while 1 << bits < 2 * n_states:
        bits += 1
    table[: 1 << bits] = -1
    shift, mask, n_groups = np.uint64(64 - bits), np.uint64((1 << bits) - 1), 0
    for i in range(n_states):
        key = keys[i, 0]
        hashed = key
        for k in range(1, n_key):
            hashed = _mix(hashed, keys[i, k])
        slot = ((hashed ^ (hashed >> _HALF)) * _P2) >> shift
        group = table[slot]
        while group >= 0:
            other = groups[0, group]
            if keys[other, 0] == key and _same_rest(keys, n_key, other, i):
                break
            slot = (slot + np.uint64(1)) & mask
            group = table[slot]
        if group < 0:
            group = n_groups
            table[slot] = group
            groups[0, group] = i
            groups[1, group] = 0
            groups[2, group] = 0
            n_groups += 1
        states[3, i] = group
        group_of[states[0, i]] = group
        groups[1, group] += 1
        groups[2, group] += states[2, i]
    return n_groups


@kernel
def _write_entries(
    own: NDArray[np.int32],
    settled: NDArray[np.int32],
    counts: NDArray[np.int64],
    cells: NDArray[np.int64],
) -> None:
    """Write two histograms together as a spectrum, and clear the first."""
    entry = 0
    for count in range(1, len(own)):
        total = own[count] + settled[count]
        if total > 0:
            counts[entry] = count
            cells[entry] = total
            entry += 1
        own[count] = 0


@kernel
def _gather_cells(
    members: NDArray[np.int32],
    sizes: NDArray[np.int32],
    ends: NDArray[np.int64],
    work: NDArray[np.int32],
    cells: NDArray[np.int32],
    cell_ends: NDArray[np.int64],
) -> None:
    """List what holds samples, and how many, class by class; `work` stays zero.

    What has `sizes` samples is a member of a state or group; of each class there are those up to
    its end.
    """
    start = n_cells = 0
    for c in range(len(ends)):
        for i in range(start, ends[c]):
            work[members[i]] += sizes[i]
        for i in range(start, ends[c]):
            member = members[i]
            if work[member] > 0:
                cells[0, n_cells] = member
                cells[1, n_cells] = work[member]
                work[member] = 0
                n_cells += 1
        start = ends[c]
        cell_ends[c] = n_cells


@kernel
def _count_cells(
    group_of: NDArray[np.int32],
    cells: NDArray[np.int32],
    cell_ends: NDArray[np.int64],
    work: NDArray[np.int32],
    histogram: NDArray[np.int32],
) -> None:
    """Histogram the samples per group and class; entry 0 is idle, `work` stays zero."""
    start = 0
    for end in cell_ends:
        for i in range(start, end):
            work[group_of[cells[0, i]]] += cells[1, i]
        for i in range(start, end):
            group = group_of[cells[0, i]]
            histogram[work[group]] += 1
            work[group] = 0
        start = end


@kernel
def _settle_cells(
    group_of: NDArray[np.int32],
    cells: NDArray[np.int32],
    cell_ends: NDArray[np.int64],
    settled: NDArray[np.int32],
) -> None:
    """Take the cells of states without a group out of the list, and into a histogram."""
    start = kept = 0
    for c in range(len(cell_ends)):
        for i in range(start, cell_ends[c]):
            if group_of[cells[0, i]] < 0:
                settled[cells[1, i]] += 1
            else:
                cells[0, kept] = cells[0, i]
                cells[1, kept] = cells[1, i]
                kept += 1
        start = cell_ends[c]
        cell_ends[c] = kept


@kernel
def _settle_states(
    states: NDArray[np.int32],
    groups: NDArray[np.int32],
    group_of: NDArray[np.int32],
    settled: NDArray[np.int32],
) -> int:
    """Take states that are alone in their group out of the list, and into a histogram.

    Returns how many are left. `group_of` gets -1 for those that are settled. Entry 0 of the
    histogram keeps the largest count.
    """
    kept = 0
    for i in range(states.shape[1]):
        group = states[3, i]
        if groups[1, group] == 1:
            settled[states[2, i]] += 1
            settled[0] = max(settled[0], states[2, i])
            group_of[states[0, i]] = -1
        else:
            for row in range(4):
                states[row, kept] = states[row, i]
            kept += 1
    return kept


@kernel
def _list_states(labels: NDArray[np.uint32], states: NDArray[np.int32]) -> int:
    """List the states of a partition: number, first sample, samples, and the group 0 of all."""
    n_states = 0
    for sample in range(len(labels)):
        label = labels[sample]
        if label == n_states:
            states[0, label], states[1, label] = label, sample
            states[2, label], states[3, label] = 0, 0
            n_states += 1
        states[2, label] += 1
    return n_states


@kernel
def _read_first_keys(
    planes: NDArray[np.uint64],
    states: NDArray[np.int32],
    bits: int,
    n_units: int,
    resolution: int,
    keys: NDArray[np.uint64],
) -> None:
    """Gather sign and bits of the few units of every state up to a resolution, as one word."""
    n_bytes, n_words = planes.shape[1] - 1, planes.shape[2]
    for i in range(states.shape[1]):
        key, place = np.uint64(0), np.uint64(0)
        for r in range(resolution + 1):
            byte = n_bytes if r == 0 else (bits - r) // 8
            shift = np.uint64(0 if r == 0 else 8 * ((bits - r) % 8))
            for word in range(n_words):
                word_bits = (planes[states[0, i], byte, word] >> shift) & np.uint64(255)
                key |= word_bits << (place + np.uint64(8 * word))
            place += np.uint64(n_units)
        keys[i, 0] = key


@kernel
def _merge(part: Any, n_groups: int, scratch: Any, merged: Any) -> None:
    """Make a list of states out of groups: each has the number of its first state."""
    states, cells, cell_ends, _ = part
    _, _, groups, group_of, work, _ = scratch
    merged_states, merged_cells, merged_ends, settled = merged
    for group in range(n_groups):
        merged_states[0, group] = states[0, groups[0, group]]
        merged_states[2, group] = groups[2, group]
        merged_states[3, group] = 0
    of_cells = group_of[cells[0, : cell_ends[-1]]]
    _gather_cells(of_cells, cells[1], cell_ends, work, merged_cells, merged_ends)
    for i in range(merged_ends[-1]):
        merged_cells[0, i] = merged_states[0, merged_cells[0, i]]
    settled[:] = 0


@kernel
def _write_split(part: Any, n_states: int, n_key: int, scratch: Any, out: NDArray[np.int64]) -> int:
    """Split states by their keys, and write the spectra of the groups, (4, entry).

    States that were settled before count as groups. Returns how many other groups there are.
    """
    states, cells, cell_ends, settled = part
    keys, table, groups, group_of, work, histograms = scratch
    n_groups = _split(keys, n_key, states[:, :n_states], table, groups, group_of)
    largest = settled[0, 0]
    for group in range(n_groups):
        histograms[0, groups[2, group]] += 1
        largest = max(largest, groups[2, group])
    _count_cells(group_of, cells, cell_ends, work, histograms[1])
    histograms[1, 0] = 0
    for kind in range(2):
        own = histograms[kind, : largest + 1]
        _write_entries(own, settled[kind], out[2 * kind], out[2 * kind + 1])
    return n_groups


@kernel
def _settle(part: Any, n_states: int, scratch: Any) -> int:
    """Settle the states that no finer resolution splits; returns how many are left."""
    states, cells, cell_ends, settled = part
    _, _, groups, group_of, _, _ = scratch
    kept = _settle_states(states[:, :n_states], groups, group_of, settled[0])
    if kept < n_states:
        _settle_cells(group_of, cells, cell_ends, settled[1])
    return kept


@kernel
def _descend(
    grid: Any,
    resolutions: tuple[int, int],
    part: Any,
    n_states: int,
    scratch: Any,
    out: NDArray[np.int64],
) -> None:
    """Write the spectra of one resolution after the other, (4, resolution, entry).

    The sign says whether units are on; those that are not `known` are always, or never, as their
    zero is no code. Of an `offset` snapshot, which has such, it is looked at before resolution 1,
    where levels may have three values.
    """
    planes, unlike, known, offset, bits = grid
    keys, table, groups, group_of, _, _ = scratch
    all_units, n_key = np.full(planes.shape[2], 255, np.uint64), keys.shape[1]
    for resolution in range(*resolutions):
        bit, now, split = bits - resolution, part[0][:, :n_states], resolution == 0
        if resolution == 0:
            _read_keys(planes, now, -1, known, keys)
        if resolution == 1 and offset:
            _read_keys(planes, now, -1, all_units, keys)
            _split(keys, n_key, now, table, groups, group_of)
        if resolution > 0 and n_states > 0 and (offset or _has_bit(unlike, bit)):
            _read_keys(planes, now, bit, all_units, keys)
            split = True
        if split:
            _write_split(part, n_states, n_key, scratch, out[:, resolution])
            n_states = _settle(part, n_states, scratch)
        else:
            out[:, resolution] = out[:, resolution - 1]


@kernel
def _count_block(
    codes: NDArray[Any],
    zero: NDArray[np.uint64],
    known: NDArray[np.uint64],
    offset: NDArray[np.bool_],
    bits: int,
    middle: int,
    labels: NDArray[np.uint32],
    order: NDArray[np.int64],
    ends: NDArray[np.int64],
    out: NDArray[np.int64],
) -> None:
    """Fill the spectra of snapshot after snapshot, (4, block, resolution, entry).

    Where there is a `middle` resolution, it comes first. What is coarser is made of its states,
    which may be few, and what is finer by splitting them.
    """
    n_samples, n_units = codes.shape[1:]
    n_bytes, n_words = zero.shape[1:]
    planes = np.empty((n_samples, n_bytes + 1, n_words), np.uint64)
    memory, unlike = planes.view(np.uint8), np.empty(n_bytes, np.uint64)
    part, merged = _new_list(n_samples, len(ends)), _new_list(n_samples, len(ends))
    states, cells, cell_ends, settled = part
    scratch = _new_scratch(n_samples, (n_words + 11) // 8)
    ones = np.ones(n_samples, np.int32)
    for b in range(len(labels)):
        n_states, first = _list_states(labels[b], states), 0
        of_samples = labels[b][order].astype(np.int32)
        _gather_cells(of_samples, ones, ends, scratch[4], cells, cell_ends)
        settled[:] = 0
        _fill_planes(codes[b], zero[b], states[1, :n_states], memory, planes, unlike)
        grid = (planes, unlike, known[b], offset[b], bits)
        if middle > 0:
            _read_first_keys(planes, states[:, :n_states], bits, n_units, middle, scratch[0])
            n_groups = _write_split(part, n_states, 1, scratch, out[:, b, middle])
            _merge(part, n_groups, scratch, merged)
            n_states, first = _settle(part, n_states, scratch), middle + 1
            _descend(grid, (0, middle), merged, n_groups, scratch, out[:, b])
        _descend(grid, (first, bits + 1), part, n_states, scratch, out[:, b])


@kernel
def _new_list(n_samples: int, n_classes: int) -> Any:
    """Make room for a list of states: they, their cells by class, and what is settled of them."""
    states = np.empty((4, n_samples), np.int32)
    cells, cell_ends = np.empty((2, n_samples), np.int32), np.empty(n_classes, np.int64)
    return states, cells, cell_ends, np.empty((2, n_samples + 1), np.int32)


@kernel
def _new_scratch(n_samples: int, n_key: int) -> Any:
    """Make room for keys, the table and the groups that they are split into, and histograms."""
    size = 4
    while size < 2 * n_samples:
        size *= 2
    return (
        np.empty((n_samples, n_key), np.uint64),
        np.empty(size, np.int32),
        np.empty((3, n_samples), np.int32),
        np.empty(n_samples, np.int32),
        np.zeros(n_samples, np.int32),
        np.zeros((2, n_samples + 1), np.int32),
    )
