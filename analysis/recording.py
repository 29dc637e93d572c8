"""What an analysis knows of a store before it computes anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ibtools.analysis.estimators import Estimator, Population
from ibtools.analysis.information import entropy
from ibtools.analysis.inputs import input_entropy, input_numbers
from ibtools.analysis.ranges import global_range, read_rows
from ibtools.analysis.result_variables import RESULT_COORDINATES
from ibtools.analysis.sampling import validate_sample
from ibtools.derived import validate_derived
from ibtools.errors import InputError, StoreError
from ibtools.identity import DIGEST, Content
from ibtools.labels import name_classes, number_classes
from ibtools.provenance import provenance
from ibtools.schema import CUBE, STORE_VARIABLES
from ibtools.snapshots import FLOAT_BITS, LAYER_COLUMNS, LayerSpec, layer_specs
from ibtools.store import RECORDED

_INHERITED = ("experiment", "data_checksum", "store_id")


@dataclass(frozen=True, eq=False)
class Recording:
    """What a store says about itself, without what was recorded.

    Parameters
    ----------
    layers : tuple of LayerSpec
        In the order of the network.
    complete : ndarray, (repeat, epoch), bool
        Which snapshots count.
    label : ndarray, (sample,), int64
        Class of each sample, 0 to n_classes - 1.
    digest : str
        Of the content of the store: `ibtools.identity.Content`.
    entropy_x : float
        H(X) of the samples in bits.
    global_range : tuple of float and float
        As from `ibtools.analysis.ranges.global_range`; NaN where no estimator needs it.
    """

    layers: tuple[LayerSpec, ...]
    complete: NDArray[np.bool_]
    label: NDArray[np.int64]
    digest: str
    entropy_x: float
    global_range: tuple[float, float]

    @classmethod
    def of(cls, dataset: xr.Dataset, estimators: Sequence[Estimator]) -> Self:
        """Read it, after checking that the Dataset is one that the estimators can analyse.

        Parameters
        ----------
        dataset : Dataset
            Of a store.
        estimators : sequence of Estimator
            What is to be computed.

        Raises
        ------
        StoreError
            If something is missing, or no snapshot is complete.
        InputError
            If the store keeps the partition only and an estimator needs values, or a class has too
            few samples for an estimator.
        """
        _validate(dataset)
        _validate_values(dataset, estimators)
        if any(isinstance(estimator, Population) for estimator in estimators):
            validate_sample(dataset.attrs)
        label, classes = number_classes(dataset["label"].values)
        _validate_classes(label, name_classes(classes, dataset.attrs), estimators)
        layers = layer_specs({name: dataset[name].values for name in LAYER_COLUMNS})
        complete = np.asarray(dataset["complete"].transpose("repeat", "epoch").values, bool)
        found = (np.nan, np.nan)
        if any(estimator.needs == "values" for estimator in estimators):
            found = _range_of_all(dataset, layers, complete)
        entropy_x = input_entropy(input_numbers(dataset))
        return cls(layers, complete, label, Content.of(dataset).digest, entropy_x, found)

    @property
    def n_classes(self) -> int:
        """How many classes there are."""
        return int(self.label.max()) + 1

    def attributes(self, dataset: xr.Dataset, estimator: Estimator) -> dict[str, Any]:
        """Return the attributes of the results of an estimator."""
        bounds = dict(zip(("bounds_low", "bounds_high"), self.global_range, strict=True))
        return {
            **provenance(),
            **{name: dataset.attrs[name] for name in _INHERITED if name in dataset.attrs},
            DIGEST: self.digest,
            "estimator": estimator.specification,
            "revision": estimator.revision,
            **estimator.attributes,
            **(bounds if estimator.needs_global_range else {}),
            "n_samples": int(self.label.size),
            "entropy_x": self.entropy_x,
            "entropy_y": entropy(np.bincount(self.label)),
            "coordinates": " ".join(variable.name for variable in RESULT_COORDINATES),
        }


def _range_of_all(
    dataset: xr.Dataset, layers: Sequence[LayerSpec], complete: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return the range of all values, reading one repeat at a time."""
    ranges = [
        global_range(read_rows(dataset.isel(repeat=[row])), layers, complete[row : row + 1])
        for row in np.flatnonzero(complete.any(axis=1))
    ]
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def _validate_values(dataset: xr.Dataset, estimators: Sequence[Estimator]) -> None:
    for estimator in estimators:
        if estimator.needs != "partition" and "partition" in dataset.variables:
            raise InputError(
                f"the estimator {estimator.specification} needs the values of units, but the store "
                "keeps only the partition of whole layers; record again with --keep codes, or "
                "analyse with exact"
            )


def _validate_classes(
    label: NDArray[np.int64], classes: NDArray[Any], estimators: Sequence[Estimator]
) -> None:
    in_class = np.bincount(label)
    smallest = int(in_class.argmin())
    for estimator in estimators:
        if in_class[smallest] < estimator.min_class_size:
            raise InputError(
                f"the estimator {estimator.specification} needs at least "
                f"{estimator.min_class_size} samples of every class, but class "
                f"{classes[smallest]} has {in_class[smallest]}; analyse with another estimator"
            )


def _missing_values(dataset: xr.Dataset) -> list[str]:
    """Return the variables of codes and values that a Dataset needs for its layers, and lacks."""
    if not set(RECORDED) & set(dataset.variables):
        return [" or ".join(RECORDED)]
    if "partition" in dataset.variables or "bits" not in dataset.variables:
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
    cube = CUBE[:4] if "partition" in dataset.variables else CUBE
    lost = [dim for dim in cube if dim not in dataset.dims]
    if lost:
        raise StoreError(
            f"analyze needs all of {', '.join(cube)}, but {', '.join(lost)} was dropped by a "
            f"selection; select with a list, as in ds.isel({lost[0]}=[0])"
        )
    if not bool(dataset["complete"].any()):
        raise StoreError(
            "the store holds no complete snapshot yet; record, or go on with --resume, first"
        )
