from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import as_strided

from ibtools import partition as module
from ibtools.partition import partition, partition_block
from tests.analysis.oracle import slow_partition
from tests.analysis.strategies import symbol_arrays


def assert_partition_is_right(symbols):
    labels, n_states = partition(symbols)
    expected, expected_states = slow_partition(symbols)
    assert labels.dtype == np.uint32
    assert labels.tolist() == expected.tolist()
    assert n_states == expected_states


def test_partition__labels_in_order_of_first_appearance():
    labels, n_states = partition(np.array([[9, 1], [2, 2], [9, 1], [0, 0]], dtype=np.uint16))
    assert labels.tolist() == [0, 1, 0, 2]
    assert n_states == 3


@given(symbol_arrays())
def test_partition__equals_dictionary(symbols):
    assert_partition_is_right(symbols)


@pytest.mark.parametrize("n_bytes", [1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 64, 338])
def test_partition__every_byte_of_a_row_counts(n_bytes):
    rows = np.zeros((n_bytes * 8 + 1, n_bytes), dtype=np.uint8)
    bits = np.unpackbits(rows, axis=1)
    bits[np.arange(n_bytes * 8), np.arange(n_bytes * 8)] = 1
    rows = np.packbits(bits, axis=1)
    assert partition(rows)[1] == len(rows)
    assert_partition_is_right(np.concatenate([rows, rows[::-1]]))


@pytest.mark.parametrize("n_units", [1, 2, 5, 10, 40])
@pytest.mark.parametrize("n_levels", [1, 2, 256])
def test_partition__realistic_sizes(n_units, n_levels):
    symbols = np.random.default_rng(n_units).integers(0, n_levels, (5000, n_units), np.uint8)
    assert_partition_is_right(symbols)


def test_partition__all_different():
    symbols = np.arange(70_000, dtype=np.uint32)[:, np.newaxis]
    labels, n_states = partition(symbols)
    assert n_states == 70_000
    np.testing.assert_array_equal(labels, np.arange(70_000))


def test_partition__constant():
    labels, n_states = partition(np.full((1000, 12), 7, dtype=np.uint8))
    assert n_states == 1
    assert not labels.any()


@pytest.mark.parametrize("n_units", [1, 2, 3, 8, 20])
def test_partition__one_sample(n_units):
    assert_partition_is_right(np.full((1, n_units), 3, dtype=np.uint8))


@pytest.mark.parametrize("n_bytes", [3, 8, 10, 40])
def test_label_hashed__all_hashes_collide(n_bytes):
    rows = np.random.default_rng(0).integers(0, 2, (300, n_bytes), np.uint8)
    labels, first = np.empty(300, np.uint32), np.empty(300, np.int64)
    table, hashes = np.zeros(1024, np.uint64), np.full(300, 2**64 - 1, np.uint64)
    memory = as_strided(rows, (rows.size,), (1,), writeable=False)
    n_states = module._label_hashed(
        memory, 0, n_bytes, n_bytes, labels, hashes, table, np.uint64(1), first
    )
    expected, expected_states = slow_partition(rows)
    np.testing.assert_array_equal(labels, expected)
    assert n_states == expected_states


def invert_hash(hashes):
    """The rows of eight bytes that have these hashes."""

    def unshift(x):
        return x ^ (x >> np.uint64(32))

    def divide(x, factor):
        return x * np.uint64(pow(int(factor), -1, 2**64))

    mixed = unshift(divide(unshift(hashes), module._P2))
    return divide(unshift(mixed), module._P1) ^ module._P3


def test_partition__rows_made_to_collide():
    """Different rows that agree in the table entry they start from and in the tag."""
    wanted = np.arange(500, dtype=np.uint64) << np.uint64(32)
    rows, found = invert_hash(wanted)[:, np.newaxis], np.empty_like(wanted)
    memory = as_strided(rows.view(np.uint8), (rows.nbytes,), (1,), writeable=False)
    module._hash_rows(memory, 0, 8, 8, found)
    np.testing.assert_array_equal(found, wanted)
    assert_partition_is_right(np.concatenate([rows, rows[::-1]]))


