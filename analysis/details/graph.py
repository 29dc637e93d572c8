"""The lazy details of a Dataset: all layers of a snapshot at once, each partitioned once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from ibtools.analysis.details.kinds import DetailLike, get_details
from ibtools.analysis.details.measure import DetailMeasure
from ibtools.analysis.details.permutations import Permutations
from ibtools.analysis.details.protocol import Detail, looks_into_layers
from ibtools.analysis.estimators import (
    CountingEstimator,
    Estimator,
    EstimatorLike,
    get_estimator,
)
from ibtools.analysis.estimators.chosen_layers import chosen_positions, of_any_layer
from ibtools.analysis.passes.graph import analyze
from ibtools.analysis.passes.lazy import lazy_variables
from ibtools.analysis.passes.ranges import global_range, read_rows
from ibtools.errors import InputError
from ibtools.store.derived import as_store
from ibtools.store.header import Header


def details(
    dataset: xr.Dataset,
    what: DetailLike | Sequence[DetailLike],
    *,
    estimator: EstimatorLike = "exact",
) -> xr.Dataset | dict[str, xr.Dataset]:
    """Compute more from the states of the layers than `ibtools.analyze` does; lazy.

    Parameters
    ----------
    dataset : Dataset
        As for `ibtools.analyze`.
    what : str or Detail, or sequence of them
        "classes", "invariants", "layers", "permutations", "prediction", "splits", "units"; or
        `ibtools.analysis.details.About` for another label of the samples, or
        `ibtools.analysis.details.Permutations` with other options. Of several, each chunk is read
        once for all.
    estimator : str or CountingEstimator, optional
        What a state is: any estimator that counts states; its specification may name layers.

    Returns
    -------
    Dataset, or dict of str to Dataset
        For a sequence one Dataset by the name of each detail. The variables and dims of each are
        declared in its own file: (repeat, epoch, layer) and, for some, `class`, `other_layer`,
        `split` or `unit`; in bits, NaN where a snapshot is not complete, backed by
        dask. `sample` is consumed. Attributes are those of `ibtools.analyze` and the options.

    Raises
    ------
    UnknownNameError
        If there is no such detail or estimator.
    InputError
        If the estimator counts no states, an option is out of range, or the store does not hold
        what a detail needs: single units, a unit for every class, or as many samples as the label.
    StoreError
        If the Dataset lacks what is needed, has lost a dimension, or holds no complete snapshot.

    See Also
    --------
    ibtools.details_store : Writes the details, and computes none twice.
    """
    kinds = get_details(what)
    found = details_each(dataset, kinds, get_estimator(estimator))
    if isinstance(what, Sequence) and not isinstance(what, str):
        return {kind.name: one for kind, one in zip(kinds, found, strict=True)}
    return found[0]


def permutation_test(
    dataset: xr.Dataset,
    *,
    n_permutations: int = 1000,
    seed: int = 0,
    estimator: EstimatorLike = "exact",
) -> xr.Dataset:
    """Compare I(T;Y) with what permutations of the labels give; lazy.

    Parameters
    ----------
    dataset : Dataset
        As for `ibtools.analyze`.
    n_permutations, seed : int, optional
        As for `ibtools.analysis.details.Permutations`, which has the definitions. Any chunking or
        selection gives the same numbers.
    estimator : str or CountingEstimator, optional
        What a state is.

    Returns
    -------
    Dataset
        `permuted_mean`, `permuted_sd` (bits), `permuted_z` and `permuted_p`, float64, (repeat,
        epoch, layer).

    Raises
    ------
    UnknownNameError, InputError, StoreError
        As `details`.
    """
    kind = Permutations(n_permutations, seed)
    return details_each(dataset, (kind,), get_estimator(estimator))[0]


def details_each(
    dataset: xr.Dataset, kinds: Sequence[Detail], estimator: Any
) -> tuple[xr.Dataset, ...]:
    """Compute several details in one pass: one Dataset each, from one graph.

    Parameters, exceptions and each of the results are those of `details`.
    """
    dataset = as_store(dataset)
    ordinary = analyze(dataset, estimator=validate_counting(estimator))  # checks it; not computed
    whole = Header.of(dataset)
    layers = chosen_positions(estimator, [layer.name for layer in whole.layers])
    measures = detail_measures(kinds, estimator, whole)
    found = lazy_variables(
        dataset.isel(layer=list(layers)),
        measures,
        complete=whole.complete,
        global_range=range_of_details(dataset, measures, whole),
    )
    results = []
    for kind, variables in zip(kinds, found, strict=True):
        own = _coordinates(kind, whole.select(layers))
        one = xr.Dataset(coords=ordinary.coords).assign_coords(own)
        attributes = {**ordinary.attrs, **kind.attributes}
        results.append(one.assign(variables).assign_attrs(attributes))
    return tuple(results)


def detail_measures(
    kinds: Sequence[Detail], estimator: Any, header: Header
) -> tuple[DetailMeasure, ...]:
    """Return the measures of some details, after checking that a store has what they need."""
    names = [layer.name for layer in header.layers]
    layers = chosen_positions(estimator, names)
    chosen = header.select(layers)
    for kind in kinds:
        if kind.needs_prediction and layers[-1] != len(names) - 1:
            raise InputError(
                f"{kind.name} is about the last layer of the network, {names[-1]!r}, which is not "
                f"among those chosen; choose it too, or leave {kind.name} out"
            )
        _validate(kind, chosen)
    counting = of_any_layer(estimator)
    return tuple(DetailMeasure(kind, counting, chosen.n_units) for kind in kinds)


def range_of_details(
    dataset: xr.Dataset,
    measures: Sequence[DetailMeasure],
    header: Header,
) -> tuple[float, float]:
    """Return the range of all values; NaN if no measure looks at values."""
    if all(one.needs != "values" for one in measures):
        return np.nan, np.nan
    return global_range(read_rows(dataset), header.layers, header.complete)


def validate_counting(estimator: Estimator) -> Estimator:
    """Check that an estimator counts states, of whichever layers, which all details are made of.

    Raises
    ------
    InputError
        If it does not.
    """
    if not isinstance(of_any_layer(estimator), CountingEstimator):
        raise InputError(
            f"details are computed from the states of layers, which the estimator "
            f"{estimator.specification} does not count; choose exact, binned or requantised"
        )
    return estimator


def _validate(kind: Detail, header: Header) -> None:
    if header.keeps_partition and looks_into_layers(kind):
        raise InputError(
            f"{kind.name} needs the values of units, but the store keeps only the partition of "
            "whole layers; record again with --keep codes, or leave it out"
        )
    kind.validate(header)


def _coordinates(kind: Detail, header: Header) -> dict[str, xr.Variable]:
    values = kind.coordinates(header)
    return {
        variable.name: xr.Variable(variable.dims, values[variable.name], variable.attributes())
        for variable in kind.variables
        if variable.coordinate
    }
