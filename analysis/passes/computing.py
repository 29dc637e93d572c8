"""From blocks of layers to the numbers of measures: the same for every way over a store."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.measures.block import LayerBlock, SnapshotBlock
from ibtools.analysis.measures.protocol import Found, Measure, SnapshotMeasure, own_sizes
from ibtools.store.header import Header
from ibtools.store.schema import Variable

Values = dict[str, NDArray[Any]]
"""By the name of each variable of a measure its numbers, (epoch, layer, ...) or (epoch, ...)."""


def compute(
    measures: Sequence[Measure],
    blocks: Iterable[LayerBlock],
    *,
    repeat: NDArray[np.integer[Any]],
    epoch: NDArray[np.integer[Any]],
    header: Header,
) -> tuple[Values, ...]:
    """Compute measures of some snapshots, of which one layer after the other is given.

    Parameters
    ----------
    measures : sequence of Measure
        What to compute.
    blocks : iterable of LayerBlock
        All layers in order if any measure is of whole snapshots; each, or its units in portions.
        None is kept when the next is asked for.
    repeat, epoch : ndarray, (block,), integer
        Labels of the snapshots.
    header : Header
        What the store says of itself.

    Returns
    -------
    tuple of dict of str to ndarray
        For each measure its variables, (block, layer, ...) or (block, ...).
    """
    found: list[list[Any]] = [[] for _ in measures]
    for block in blocks:
        for measure, layers in zip(measures, found, strict=True):
            if measure.scope == "layer":
                layers.append(measure.compute(block))
                continue
            whole = cast(SnapshotMeasure, measure)
            state = whole.reduce(block)
            if block.continues:
                state = whole.merge(layers.pop(), state)
            layers.append(state)
    return tuple(
        _stack(measure, layers)
        if measure.scope == "layer"
        else _named(measure, measure.compute(SnapshotBlock(tuple(layers), repeat, epoch, header)))
        for measure, layers in zip(measures, found, strict=True)
    )


def _stack(measure: Measure, layers: Sequence[Found]) -> Values:
    return {
        one.name: np.stack([found[one.name] for found in layers], axis=1)
        for one in measure.variables
    }


def _named(measure: Measure, found: Found) -> Values:
    return {one.name: found[one.name] for one in measure.variables}


def sizes_of(measures: Sequence[Measure], header: Header) -> list[Mapping[str, int]]:
    """Return, for each measure, the sizes of all dims that its variables have beyond epochs."""
    return [{"layer": len(header.layers), **own_sizes(one, header)} for one in measures]


def empty_values(measure: Measure, n_epochs: int, sizes: Mapping[str, int]) -> Values:
    """Return arrays for the variables of a measure, with the missing value everywhere."""
    return {one.name: empty(one, (n_epochs,), sizes) for one in measure.variables}


def empty(variable: Variable, outer: tuple[int, ...], sizes: Mapping[str, int]) -> NDArray[Any]:
    """Return an array (..., what follows the epochs) with the missing value of a variable."""
    shape = (*outer, *(sizes[dim] for dim in variable.dims[2:]))
    return np.full(shape, variable.fill, variable.dtypes[0])
