"""The samples of a data set as machine code takes them."""

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ibtools.recorders.capture.grid import Grid
from ibtools.recorders.engines.native.arrays import WIDE, Samples
from ibtools.recorders.engines.native.stages import Shape
from ibtools.recorders.engines.protocol import Training
from ibtools.recorders.training.input_quantiser import quantise_rows, training_range
from ibtools.store.snapshots import FLOAT_BITS

INPUT_BITS = 8
"""Of the input quantiser."""

Numbers = TypeVar("Numbers", np.uint8, np.float32)


def encode_samples(training: Training, shape: Shape) -> Samples:
    """Quantise all inputs on the range of those of training; the first layer takes this shape."""
    data = training.data
    if training.bits == FLOAT_BITS:
        return samples_of_values(lay_out(data.x, shape), data.is_test)
    rows = data.x.reshape(len(data.x), -1)
    low, high = training_range(rows, data.is_test)
    grid = Grid.from_range(float(low), float(high), INPUT_BITS)
    return samples_of_codes(lay_out(quantise_rows(rows, low, high), shape), grid, data.is_test)


def samples_of_values(values: NDArray[np.float32], is_test: NDArray[np.bool_]) -> Samples:
    """Return samples that are not quantised, laid out already."""
    return Samples(np.empty((0, 0), np.uint8), values, np.float32(1), np.float32(0), is_test)


def samples_of_codes(codes: NDArray[np.uint8], grid: Grid, is_test: NDArray[np.bool_]) -> Samples:
    """Return samples that are codes on a grid, laid out already."""
    no_values = np.empty((0, 0), np.float32)
    return Samples(codes, no_values, grid.scale, np.float32(grid.zero_point), is_test)


def lay_out(x: NDArray[Numbers], shape: Shape) -> NDArray[Numbers]:
    """Lay samples out as machine code has them: channels, rows, columns, as in `Samples`."""
    channels, rows, columns = shape
    images = x.reshape(len(x), rows, columns, channels).transpose(0, 3, 1, 2)
    by_sample = images.reshape(len(x), -1)
    return np.ascontiguousarray(by_sample if by_sample.shape[1] > WIDE else by_sample.T)


def choose_samples(samples: Samples, rows: NDArray[np.int64], shape: Shape) -> Samples:
    """Return some of the samples."""
    axis = 0 if math.prod(shape) > WIDE else 1
    return samples._replace(
        codes=_choose(samples.codes, rows, axis),
        values=_choose(samples.values, rows, axis),
        is_test=samples.is_test[rows],
    )


def _choose(x: NDArray[Numbers], rows: NDArray[np.int64], axis: int) -> NDArray[Numbers]:
    return np.ascontiguousarray(np.take(x, rows, axis)) if x.size else x
