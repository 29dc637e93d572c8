"""Counting the states of a layer at every resolution of its codes, cut as in `cut_codes`.

The bits of all units make a key: first the coarsest bit of every unit, then the next. States that
agree up to a resolution have keys that agree up to there, so that in one order of the keys the
states of every resolution are runs, which end where neighbours first differ.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.kernels.counts import Spectrum, validate_labels
from ibtools.analysis.kernels.cut_codes import Levels
from ibtools.kernel import kernel

_MOST_LEVELS = 9
"""Bits of one unit that a word of a key may have: all of a code of eight bits, and its sign."""

_SMALL = 24
"""Keys that are sorted by insertion; more are parted by their leading bits first."""

_MOST_BITS = 11
"""Leading bits that keys are parted by at once, at the most."""

_SAME = np.int32(127)
"""Above all resolutions: samples of one state never differ."""


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
        The states at the full resolution, 0 to the number of states - 1 in order of first
        appearance, as from `ibtools.partition.partition_block`.
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
    Keys are made and compared a word at a time, and further words of states only that agree so far.
    Then the runs of a resolution are joined from those of the next finer one.

    Examples
    --------
    >>> levels = Levels(np.arange(4, dtype=np.uint8).reshape(1, 4, 1), np.array([[0]]), bits=2)
    >>> states, _, _ = resolution_spectra(levels, np.arange(4)[None], np.array([0, 0, 1, 1]), 2)
    >>> states.cells.sum(axis=-1).tolist(), states.counts.max(axis=-1).tolist()
    ([[2, 3, 4]], [[3, 2, 1]])
    """
    validate_labels(labels, y, y.size, n_classes)
    n_snapshots, n_samples, n_units = levels.codes.shape
    n_entries = int(np.sqrt(2 * n_samples)) + 1
    out = np.zeros((4, n_snapshots, levels.bits + 1, n_entries), np.int64)
    known = (levels.zero >= 0) & (levels.zero < 2**levels.bits)
    zero = np.where(known, levels.zero, levels.zero % 2 ** (levels.bits - 1))
    n_levels = max(1, min(64 // n_units, _MOST_LEVELS))
    _count_block(
        np.ascontiguousarray(levels.codes),
        zero,
        np.where(known, -1, 2 ** (levels.bits + 1) - 1),
        levels.bits,
        _spread(n_levels, n_units),
        np.require(labels, np.uint32, ["C"]),
        y.astype(np.int32),
        n_classes,
        out,
    )
    of_class = Spectrum.of(np.bincount(y, minlength=n_classes))
    return Spectrum(out[0], out[1]), of_class, Spectrum(out[2], out[3])


def _spread(n_levels: int, n_units: int) -> NDArray[np.uint64]:
    """Tabulate whole numbers of some bits with room between these for the bits of other units."""
    numbers = np.arange(2**n_levels, dtype=np.uint64)
    spread = np.zeros_like(numbers)
    for place in range(n_levels):
        bit = numbers >> np.uint64(place) & np.uint64(1)
        spread |= bit << np.uint64(place * n_units)
    return spread


@kernel
def _words_of_level(n_units: int) -> int:
    """How many words one bit of every unit takes."""
    return (n_units + 63) // 64


@kernel
def _read_words(
    codes: NDArray[Any],
    grid: Any,
    word: int,
    order: NDArray[np.int32],
    first: NDArray[np.int32],
    keys: NDArray[np.uint64],
) -> None:
    """Make one word of the keys of some states.

    Its numbers are zero less code, of which -T_r are the leading bits. Where they have a bit more
    than their sign needs, that is what `kept` leaves of it: 0 of units whose zero is no code, which
    are always on, or never.
    """
    zero, kept, spread, _, n_levels, n_numbers = grid
    n_units = codes.shape[1]
    n_parts = _words_of_level(n_units)
    begin, end = 64 * (word % n_parts), min(64 * (word % n_parts) + 64, n_units)
    # What is left of the last word is 0: numbers are shifted up to fill it.
    up = -n_numbers % n_levels
    down = n_numbers + up - (word // n_parts + 1) * n_levels
    mask = np.int64(len(spread) - 1)
    for i in range(len(order)):
        # Indices are unsigned, or numba would look at each whether it counts from the end.
        sample = np.uint64(first[np.uint64(order[i])])
        key = np.uint64(0)
        for unit in range(np.uint64(begin), np.uint64(end)):
            number = (zero[unit] - np.int64(codes[sample, unit])) & kept[unit]
            key = (key << np.uint64(1)) | spread[np.uint64(((number << up) >> down) & mask)]
        keys[i] = key


@kernel
def _leading_bit(number: np.uint64) -> np.int64:
    """Return the place of the leading bit of a number above 0.

    It is the exponent of a float, which is not rounded up where the next bit is 0.
    """
    return (np.float64(number & ~(number >> np.uint64(1))).view(np.int64) >> 52) - 1023


@kernel
def _resolution(unlike: np.uint64, word: int, n_units: int, grid: Any, bits: int) -> int:
    """Return the resolution from which on two keys differ, of what differs in one of their words.

    Where numbers have a bit more, resolution 1 has two of them.
    """
    _, _, _, level_of_bit, n_levels, n_numbers = grid
    level = word // _words_of_level(n_units) * n_levels + level_of_bit[_leading_bit(unlike)]
    return int(level - 1) if n_numbers > bits + 1 and level > 1 else int(level)


@kernel
def _insert(keys: NDArray[np.uint64], order: NDArray[np.int32]) -> None:
    """Sort a few keys, and the states that have them."""
    for i in range(1, len(keys)):
        key = keys[i]
        if keys[i - 1] <= key:
            continue
        state, place = order[i], np.uint64(i)
        while place > 0 and keys[place - np.uint64(1)] > key:
            keys[place] = keys[place - np.uint64(1)]
            order[place] = order[place - np.uint64(1)]
            place -= np.uint64(1)
        keys[place], order[place] = key, state


@kernel
def _deal(
    keys: NDArray[np.uint64],
    order: NDArray[np.int32],
    bits: tuple[int, int],
    dealt: tuple[NDArray[np.uint64], NDArray[np.int32]],
    places: NDArray[np.int32],
) -> int:
    """Order keys, and the states that have them, by some bits: from which one on, how many.

    Returns how many keys agree in these bits, at the most.
    """
    shift, n_digits = np.uint64(bits[0]), 1 << bits[1]
    mask = np.uint64(n_digits - 1)
    places[:n_digits] = 0
    for key in keys:
        places[(key >> shift) & mask] += 1
    total, largest = 0, 0
    for digit in range(n_digits):
        largest = max(largest, places[digit])
        total, places[digit] = total + places[digit], total
    dealt_keys, dealt_order = dealt
    for i in range(len(keys)):
        key = keys[i]
        digit = (key >> shift) & mask
        place = np.uint64(places[digit])
        dealt_keys[place], dealt_order[place] = key, order[i]
        places[digit] += 1
    keys[:], order[:] = dealt_keys[: len(keys)], dealt_order[: len(keys)]
    return largest


@kernel
def _sort_states(
    codes: NDArray[Any],
    grid: Any,
    bits: int,
    first: NDArray[np.int32],
    n_states: int,
    scratch: Any,
) -> None:
    """Order the states by their keys, and note the resolution from which on neighbours differ.

    What is left to do is on a list: the states from one place to another, the word by which they
    are to be ordered, and of how many of its last bits; of none, it is the next word.
    """
    order, differ, keys, dealt, places, todo = scratch
    n_units, n_levels, n_numbers = codes.shape[1], grid[4], grid[5]
    n_words = -(-n_numbers // n_levels) * _words_of_level(n_units)
    for i in range(n_states):
        order[i] = i
    todo[0, 0], todo[0, 1], todo[0, 2], todo[0, 3] = 0, n_states, -1, 0
    differ[0], n_todo = 0, 1
    while n_todo > 0:
        n_todo -= 1
        start, end = todo[n_todo, 0], todo[n_todo, 1]
        word, left = todo[n_todo, 2], todo[n_todo, 3]
        own_keys, own_order = keys[start:end], order[start:end]
        if left == 0 and word + 1 == n_words:
            differ[start + 1 : end] = bits  # codes of more bits than are said, of a damaged store
            continue
        if left == 0:
            word, left = word + 1, n_levels * min(n_units, 64)
            _read_words(codes, grid, word, own_order, first, own_keys)
        largest = end - start
        if largest > _SMALL:
            width = 4
            while width < _MOST_BITS and 2 << width < end - start:
                width += 1
            left = max(left - width, 0)
            largest = _deal(own_keys, own_order, (left, width), dealt, places)
        if largest <= _SMALL and left > 0:
            _insert(own_keys, own_order)
            left = 0
        shift, begin = np.uint64(left), start
        for i in range(start + 1, end + 1):
            if i < end and keys[i] >> shift == keys[i - 1] >> shift:
                continue
            if i - begin > 1:
                todo[n_todo, 0], todo[n_todo, 1], todo[n_todo, 2] = begin, i, word
                todo[n_todo, 3] = left
                n_todo += 1
            if i < end:
                differ[i] = _resolution(keys[i] ^ keys[i - 1], word, n_units, grid, bits)
            begin = i


@kernel
def _list_states(
    labels: NDArray[np.uint32], first: NDArray[np.int32], sizes: NDArray[np.int32]
) -> int:
    """List the first sample and the samples of every state; returns how many states there are."""
    n_states = 0
    for sample in range(len(labels)):
        label = labels[sample]
        if label == n_states:
            first[label], sizes[label] = sample, 0
            n_states += 1
        sizes[label] += 1
    return n_states


@kernel
def _list_samples(
    labels: NDArray[np.uint32],
    y: NDArray[np.int32],
    sizes: NDArray[np.int32],
    ends: NDArray[np.int32],
    samples: NDArray[np.int32],
) -> None:
    """List the classes of the samples of one state after the other, and where each state ends."""
    total = 0
    for before in range(len(ends)):
        ends[before] = total
        total += sizes[before]
    for sample in range(len(labels)):
        state = np.uint64(labels[sample])
        samples[np.uint64(ends[state])] = y[sample]
        ends[state] += 1


@kernel
def _list_runs(
    labels: NDArray[np.uint32],
    y: NDArray[np.int32],
    n_of_class: NDArray[np.int64],
    order: NDArray[np.int32],
    state_sizes: NDArray[np.int32],
    state_differ: NDArray[np.int32],
    lists: Any,
) -> None:
    """List the states in their order, and behind them the samples of class after class.

    Each is as large as `sizes` says, and differs from the one before it from the resolution on that
    `differ` says; the first of a list from 0 on. Samples of a class differ where a state between
    theirs does.
    """
    differ, sizes, state_ends, samples, ends, least = lists
    n_states = len(order)
    if n_states == len(labels):  # states are numbered as they appear: that of sample i is i
        samples[:n_states] = y
        state_ends[:n_states] = np.arange(1, n_states + 1)
    else:
        _list_samples(labels, y, state_sizes, state_ends[:n_states], samples)
    total = n_states
    for k in range(len(ends)):
        ends[k], least[k] = total, 0
        total += n_of_class[k]
    for place in range(n_states):
        state, begins = np.uint64(order[place]), state_differ[place]
        size, end = state_sizes[state], state_ends[state]
        differ[place], sizes[place] = begins, size
        for k in range(len(ends)):
            least[k] = min(least[k], begins)
        for i in range(np.uint64(end - size), np.uint64(end)):
            c = np.uint64(samples[i])
            cell = np.uint64(ends[c])
            differ[cell], sizes[cell] = least[c], 1
            least[c] = _SAME
            ends[c] += 1


@kernel
def _join_runs(
    n_runs: int, resolution: int, differ: NDArray[np.int32], sizes: NDArray[np.int32]
) -> int:
    """Join runs that do not differ at a resolution; returns how many there are then.

    Without branches: which runs differ can't be predicted.
    """
    n_joined, size, kept = 0, np.int32(0), np.int32(0)
    for run in range(n_runs):
        begins = differ[run] <= resolution
        n_joined += begins
        size = sizes[run] + (np.int32(0) if begins else size)
        kept = differ[run] if begins else kept
        differ[n_joined - 1], sizes[n_joined - 1] = kept, size
    return n_joined


@kernel
def _write_spectrum(
    sizes: NDArray[np.int32], histogram: NDArray[np.int32], out: NDArray[np.int64]
) -> None:
    """Write how often each size occurs, (2, entry); `histogram`, (2, size), stays zero.

    Neighbours are counted apart: equal ones would wait for each other.
    """
    largest = np.int32(0)
    n_pairs = len(sizes) // 2
    for pair in range(n_pairs):
        left, right = sizes[2 * pair], sizes[2 * pair + 1]
        histogram[0, np.uint32(left)] += 1
        histogram[1, np.uint32(right)] += 1
        largest = max(largest, left, right)
    for size in sizes[2 * n_pairs :]:
        histogram[0, size] += 1
        largest = max(largest, size)
    entry = 0
    for size in range(1, largest + 1):
        occurs = histogram[0, size] + histogram[1, size]
        if occurs > 0:
            out[0, entry], out[1, entry] = size, occurs
            histogram[0, size] = histogram[1, size] = 0
            entry += 1


@kernel
def _count_differing(differ: NDArray[np.int32], resolution: int) -> int:
    """Count the runs that are left when those that do not differ at a resolution are joined."""
    n_joined = 0
    for begins in differ:
        n_joined += begins <= resolution
    return n_joined


@kernel
def _write_resolutions(
    n_states: int,
    n_runs: int,
    bits: int,
    differ: NDArray[np.int32],
    sizes: NDArray[np.int32],
    histogram: NDArray[np.int32],
    out: NDArray[np.int64],
) -> None:
    """Write the spectra of one resolution after the other, (4, resolution, entry), finest first."""
    n_samples = n_runs - n_states
    for resolution in range(bits, -1, -1):
        n_joined = _count_differing(differ[:n_states], resolution)
        if n_joined == n_samples:  # every sample has a state of its own
            out[::2, resolution, 0], out[1::2, resolution, 0] = 1, n_joined
            continue
        if resolution < bits and n_joined == n_states:
            out[:, resolution] = out[:, resolution + 1]
            continue
        n_runs = _join_runs(n_runs, resolution, differ, sizes)
        n_states = n_joined
        _write_spectrum(sizes[:n_states], histogram, out[:2, resolution])
        _write_spectrum(sizes[n_states:n_runs], histogram, out[2:, resolution])


@kernel
def _count_block(
    codes: NDArray[Any],
    zero: NDArray[np.int64],
    kept: NDArray[np.int64],
    bits: int,
    spread: NDArray[np.uint64],
    labels: NDArray[np.uint32],
    y: NDArray[np.int32],
    n_classes: int,
    out: NDArray[np.int64],
) -> None:
    """Fill the spectra of snapshot after snapshot, (4, block, resolution, entry)."""
    n_samples = codes.shape[1]
    n_levels = 0
    while 1 << n_levels < len(spread):
        n_levels += 1
    level_of_bit = n_levels - 1 - np.arange(64) // min(codes.shape[2], 64)
    first, state_sizes = np.empty(n_samples, np.int32), np.empty(n_samples, np.int32)
    order, state_differ = np.empty(n_samples, np.int32), np.empty(n_samples, np.int32)
    differ, sizes = np.empty(2 * n_samples, np.int32), np.empty(2 * n_samples, np.int32)
    state_ends, samples = np.empty(n_samples, np.int32), np.empty(n_samples, np.int32)
    lists = (
        differ,
        sizes,
        state_ends,
        samples,
        np.empty(n_classes, np.int64),
        np.empty(n_classes, np.int32),
    )
    histogram = np.zeros((2, n_samples + 1), np.int32)
    dealt = np.empty(n_samples, np.uint64), np.empty(n_samples, np.int32)
    scratch = (
        order,
        state_differ,
        np.empty(n_samples, np.uint64),
        dealt,
        np.empty(1 << _MOST_BITS, np.int32),
        np.empty((n_samples // 2 + 1, 4), np.int64),
    )
    n_of_class = np.zeros(n_classes, np.int64)
    for c in y:
        n_of_class[c] += 1
    for b in range(len(labels)):
        n_states = _list_states(labels[b], first, state_sizes)
        n_numbers = bits + 1 if (kept[b] == -1).all() else bits + 2
        grid = zero[b], kept[b], spread, level_of_bit, n_levels, n_numbers
        _sort_states(codes[b], grid, bits, first, n_states, scratch)
        own_order = order[:n_states]
        _list_runs(labels[b], y, n_of_class, own_order, state_sizes, state_differ, lists)
        n_runs = n_states + n_samples
        _write_resolutions(n_states, n_runs, bits, differ, sizes, histogram, out[:, b])
