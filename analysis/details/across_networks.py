"""What layers of different networks share: which of them group the same samples."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ibtools.analysis.details.graph import details_each
from ibtools.analysis.details.protocol import Coordinates, Found, PlainDetail
from ibtools.analysis.details.snapshots import Snapshots
from ibtools.analysis.estimators import EstimatorLike, get_estimator
from ibtools.errors import InputError
from ibtools.provenance import provenance
from ibtools.store.derived import as_store
from ibtools.store.header import Header
from ibtools.store.schema import CUBE, Variable

OTHER = ("other_repeat", "other_epoch", "other_layer")

MOST_PAIRS = 10**6
"""Pairs of partitions that one call compares at the most: minutes."""

_MISSING = "NaN: one of the snapshots is not complete"

VARIABLES = (
    Variable(
        "mi_tt", (*CUBE[:3], *OTHER), ("float64",), "bit", math.nan, _MISSING,
        "information that the layers of two networks share about the samples, I(T_a;T_b)",
        label="I(T_a;T_b)",
    ),
    Variable(
        "mi_tt_null", (*CUBE[:3], *OTHER), ("float64",), "bit", math.nan, _MISSING,
        "chance level of mi_tt: its mean over all permutations of the samples of one of them",
        label="chance level of I(T_a;T_b)",
    ),
    Variable(
        "variation_of_information", (*CUBE[:3], *OTHER), ("float64",), "bit", math.nan, _MISSING,
        "what each of two layers has that the other has not, H(T_a|T_b) + H(T_b|T_a); 0 where "
        "they group the samples equally",
        label="variation of information",
    ),
    Variable(
        "adjusted_mi", (*CUBE[:3], *OTHER), ("float64",), "1", math.nan,
        f"{_MISSING}, or chance leaves nothing to share",
        "adjusted mutual information: (mi_tt - mi_tt_null) / (max(H(T_a), H(T_b)) - mi_tt_null); 1 "
        "where they group the samples equally, 0 in the mean by chance",
        label="adjusted mutual information",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class States(PlainDetail):
    """The state of each sample: the partition itself, in memory only."""

    kind: ClassVar[str] = "states"
    variables: ClassVar[tuple[Variable, ...]] = (
        Variable(
            "state", CUBE[:4], ("uint32",), "1", 0, "0: not complete",
            "number of the state that the sample is in, by first appearance",
        ),
        Variable(
            "sample", ("sample",), ("int64",), "1", 0, "never missing",
            "position of the sample", coordinate=True,
        ),
    )  # fmt: skip
    shows: ClassVar[str] = "the state of each sample"
    first_look: ClassVar[str] = "state"

    def coordinates(self, header: Header) -> Coordinates:
        """Return the positions of the samples."""
        return {"sample": np.arange(header.n_samples)}

    def compute(self, snapshots: Snapshots, header: Header) -> Found:
        """Return (block, layer, sample)."""
        return {"state": snapshots.labels.swapaxes(0, 1)}


def across(
    dataset: xr.Dataset,
    other: xr.Dataset | None = None,
    *,
    estimator: EstimatorLike = "exact",
    same_inputs: bool = False,
) -> xr.Dataset:
    """Compare every layer of every snapshot with those of other networks on the same inputs; lazy.

    Parameters
    ----------
    dataset : Dataset
        As for `ibtools.analyze`; choose few snapshots, as in ``ds.sel(epoch=[100])``.
    other : Dataset, optional
        Of other repeats, epochs or another store; by default the same, each with each.
    estimator : str or CountingEstimator, optional
        What a state is: any estimator that counts states.
    same_inputs : bool, optional
        Whether you know that the samples of two stores are of the same inputs in the same order,
        where the stores do not say it.

    Returns
    -------
    Dataset
        `mi_tt`, `mi_tt_null` and `variation_of_information` (bits) and `adjusted_mi`, float64,
        (repeat, epoch, layer, other_repeat, other_epoch, other_layer), backed by dask; `sample` is
        consumed. NaN where a snapshot is not complete.

    Raises
    ------
    UnknownNameError
        If there is no such estimator.
    InputError
        If the samples are not the same, the stores do not say whether they are, or there are too
        many pairs.
    StoreError
        If a Dataset lacks what is needed, or holds no complete snapshot.

    Notes
    -----
    Two networks group the samples equally if each state of one is a state of the other, whatever
    the codes. Where every sample has a state of its own in both, they do, and so would any others:
    the chance level is all there is, and `adjusted_mi` is missing.
    """
    other = dataset if other is None else other
    chosen = get_estimator(estimator)
    _validate_samples(dataset, other, same_inputs=same_inputs)
    (one,), (two,) = (details_each(each, (States(),), chosen) for each in (dataset, other))
    _validate_number(one, two)
    pairs = _compare(_partitions(one), _partitions(two))
    complete = np.multiply.outer(_complete(dataset), _complete(other))
    there = complete[:, :, np.newaxis, :, :, np.newaxis]
    dims = (*CUBE[:3], *OTHER)
    variables = {
        variable.name: xr.Variable(
            dims, da.where(there, pairs[..., index], np.nan), variable.attributes()
        )
        for index, variable in enumerate(VARIABLES)
    }
    coordinates = {name: one[name].variable for name in CUBE[:3]}
    coordinates |= {
        name: xr.Variable(name, two[name.removeprefix("other_")].values) for name in OTHER
    }
    return xr.Dataset(variables, coordinates, _attributes(one, two))


def _partitions(states: xr.Dataset) -> Any:
    """Return (repeat, epoch, layer, sample), a chunk for each snapshot."""
    return states["state"].transpose(*CUBE[:4]).data.rechunk((1, 1, -1, -1))


def _compare(one: Any, two: Any) -> Any:
    """Return all numbers of all pairs, the number last; lazy."""
    return da.blockwise(
        _compare_snapshots,
        "relRELv",
        one,
        "rels",
        two,
        "RELs",
        new_axes={"v": len(VARIABLES)},
        concatenate=True,
        dtype=np.float64,
        meta=np.empty((0,) * 7),
    )


def _compare_snapshots(one: NDArray[np.uint32], two: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Compare the layers of two snapshots, (1, 1, layer, 1, 1, other_layer, number)."""
    from ibtools.analysis.kernels.pairs import compare_partitions

    found = compare_partitions(one[0, 0], two[0, 0])
    numbers = np.stack([found.information, found.chance, found.variation, found.adjusted], axis=-1)
    return numbers[np.newaxis, np.newaxis, :, np.newaxis, np.newaxis]


