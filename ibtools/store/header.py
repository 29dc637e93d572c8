"""What a store says of itself beside what was recorded: read once, and handed on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from ibtools.errors import StoreError
from ibtools.store.configuration import configuration_of
from ibtools.store.groups import find_array, read_array, read_arrays
from ibtools.store.identity import Content
from ibtools.store.labels import name_classes, number_classes
from ibtools.store.schema import CUBE, RECORDED, STORE_COORDINATES, STORE_VARIABLES, Keep, kept
from ibtools.store.snapshots import LayerSpec, layer_specs
from ibtools.store.validation.declared import describe_place

_OF_LAYERS = {one.name for one in STORE_VARIABLES if one.coordinate and one.dims == ("layer",)}


@dataclass(frozen=True, eq=False)
class Header:
    """What a store says of itself beside what was recorded.

    Parameters
    ----------
    store : zarr.Group or Dataset, or None
        The store itself: what is not a coordinate is read from it when it is asked for. None of a
        header that is `detached`.
    attributes : mapping
        Of its root.
    coordinates : mapping of str to ndarray
        Those of `ibtools.store.schema` that there are.
    recorded : tuple of str
        The variables that hold what was recorded.
    """

    store: zarr.Group | xr.Dataset | None
    attributes: Mapping[str, Any]
    coordinates: Mapping[str, NDArray[Any]]
    recorded: tuple[str, ...]

    @classmethod
    def of(
        cls,
        store: zarr.Group | xr.Dataset,
        coordinates: Mapping[str, NDArray[Any]] | None = None,
    ) -> Self:
        """Read it from a store, or from the Dataset of one or of a part of one.

        Coordinates that were read when the store was opened are taken as they are.
        """
        if isinstance(store, xr.Dataset):
            recorded = tuple(name for name in RECORDED if name in store)
            known = {name: store[name].values for name in STORE_COORDINATES if name in store}
            return cls(store, store.attrs, known, recorded)
        recorded = tuple(name for name in RECORDED if find_array(store, name) is not None)
        if coordinates is None:
            found = {name: find_array(store, name) for name in STORE_COORDINATES}
            there = {name: array for name, array in found.items() if array is not None}
            coordinates = read_arrays(there, describe_place(store))
        return cls(store, store.attrs.asdict(), coordinates, recorded)

    def select(self, layers: Sequence[int]) -> Self:
        """Return what is known of some of the layers, given by position."""
        if len(layers) == len(self.layers):
            return self
        chosen = {
            name: of[list(layers)] for name, of in self.coordinates.items() if name in _OF_LAYERS
        }
        return replace(self, coordinates={**self.coordinates, **chosen})

    def detached(self) -> Self:
        """Return what is known without the store itself, as tasks elsewhere are given it."""
        return replace(self, store=None)

    def has(self, name: str) -> bool:
        """Whether the store has a variable."""
        return self.store is not None and name in self.store

    def read(self, name: str) -> NDArray[Any]:
        """Read a variable that is no coordinate, such as `complete` or `scale`, as a whole."""
        if self.store is None:
            raise StoreError(f"{name} must be read before a header is detached from its store")
        if isinstance(self.store, zarr.Group):
            return read_array(self.store, name)
        found = self.store[name]
        return np.asarray(found.transpose(*(dim for dim in CUBE if dim in found.dims), ...).values)

    @cached_property
    def layers(self) -> tuple[LayerSpec, ...]:
        """The layers, in the order of the network."""
        return layer_specs(self.coordinates)

    @property
    def n_units(self) -> int:
        """Units of the widest layer."""
        return max(layer.n_units for layer in self.layers)

    @property
    def most_bits(self) -> int:
        """Width of the widest codes; that of float values is 32."""
        return max(layer.bits for layer in self.layers)

    @cached_property
    def _classes(self) -> tuple[NDArray[np.int64], NDArray[Any]]:
        return number_classes(self.coordinates["label"])

    @property
    def label(self) -> NDArray[np.int64]:
        """Class of each sample, (sample,), 0 to n_classes - 1."""
        return self._classes[0]

    @property
    def n_classes(self) -> int:
        """How many classes occur."""
        return len(self._classes[1])

    @cached_property
    def classes(self) -> NDArray[Any]:
        """What the classes are called, (class,), int64 or str."""
        return name_classes(self._classes[1], self.attributes)

    @property
    def n_samples(self) -> int:
        """Samples of every snapshot."""
        return len(self.coordinates["label"])

    @cached_property
    def complete(self) -> NDArray[np.bool_]:
        """Which snapshots count, (repeat, epoch)."""
        return np.asarray(self.read("complete"), np.bool_)

    @property
    def keep(self) -> Keep:
        """What is kept of a snapshot."""
        return kept(self.recorded)

    @property
    def keeps_partition(self) -> bool:
        """Whether the partition of whole layers is kept only."""
        return self.keep == "partition"

    @cached_property
    def input(self) -> NDArray[np.int64]:
        """Number of each sample's input, (sample,); its own where it isn't known which are equal.

        Raises
        ------
        StoreError
            If there is not one whole number per sample.
        """
        numbers = self.coordinates.get("input")
        if numbers is None:
            return np.arange(self.n_samples)
        if numbers.shape != (self.n_samples,) or numbers.dtype.kind not in "iu":
            raise StoreError(
                f"input must be a whole number for each of the {self.n_samples} samples, found "
                f"{numbers.dtype} of shape {numbers.shape}"
            )
        return numbers.astype(np.int64)

    @cached_property
    def entropy_x(self) -> float:
        """H(X) of the samples in bits."""
        from ibtools.analysis.kernels.inputs import input_entropy  # noqa: TID251

        return input_entropy(self.input)

    @cached_property
    def split(self) -> NDArray[np.str_]:
        """What each sample is for, (sample,), "train" or "test"; empty if it isn't known."""
        found = self.coordinates.get("split")
        return np.array([] if found is None else found.tolist(), np.str_)

    @property
    def is_chain(self) -> bool:
        """Whether each layer is known to be computed from the one before it alone."""
        return is_chain(self.attributes)

    @property
    def records_population(self) -> bool:
        """Whether the recorded inputs are known to be all that there are."""
        return records_population(self.attributes)

    @cached_property
    def content(self) -> Content:
        """What tells whose results are those of the store."""
        return Content.from_coordinates(self.coordinates)


