import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibtools.recorders.training.seeds import SeedStreams

words = st.integers(0, 2**32 - 1)
epochs = st.integers(-(2**31), 2**31 - 1)


@given(st.integers(0, 2**128 - 1), words, words, epochs, st.integers(0, 300))
def test_batch_order__is_a_reproducible_permutation(base, repeat, attempt, epoch, n):
    order = SeedStreams(base, repeat, attempt).batch_order(epoch, n)
    assert order.dtype == np.int64
    assert np.array_equal(np.sort(order), np.arange(n))
    assert np.array_equal(order, SeedStreams(base, repeat, attempt).batch_order(epoch, n))


def test_batch_order__differs_in_every_part_of_its_address():
    grid = itertools.product((0, 1, 2**32), (0, 1, 2), (0, 1, 2), (-2, -1, 0, 1, 2))
    orders = {SeedStreams(*key).batch_order(epoch, 50).tobytes() for *key, epoch in grid}
    assert len(orders) == 3 * 3 * 3 * 5


def test_batch_order__is_uniform_over_positions():
    seeds = SeedStreams(0, 0)
    orders = np.array([seeds.batch_order(epoch, 10) for epoch in range(1, 2001)])
    counts = np.array([np.bincount(orders[:, i], minlength=10) for i in range(10)])
    assert np.abs(counts - 200).max() < 5 * np.sqrt(200)


def test_batch_order__stays_as_it_is_across_versions():
    assert SeedStreams(0, 3).batch_order(epoch=1, n=5).tolist() == [3, 0, 2, 1, 4]


def test_model__differs_between_streams_and_fits_31_bits():
    seeds = [SeedStreams(*key).model for key in itertools.product(range(3), range(10), range(3))]
    assert len(set(seeds)) == 90
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert SeedStreams(0, 3).model == 353818658


def test_label_order__is_fixed_and_differs_between_repeats():
    orders = [SeedStreams(0, repeat).label_order(6).tolist() for repeat in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[2]) == list(range(6))
    assert orders[0] != SeedStreams(0, 0).batch_order(0, 6).tolist()


@pytest.mark.parametrize("key", [(-1, 0, 0), (2**128, 0, 0), (0, -1, 0), (0, 2**32, 0), (0, 0, -1)])
def test_seed_streams__refuses_what_could_coincide(key):
    with pytest.raises(ValueError, match=r"(base|repeat|attempt) must be at least 0 and below"):
        SeedStreams(*key)