@given(symbol_arrays(), st.integers(1, 5), st.randoms())
def test_partition_block__equals_one_by_one(symbols, n_snapshots, random):
    orders = [random.sample(range(len(symbols)), len(symbols)) for _ in range(n_snapshots)]
    labels, n_states = partition_block(symbols[np.array(orders)])
    for b, order in enumerate(orders):
        expected, expected_states = partition(symbols[order])
        np.testing.assert_array_equal(labels[b], expected)
        assert n_states[b] == expected_states


@pytest.mark.parametrize("n_units", [2, 5])
def test_partition_block__table_is_cleared_when_entries_run_out(monkeypatch, n_units):
    monkeypatch.setattr(module, "_MAX_ENTRY", 450)
    symbols = np.random.default_rng(1).integers(0, 9, (20, 200, n_units), np.uint8)
    labels, _ = partition_block(symbols)
    for b in range(20):
        np.testing.assert_array_equal(labels[b], slow_partition(symbols[b])[0])


LAYOUTS = {
    "padded": lambda wide: wide[:, :, :5],
    "padded, one unit": lambda wide: wide[:, :, :1],
    "padded, not from the first": lambda wide: wide[:, :, 3:7],
    "every second sample": lambda wide: wide[:, ::2],
    "reversed samples": lambda wide: wide[:, ::-1, :6],
    "every second unit": lambda wide: wide[:, :, ::2],
    "one unit of every second": lambda wide: wide[:, :, :2:2],
    "unit first": lambda wide: np.moveaxis(np.ascontiguousarray(np.moveaxis(wide, 2, 1)), 1, 2),
    "the same snapshot again": lambda wide: np.broadcast_to(wide[0], wide.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint32])
def test_partition_block__any_memory_layout(layout, dtype):
    wide = np.random.default_rng(2).integers(0, 2, (3, 90, 20)).astype(dtype)
    wide.setflags(write=False)
    symbols = LAYOUTS[layout](wide)
    labels, n_states = partition_block(symbols)
    for b in range(3):
        expected, expected_states = slow_partition(symbols[b])
        np.testing.assert_array_equal(labels[b], expected)
        assert n_states[b] == expected_states


def test_partition_block__no_snapshot():
    labels, n_states = partition_block(np.empty((0, 7, 20), np.uint8)[:, :, :3])
    assert labels.shape == (0, 7)
    assert n_states.shape == (0,)


def test_partition_block__many_threads_at_once():
    symbols = np.random.default_rng(3).integers(0, 3, (16, 20, 500, 6), np.uint8)
    with ThreadPoolExecutor(8) as pool:
        threaded = list(pool.map(partition_block, symbols))
    for block, (labels, n_states) in zip(symbols, threaded, strict=True):
        expected, expected_states = partition_block(block)
        np.testing.assert_array_equal(labels, expected)
        np.testing.assert_array_equal(n_states, expected_states)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_partition__nothing_to_label(shape):
    with pytest.raises(ValueError, match="found 0"):
        partition(np.empty(shape, dtype=np.uint8))


def test_partition__wrong_dims():
    with pytest.raises(ValueError, match=r"must be \(sample, unit\), found shape \(3,\)"):
        partition(np.zeros(3, dtype=np.uint8))
    with pytest.raises(ValueError, match=r"must be \(block, sample, unit\)"):
        partition_block(np.zeros((3, 2), dtype=np.uint8))


@pytest.mark.parametrize("dtype", [np.int64, np.float32, bool])
def test_partition__wrong_dtype(dtype):
    with pytest.raises(TypeError, match="must be unsigned integers"):
        partition(np.zeros((3, 2), dtype=dtype))


@settings(max_examples=25)
@given(symbol_arrays(), st.randoms())
def test_partition__permuting_units_changes_nothing(symbols, random):
    """Equality of rows does not depend on the order of units."""
    units = random.sample(range(symbols.shape[1]), symbols.shape[1])
    np.testing.assert_array_equal(partition(symbols)[0], partition(symbols[:, units])[0])
