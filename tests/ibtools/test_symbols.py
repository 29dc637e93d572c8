import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ibtools.partition import partition
from ibtools.store.symbols import code_symbols, float_symbols, softmax_symbols

CODES = hnp.arrays(
    st.sampled_from([np.uint8, np.uint16]), hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)
)


def test_code_symbols__are_the_codes():
    code = np.array([[0, 255]], dtype=np.uint8)
    assert code_symbols(code) is code


@pytest.mark.parametrize("function", [code_symbols, softmax_symbols])
def test_code_symbols__signed_or_float_codes(function):
    with pytest.raises(TypeError, match="found int64"):
        function(np.array([[1]]))
    with pytest.raises(TypeError, match="found float32"):
        function(np.array([[1]], dtype=np.float32))


@given(CODES)
def test_softmax_symbols__equal_codes_minus_maximum(code):
    wide = code.astype(np.int64)
    symbols = softmax_symbols(code)
    assert symbols.dtype == code.dtype
    np.testing.assert_array_equal(-symbols.astype(np.int64), wide - wide.max(axis=1, keepdims=True))


@given(CODES, st.data())
def test_softmax_symbols__shift_of_a_row_changes_nothing(code, data):
    """softmax(z + c) = softmax(z)."""
    room = np.iinfo(code.dtype).max - code.max(axis=1, keepdims=True)
    shift = data.draw(hnp.arrays(np.float64, room.shape, elements=st.floats(0, 1)))
    shifted = code + (shift * room).astype(code.dtype)
    np.testing.assert_array_equal(softmax_symbols(code), softmax_symbols(shifted))


def test_softmax_symbols__merge_what_softmax_merges():
    """Two rows of logits have one softmax if and only if they have one symbol."""
    code = np.random.default_rng(0).integers(0, 6, (300, 3), np.uint8)
    difference = code.astype(np.int64) - code[:, :1]
    expected = np.unique(difference, axis=0, return_inverse=True)[1]
    labels, n_states = partition(softmax_symbols(code))
    assert n_states == expected.max() + 1 < partition(code)[1]
    assert len(set(zip(labels.tolist(), expected.tolist(), strict=True))) == n_states


def test_softmax_symbols__are_of_a_softmax_that_does_not_round():
    """One that is computed in float32 splits some states, and merges others."""

    def rows(logits: list[list[float]]) -> int:
        exp = np.exp(np.float32(logits) - np.max(logits, axis=1, keepdims=True).astype(np.float32))
        return len(np.unique(exp / exp.sum(axis=1, keepdims=True), axis=0))

    step = np.float32(0.1)
    shifted = np.add.outer(np.arange(200, dtype=np.uint8), np.array([0, 7, 3], np.uint8))
    assert len(np.unique(softmax_symbols(shifted), axis=0)) == 1 < rows(step * shifted)
    far = np.array([[0, 110], [0, 120]], np.uint8)
    assert len(np.unique(softmax_symbols(far), axis=0)) == 2 > rows(far.tolist())


def test_symbols__keep_leading_dims():
    code = np.random.default_rng(1).integers(0, 255, (2, 3, 4, 5), np.uint8)
    assert softmax_symbols(code).shape == code.shape
    np.testing.assert_array_equal(softmax_symbols(code)[1, 2], softmax_symbols(code[1, 2]))
    assert float_symbols(code.astype(np.float32)).shape == code.shape


FLOATS = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=9),
    elements=st.floats(width=32, allow_nan=False) | st.sampled_from([0.0, -0.0, np.inf, 1e-45]),
)


@given(FLOATS)
def test_float_symbols__equal_where_values_are_equal(values):
    symbols = float_symbols(values)
    assert symbols.dtype == np.uint32
    flat, flat_symbols = values.ravel(), symbols.ravel()
    np.testing.assert_array_equal(
        flat[:, np.newaxis] == flat, flat_symbols[:, np.newaxis] == flat_symbols
    )


def test_float_symbols__leave_the_values_alone():
    values = np.array([[-0.0]], dtype=np.float32)
    float_symbols(values)
    assert np.signbit(values[0, 0])


def test_float_symbols__nan():
    values = np.zeros((2, 5, 3), dtype=np.float32)
    values[1, 4, 2] = np.nan
    with pytest.raises(ValueError, match=r"sample 4, unit 2 \(1 in all\)"):
        float_symbols(values)


def test_float_symbols__wrong_dtype():
    with pytest.raises(TypeError, match="must be float32, found float64"):
        float_symbols(np.zeros((2, 2)))


@given(CODES)
def test_partition__is_that_of_a_dictionary_of_rows(code):
    seen: dict[bytes, int] = {}
    expected = [seen.setdefault(row.tobytes(), len(seen)) for row in code]
    found, n_states = partition(code)
    assert found.dtype == np.uint32
    np.testing.assert_array_equal(found, expected)
    assert n_states == len(seen)
