"""The lazy analysis of a Dataset."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr

from ibtools.analysis.estimators import Estimator, EstimatorLike, get_estimators
from ibtools.analysis.estimators.chosen_layers import by_layers, choose_layers
from ibtools.analysis.measures.derived_variables import with_derived
from ibtools.analysis.passes.lazy import lazy_variables
from ibtools.analysis.passes.recording import Recording
from ibtools.analysis.passes.result_variables import RESULT_COORDINATES, numbered_coordinates
from ibtools.analysis.passes.stacking import stack_estimators
from ibtools.store.derived import as_store
from ibtools.store.schema import CUBE
from ibtools.store.several import concat_along


def analyze(
    dataset: xr.Dataset, *, estimator: EstimatorLike | Sequence[EstimatorLike] = "exact"
) -> xr.Dataset:
    """Compute the information of every layer about input and label; lazy.

    Parameters
    ----------
    dataset : Dataset
        As `ibtools.open_store` or plain `xarray.open_zarr` open a store, or a selection that keeps
        all dimensions, such as ``ds.isel(epoch=[0, -1])`` or ``ds.sel(layer=["output"])``. What
        ``open_store([...], dim="run")`` returns is analysed store by store, along `run`.
    estimator : str or Estimator, or sequence of them, optional
        A name in `ibtools.analysis.estimators.ESTIMATORS`, or a specification such as
        "binned-uniform-30-global". Of several, each chunk is read once for all of them that are of
        the same layers.

    Returns
    -------
    Dataset
        `mi_xt`, `mi_ty`, `entropy_t` (float64, bits; NaN where a snapshot is not complete) and
        `n_states` (int64; 0 there), and what else the estimator computes, all (repeat, epoch,
        layer), backed by dask; `sample` and `unit` are consumed. For a sequence of estimators,
        even of one, the first dimension is `estimator`, and the attributes in which they differ are
        coordinates along it; see `ibtools.analysis.passes.stacking`. Attributes name the estimator
        and its options, the number of samples, and the entropies of input and label. Only
        `complete`, coordinates and ranges are read before something is computed.

    Raises
    ------
    UnknownNameError
        If there is no such estimator, or no layer that its specification names.
    InputError
        If an option is out of range, the store keeps the partition only and the estimator needs
        values, a class has too few samples for it, or the recorded inputs are the population that
        is to be estimated.
    StoreError
        If the Dataset lacks what is needed, has lost a dimension, or holds no complete snapshot.

    Notes
    -----
    All samples are taken as equally likely, and the network as deterministic: then I(X;T) = H(T).
    Samples that are known to have the same input count as one input in H(X); see `input` of the
    store.
    A task holds whole snapshots of a layer in memory, however large they are.

    See Also
    --------
    ibtools.analyze_store : Writes the results, computes none twice, and keeps to a given memory.
    """
    further = [str(dim) for dim in dataset.get("complete", xr.DataArray()).dims if dim not in CUBE]
    if further:
        return _analyze_along(dataset, further[0], estimator)
    results = analyze_each(dataset, get_estimators(estimator))
    several = isinstance(estimator, Sequence) and not isinstance(estimator, str)
    return stack_estimators(results) if several else results[0]


def _analyze_along(
    dataset: xr.Dataset, dim: str, estimator: EstimatorLike | Sequence[EstimatorLike]
) -> xr.Dataset:
    """Analyse each of several stores along a dimension of their own."""
    parts = [
        analyze(dataset.isel({dim: place}, drop=True), estimator=estimator)
        for place in range(dataset.sizes[dim])
    ]
    return concat_along(parts, dataset[dim] if dim in dataset.coords else dim)


def analyze_each(dataset: xr.Dataset, estimators: Sequence[Estimator]) -> tuple[xr.Dataset, ...]:
    """Compute the results of several estimators in one pass: one Dataset each, from one graph.

    Parameters, exceptions and each of the results are those of `analyze`.
    """
    dataset = as_store(dataset)
    recording = Recording.of(dataset, estimators)
    names = [layer.name for layer in recording.header.layers]
    chosen = [choose_layers(one, None, names) for one in estimators]
    results: dict[int, xr.Dataset] = {}
    for layers, indices in by_layers(chosen, names).items():
        found = _analyze(dataset, layers, [chosen[index] for index in indices], recording)
        results.update(zip(indices, found, strict=True))
    return tuple(results[index] for index in range(len(chosen)))


def _analyze(
    dataset: xr.Dataset,
    layers: tuple[int, ...],
    estimators: Sequence[Estimator],
    recording: Recording,
) -> list[xr.Dataset]:
    """Compute the results of estimators that are of the same layers."""
    part = dataset if len(layers) == dataset.sizes["layer"] else dataset.isel(layer=list(layers))
    found = lazy_variables(
        part,
        estimators,
        complete=recording.header.complete,
        global_range=recording.global_range,
    )
    coordinates = {variable.name: part[variable.name].variable for variable in RESULT_COORDINATES}
    header = recording.header.select(layers)
    return [
        with_derived(
            xr.Dataset(
                variables,
                coordinates | numbered_coordinates(one, header),
                recording.attributes(one),
            )
        )
        for one, variables in zip(estimators, found, strict=True)
    ]
