import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ibtools.errors import StoreError
from ibtools.store import inputs
from ibtools.store.inputs import number_inputs


@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.int16, np.uint8, np.bool_]),
        st.tuples(st.integers(1, 30), st.integers(1, 2), st.integers(1, 2)),
        elements=st.sampled_from([0, 1]),
    )
)
def test_number_inputs__equal_exactly_where_rows_are(x):
    found = number_inputs(x)
    assert (np.diff(np.maximum.accumulate(found), prepend=-1) <= 1).all()
    for i, j in np.ndindex(len(x), len(x)):
        assert (found[i] == found[j]) == bool((x[i] == x[j]).all())


def test_number_inputs__floats_by_their_bits_with_one_zero():
    x = np.array([[0.0, 1], [-0.0, 1], [np.nextafter(0.0, 1), 1], [np.inf, 1], [np.inf, 1]])
    assert number_inputs(x).tolist() == [0, 0, 1, 2, 2]
    assert number_inputs(x.astype(">f8")).tolist() == [0, 0, 1, 2, 2]


def test_number_inputs__numbers_are_inputs_too():
    assert number_inputs([7, 2**40, 7]).tolist() == [0, 1, 0]
    assert number_inputs(da.from_array(np.arange(3) // 2, chunks=1)).tolist() == [0, 0, 1]


def test_number_inputs__rows_of_one_hash_are_compared(monkeypatch):
    """Nothing hangs on the hash: if all are the same, only time is lost."""
    x = np.random.default_rng(0).integers(0, 3, (60, 3))
    expected = number_inputs(x)
    monkeypatch.setattr(inputs, "hash", lambda _: 0, raising=False)
    np.testing.assert_array_equal(number_inputs(x), expected)
    assert expected.max() + 1 == len(np.unique(x, axis=0))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([["a"]], r"numbers of at most 64 bits .*, found <U1; number inputs of another kind"),
        (np.zeros((2, 1), complex), "found complex128"),
        (np.zeros((2, 1), "longdouble"), "found float128"),
        ([[np.nan]], "must have no NaN"),
        (3.0, r"a value for each sample .*, found \(\)"),
        (np.zeros((3, 0)), r"found \(3, 0\)"),
        (np.ma.array([1, 2], mask=[True, False]), "found masked values"),
    ],
)
def test_number_inputs__refuses(x, message):
    with pytest.raises(StoreError, match=message):
        number_inputs(x)


def test_number_inputs__samples_of_different_lengths():
    with pytest.raises(StoreError, match="as many values for every sample"):
        number_inputs([[1], [1, 2]])