def _complete(dataset: xr.Dataset) -> NDArray[np.bool_]:
    return np.asarray(dataset["complete"].transpose(*CUBE[:2]).values, np.bool_)


def _attributes(one: xr.Dataset, two: xr.Dataset) -> dict[str, Any]:
    """Say of what and how it was computed."""
    shared: Mapping[Any, Any] = {
        name: value for name, value in one.attrs.items() if two.attrs.get(name) == value
    }
    kept = ("estimator", "representation", "data_checksum", "n_samples", "entropy_x", "entropy_y")
    known = {name: shared[name] for name in kept if name in shared}
    experiments = {"experiment": one, "other_experiment": two}
    names = {
        name: of.attrs["experiment"] for name, of in experiments.items() if "experiment" in of.attrs
    }
    return {**names, **known, **provenance()}


def _validate_number(one: xr.Dataset, two: xr.Dataset) -> None:
    n_pairs = math.prod(math.prod(each.sizes[dim] for dim in CUBE[:3]) for each in (one, two))
    if n_pairs > MOST_PAIRS:
        raise InputError(
            f"these are {n_pairs} pairs of layers, and at most {MOST_PAIRS} are compared at once; "
            "choose repeats, epochs or layers, as in dataset.sel(epoch=[100])"
        )


def _validate_samples(one: xr.Dataset, two: xr.Dataset, *, same_inputs: bool) -> None:
    """Check that the samples of two Datasets are of the same inputs, in the same order."""
    if one is two:
        return
    first, second = (Header.of(as_store(each)) for each in (one, two))
    if first.n_samples != second.n_samples:
        raise InputError(
            "networks are compared on the same inputs, found "
            f"{first.n_samples} and {second.n_samples} samples"
        )
    if not np.array_equal(first.classes[first.label], second.classes[second.label]):
        raise InputError(
            "networks are compared on the same inputs, but the labels of the samples differ"
        )
    if all("input" in each.coordinates for each in (first, second)) and not np.array_equal(
        first.input, second.input
    ):
        raise InputError(
            "networks are compared on the same inputs, but the numbers of the inputs differ: other "
            "samples have equal ones"
        )
    told = [_told_of_inputs(header) for header in (first, second)]
    for what in ("store_id", "data_checksum"):
        said = [of.get(what) for of in told]
        if all(said) and said[0] == said[1]:
            return
        if what == "data_checksum" and all(said):
            raise InputError(
                "networks are compared on the same inputs, but the checksums of the data differ: "
                f"{said[0]} and {said[1]}"
            )
    if not same_inputs:
        raise InputError(
            "networks are compared on the same inputs, but the stores do not say whether theirs "
            "are; if you know that they are, in the same order, say so: same_inputs=True "
            "(--same-inputs)"
        )


def _told_of_inputs(header: Header) -> dict[str, str]:
    """Return what tells the inputs of a store, where it is known."""
    names = ("store_id", "data_checksum")
    return {name: str(header.attributes[name]) for name in names if header.attributes.get(name)}
