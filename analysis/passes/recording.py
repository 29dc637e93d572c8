"""What an analysis knows of a store before it computes anything."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import xarray as xr

from ibtools.analysis.estimators import Estimator, Population
from ibtools.analysis.estimators.chosen_layers import of_any_layer
from ibtools.analysis.kernels.information import entropy
from ibtools.analysis.kernels.sampling import validate_sample
from ibtools.analysis.measures.protocol import own_coordinates
from ibtools.analysis.passes.ranges import global_range, read_rows
from ibtools.analysis.passes.result_variables import RESULT_COORDINATES
from ibtools.errors import InputError, StoreError
from ibtools.provenance import provenance
from ibtools.store.configuration import configuration_of_results, how_to_finish
from ibtools.store.counts import COUNTS
from ibtools.store.derived import validate_derived
from ibtools.store.header import Header
from ibtools.store.identity import DIGEST
from ibtools.store.schema import (
    CUBE,
    OWN_ATTRIBUTES,
    RECORDED,
    STORE_VARIABLES,
    kept,
    own_attributes,
)
from ibtools.store.snapshots import FLOAT_BITS

_INHERITED = ("experiment", "data_checksum", "store_id", COUNTS)


@dataclass(frozen=True, eq=False)
class Recording:
    """What an analysis knows of a store.

    Parameters
    ----------
    header : Header
        What the store says of itself.
    global_range : tuple of float and float
        As from `ibtools.analysis.passes.ranges.global_range`; NaN where no estimator needs it.
    """

    header: Header
    global_range: tuple[float, float]

    @classmethod
    def of(cls, dataset: xr.Dataset, estimators: Sequence[Estimator]) -> Self:
        """Read it, after checking that the Dataset is one that the estimators can analyse.

        Raises
        ------
        StoreError
            If something is missing, or no snapshot is complete.
        InputError
            If the store keeps the partition only and an estimator needs values, or a class has too
            few samples for an estimator.
        """
        _validate(dataset)
        header = Header.of(dataset)
        _validate_values(header, estimators)
        if any(isinstance(of_any_layer(one), Population) for one in estimators):
            validate_sample(header)
        _validate_classes(header, estimators)
        found = (np.nan, np.nan)
        if any(estimator.needs == "values" for estimator in estimators):
            found = _range_of_all(dataset, header)
        return cls(header, found)

    def attributes(self, estimator: Estimator) -> dict[str, Any]:
        """Return the attributes of the results of an estimator."""
        header, known = self.header, self.header.attributes
        bounds = dict(zip(("bounds_low", "bounds_high"), self.global_range, strict=True))
        attributes = {
            **provenance(),
            **{name: known[name] for name in _INHERITED if name in known},
            **configuration_of_results(known),
            DIGEST: header.content.digest,
            "estimator": estimator.specification,
            "revision": estimator.revision,
            **estimator.attributes,
            **(bounds if estimator.needs_global_range else {}),
            "n_samples": header.n_samples,
            "entropy_x": header.entropy_x,
            "entropy_y": entropy(np.bincount(header.label)),
            "coordinates": " ".join(
                one.name for one in (*RESULT_COORDINATES, *own_coordinates(estimator))
            ),
        }
        return attributes | _own_attributes(known, attributes)


def _own_attributes(known: Mapping[str, Any], taken: Container[str]) -> dict[str, Any]:
    """Return what the user has said of a store, but for names that results have themselves."""
    own = {name: said for name, said in own_attributes(known).items() if name not in taken}
    return {OWN_ATTRIBUTES: [*own], **own} if own else {}


def _range_of_all(dataset: xr.Dataset, header: Header) -> tuple[float, float]:
    """Return the range of all values, reading one repeat at a time."""
    layers, complete = header.layers, header.complete
    ranges = [
        global_range(read_rows(dataset.isel(repeat=[row])), layers, complete[row : row + 1])
        for row in np.flatnonzero(complete.any(axis=1))
    ]
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def _validate_values(header: Header, estimators: Sequence[Estimator]) -> None:
    for estimator in estimators:
        if estimator.needs != "partition" and header.keeps_partition:
            raise InputError(
                f"the estimator {estimator.specification} needs the values of units, but the store "
                "keeps only the partition of whole layers; record again with --keep codes, or "
                "analyse with exact"
            )


def _validate_classes(header: Header, estimators: Sequence[Estimator]) -> None:
    in_class = np.bincount(header.label)
    smallest = int(in_class.argmin())
    name = header.classes[smallest]
    for estimator in estimators:
        if in_class[smallest] < estimator.min_class_size:
            raise InputError(
                f"the estimator {estimator.specification} needs at least "
                f"{estimator.min_class_size} samples of every class, but class {name} has "
                f"{in_class[smallest]}; analyse with another estimator"
            )


def _missing_values(dataset: xr.Dataset) -> list[str]:
    """Return the variables of codes and values that a Dataset needs for its layers, and lacks."""
    if not set(RECORDED) & set(dataset.variables):
        return [" or ".join(RECORDED)]
    if kept(dataset.variables) == "partition" or "bits" not in dataset.variables:
        return []
    floating = dataset["bits"].values == FLOAT_BITS
    needed = {"code": not floating.all(), "activation": floating.any()}
    return [name for name, needs in needed.items() if needs and name not in dataset.variables]


def _validate(dataset: xr.Dataset) -> None:
    needed = [
        variable.name
        for variable in STORE_VARIABLES
        if variable.coordinate and variable.presence == "always"
    ]
    needed = [name for name in [*needed, "complete"] if name not in ("trained_epoch", "split")]
    missing = [name for name in needed if name not in dataset.variables]
    missing += _missing_values(dataset)
    if missing:
        raise StoreError(
            f"analyze needs the Dataset of a store, but {', '.join(missing)} is missing; open it "
            "with ibtools.open_store(path)"
        )
    validate_derived(dataset)
    cube = CUBE[:4] if kept(dataset.variables) == "partition" else CUBE
    lost = [dim for dim in cube if dim not in dataset.dims]
    if lost:
        raise StoreError(
            f"analyze needs all of {', '.join(cube)}, but {', '.join(lost)} was dropped by a "
            f"selection; select with a list, as in ds.isel({lost[0]}=[0])"
        )
    if not bool(dataset["complete"].any()):
        raise StoreError(
            f"the store holds no complete snapshot yet; to go on: {how_to_finish(dataset.attrs)}"
        )
