"""Layers batch by batch, whatever the framework: what is checked, and how they are joined."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from ibtools.errors import GridError, InputError, StoreError
from ibtools.recorders.capture.batches import Advice, TakenLayers
from ibtools.recorders.capture.quantiser_grid import QuantiserGrid

ADVICE = Advice("; not called", "called again", "; no samples", "off the grid")
NAMES = {"inner": "hidden"}


def grid(scale: float) -> QuantiserGrid:
    return QuantiserGrid(np.array(scale, np.float32), np.array(0), 8, 0)


def take(values: Any, *, batch_size: int | None = 2, grids: Sequence[QuantiserGrid] = ()) -> Any:
    """Take one layer that returns these values."""
    array, taken = np.asarray(values), TakenLayers(NAMES, ADVICE)
    taken.run(len(array), batch_size, lambda batch: taken.take("inner", array[batch], grids))
    return taken.whole()["hidden"]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 5, 9, None])
def test_taken__values_are_the_same_in_any_batches(batch_size: int | None):
    values = np.arange(15, dtype="float32").reshape(5, 3)
    np.testing.assert_array_equal(take(values, batch_size=batch_size).values, values)
    coded = take(values, batch_size=batch_size, grids=[grid(0.5)])
    assert (coded.values.dtype, coded.scale, coded.bits) == (np.uint8, 0.5, 8)
    np.testing.assert_array_equal(coded.values, 2 * values)


def test_taken__values_are_copied():
    array, taken = np.zeros((2, 3), "float32"), TakenLayers(NAMES, ADVICE)

    def evaluate(batch: slice) -> None:
        taken.take("inner", array, ())
        array[:] = 1  # a later layer works in place

    taken.run(2, None, evaluate)
    assert not taken.whole()["hidden"].values.any()


def test_taken__the_grid_is_the_first_that_holds_all_batches():
    """Zeros are on any: a later batch tells on which grid a layer is."""
    values = np.float32([[0], [0], [0.5], [1]])
    coded = take(values, grids=[grid(1.0), grid(0.5)])
    assert coded.scale == 0.5
    np.testing.assert_array_equal(coded.values, [[0], [0], [1], [2]])


def test_taken__the_error_is_of_the_first_grid():
    values = np.float32([[1], [1], [0.5], [0.25]])
    with pytest.raises(
        GridError, match=r"on the grid 1\.0 .* sample 2, .*; off the grid: values=\['hidden'\]"
    ):
        take(values, grids=[grid(1.0), grid(0.5)])


def test_taken__a_grid_of_each_batch_is_refused():
    taken, scales = TakenLayers(NAMES, ADVICE), iter((1.0, 0.5))

    def evaluate(batch: slice) -> None:
        taken.take("inner", np.zeros((2, 1), "float32"), [grid(next(scales))])

    with pytest.raises(GridError, match="'hidden' must be on one grid, whatever the batch"):
        taken.run(4, 2, evaluate)


@pytest.mark.parametrize("n_calls", [0, 2])
def test_taken__layers_are_called_once(n_calls: int):
    taken = TakenLayers(NAMES, ADVICE)

    def evaluate(batch: slice) -> None:
        for _ in range(n_calls):
            taken.take("inner", np.zeros((2, 1), "float32"), ())

    expected = {0: "but is not; not called", 2: "is called 2 times: called again"}[n_calls]
    with pytest.raises(InputError, match=expected):
        taken.run(2, None, evaluate)


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        (np.zeros((4, 2), "int64"), InputError, "return floats, found int64"),
        (np.float32([[0], [0], [0], [np.nan]]), StoreError, "no NaN, found one at sample 3, unit"),
    ],
)
def test_taken__says_what_is_wrong(values: Any, error: type[Exception], message: str):
    with pytest.raises(error, match=f"layer 'hidden' must .*{message}"):
        take(values)


def test_taken__of_other_samples_is_refused():
    taken = TakenLayers(NAMES, ADVICE)
    with pytest.raises(InputError, match=r"the 2 samples .* found shape \(3, 1\); no samples"):
        taken.run(2, None, lambda batch: taken.take("inner", np.zeros((3, 1), "f4"), ()))


def test_taken__samples_are_one_unit():
    assert take(np.zeros(4, "float32")).values.shape == (4, 1)