def is_chain(attributes: Mapping[str, Any]) -> bool:
    """Tell by the root attributes of a store whether its layers are known to be a chain.

    `layers` says "chain" or "graph"; where it is missing, as in older stores, the configuration
    says whether the network is of the table or a dense one.

    Examples
    --------
    >>> is_chain({"layers": "chain"}), is_chain({"layers": "graph"})
    (True, False)
    >>> is_chain({"configuration": '{"network": "dense:784-64-10"}'})
    True
    >>> is_chain({"configuration": '{"network": "package.module:build"}'}), is_chain({})
    (False, False)
    """
    if "layers" in attributes:
        return bool(attributes["layers"] == "chain")
    network = configuration_of(attributes).get("network")
    return network is not None and (":" not in network or network.startswith("dense:"))


def records_population(attributes: Mapping[str, Any]) -> bool:
    """Tell by the root attributes of a store whether its inputs are all that there are.

    `inputs` says "population" or "sample"; where it is missing, the configuration of an older store
    says whether all patterns of SYN were recorded.

    Examples
    --------
    >>> records_population({"inputs": "population"}), records_population({})
    (True, False)
    >>> records_population({"configuration": '{"data_set": "SYN", "samples": null}'})
    True
    """
    if "inputs" in attributes:
        return bool(attributes["inputs"] == "population")
    configuration = configuration_of(attributes)
    return configuration.get("data_set") == "SYN" and configuration.get("samples") is None
