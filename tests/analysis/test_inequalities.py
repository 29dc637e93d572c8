"""Laws of information: the docstring of a test is the law, which holds in floating point."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ibtools.analysis.kernels.information import (
    conditional_entropy,
    entropy,
    mutual_information,
    rounding_bound,
)

TABLES = hnp.arrays(
    np.int64,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=8),
    elements=st.sampled_from([0, 0, 1, 1, 2, 3, 5, 12, 1000]) | st.integers(0, 70_000),
).filter(np.any)


def h_t(table):
    return entropy(table.sum(axis=1))


def h_y(table):
    return entropy(table.sum(axis=0))


@given(TABLES)
def test_mutual_information__bounds(table):
    """0 <= I(T;Y) <= min(H(T), H(Y))"""
    assert 0.0 <= mutual_information(table) <= min(h_t(table), h_y(table))


@given(TABLES)
def test_entropy__at_most_that_of_the_samples(table):
    """0 <= H(T) <= H(X) = log2 N"""
    n_samples = table.sum()
    h_x = entropy(np.ones(n_samples, dtype=np.int64)) if n_samples < 10_000 else np.log2(n_samples)
    assert 0.0 <= h_t(table) <= h_x


@given(TABLES)
def test_entropy__at_most_that_of_equal_states(table):
    """H(T) <= log2 K"""
    n_states = np.count_nonzero(table.sum(axis=1))
    assert h_t(table) <= np.log2(n_states) + rounding_bound(int(table.sum()))


@given(TABLES)
def test_mutual_information__symmetric(table):
    """I(T;Y) = I(Y;T), to the last bit"""
    assert mutual_information(table) == mutual_information(table.T)


@given(TABLES)
def test_mutual_information__chain_rule(table):
    """I(T;Y) = H(T) - H(T|Y) = H(Y) - H(Y|T) and H(T,Y) = H(Y) + H(T|Y)"""
    bound = 2 * rounding_bound(int(table.sum()))
    information = mutual_information(table)
    assert abs(information - (h_t(table) - conditional_entropy(table))) <= bound
    assert abs(information - (h_y(table) - conditional_entropy(table.T))) <= bound
    assert abs(entropy(table) - (h_y(table) + conditional_entropy(table))) <= bound


@given(TABLES)
def test_conditional_entropy__bounds(table):
    """0 <= H(T|Y) <= H(T), the upper bound up to rounding"""
    bound = rounding_bound(int(table.sum()))
    assert 0.0 <= conditional_entropy(table) <= h_t(table) + bound


@given(TABLES, st.data())
def test_mutual_information__relabelling(table, data):
    """Permuting states or classes changes no bit."""
    states = data.draw(st.permutations(range(table.shape[0])))
    classes = data.draw(st.permutations(range(table.shape[1])))
    permuted = table[states][:, classes]
    assert mutual_information(permuted) == mutual_information(table)
    assert conditional_entropy(permuted) == conditional_entropy(table)
    assert h_t(permuted) == h_t(table)


@given(TABLES, st.data())
def test_mutual_information__data_processing(table, data):
    """T' = f(T): H(T') <= H(T) and I(T';Y) <= I(T;Y), the latter up to rounding"""
    f = data.draw(st.lists(st.integers(0, 7), min_size=len(table), max_size=len(table)))
    merged = np.zeros((8, table.shape[1]), dtype=np.int64)
    np.add.at(merged, f, table)
    assert h_t(merged) <= h_t(table)
    bound = 2 * rounding_bound(int(table.sum()))
    assert mutual_information(merged) <= mutual_information(table) + bound


@given(TABLES)
def test_mutual_information__all_of_the_label(table):
    """I(T;Y) = H(Y) exactly when no state of T mixes classes"""
    mixes = (np.count_nonzero(table, axis=1) > 1).any()
    if mixes:
        assert mutual_information(table) < h_y(table)
    else:
        assert mutual_information(table) == h_y(table)


@given(TABLES)
def test_mutual_information__all_of_the_state(table):
    """I(T;Y) = H(T) exactly when T is a function of Y"""
    assert (mutual_information(table) == h_t(table)) == (np.count_nonzero(table, axis=0) <= 1).all()


@given(hnp.arrays(np.int64, (1, 5), elements=st.integers(0, 70_000)).filter(np.any))
def test_mutual_information__constant_layer(table):
    """A constant layer has exactly 0 bits."""
    assert h_t(table) == 0.0
    assert mutual_information(table) == 0.0


@given(TABLES)
def test_entropy__a_variable_state_has_some(table):
    """H(T) = 0 exactly when T is constant"""
    assert (h_t(table) == 0.0) == (np.count_nonzero(table.sum(axis=1)) == 1)
