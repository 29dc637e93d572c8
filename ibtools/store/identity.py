"""What a store is about, told by its content: which samples with which labels, in which layers.

A copy that xarray makes keeps the attributes of its source, `store_id` among them, whatever was
changed in it. So neither a path nor an attribute says whether results are those of a store; its
content does. Repeats and epochs are no part of the digest, because a recording grows: of which
repeat the results in a row are, its number and seed say.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from ibtools.store.groups import find_array, get_array, read_array, read_arrays
from ibtools.store.schema import FORMAT_NAME
from ibtools.store.snapshots import LAYER_COLUMNS
from ibtools.store.validation.declared import arrays_of, describe_place
from ibtools.store.validation.results import validate_results

DIGEST = "content_digest"
"""The attribute of results that says which samples and layers they are of."""

_DIGESTED = ("label", "split", "input", *LAYER_COLUMNS)
"""The variables that a digest is of; a store need not have all."""

_COORDINATES = ("layer", "repeat", "seed", "epoch")


@dataclass(frozen=True, eq=False)
class Content:
    """What a store is about, as it is now.

    Parameters
    ----------
    digest : str
        SHA-256 of labels, splits, inputs and layers, hexadecimal: the same wherever and however the
        same content lies.
    n_samples : int
        Samples of every snapshot.
    layer : ndarray, (layer,), str
        Names of the layers.
    repeat, seed : ndarray, (repeat,), int64
        Number and seed of each repeat.
    epoch : ndarray, (epoch,), int32
        The schedule.
    """

    digest: str
    n_samples: int
    layer: NDArray[Any]
    repeat: NDArray[np.int64]
    seed: NDArray[np.int64]
    epoch: NDArray[np.int32]

    @classmethod
    def of(cls, store: zarr.Group | xr.Dataset) -> Self:
        """Read it from a store, or from the Dataset of one or of a part of one."""
        names = dict.fromkeys((*_DIGESTED, *_COORDINATES))
        needed = ("label", *_COORDINATES)
        if isinstance(store, xr.Dataset):
            there = [name for name in names if name in needed or name in store]
            return cls.from_coordinates({name: store[name].values for name in there})
        found = {
            name: get_array(store, name) if name in needed else find_array(store, name)
            for name in names
        }
        arrays = {name: array for name, array in found.items() if array is not None}
        return cls.from_coordinates(read_arrays(arrays, describe_place(store)))

    @classmethod
    def from_coordinates(cls, values: Mapping[str, NDArray[Any]]) -> Self:
        """Take it from the coordinates of a store, which were read before."""
        digest = _digest({name: values[name] for name in _DIGESTED if name in values})
        coordinates = {name: values[name] for name in _COORDINATES}
        return cls(digest, n_samples=len(values["label"]), **coordinates)

    @classmethod
    def behind(cls, results: xr.Dataset, attributes: Mapping[str, Any]) -> Self:
        """Take it from the coordinates and attributes of what was computed from it."""
        coordinates = {name: results[name].values for name in _COORDINATES}
        return cls(attributes[DIGEST], n_samples=attributes["n_samples"], **coordinates)

    def is_of(self, results: zarr.Group) -> bool:
        """Tell whether results are of these samples and layers, and of epochs that are still there.

        Those of an ibtools that kept no digest are, if the number of samples and the names of the
        layers agree.
        """
        validate_results(results, arrays_of(results), describe_place(results))
        known = results.attrs.get(DIGEST)
        if known is None:
            same = results.attrs.get("n_samples") == self.n_samples
            same &= np.array_equal(read_array(results, "layer"), self.layer)
        else:
            same = known == self.digest
        epoch = read_array(results, "epoch")
        return bool(same) and np.array_equal(epoch, self.epoch[: len(epoch)])

    def current_repeats(self, results: zarr.Group) -> NDArray[np.bool_]:
        """Tell which repeats of results are those of the store, and not begun anew since."""
        arrays = {name: get_array(results, name) for name in ("repeat", "seed")}
        repeat, seed = read_arrays(arrays, describe_place(results)).values()
        same = np.zeros(len(repeat), np.bool_)
        n = min(len(repeat), len(self.repeat))
        same[:n] = (repeat[:n] == self.repeat[:n]) & (seed[:n] == self.seed[:n])
        return same


def is_store(group: zarr.Group) -> bool:
    """Whether a group is a store, not a place where results of one are kept."""
    return group.attrs.get("format") == FORMAT_NAME


def _digest(content: Mapping[str, NDArray[Any]]) -> str:
    """Digest names, shapes and values, whatever their width in memory."""
    digest = hashlib.sha256()
    for name, values in content.items():
        digest.update(f"{name} {values.shape} ".encode())
        if values.dtype.kind in "biuf":
            wide = "<f8" if values.dtype.kind == "f" else "<i8"
            digest.update(np.ascontiguousarray(values, wide).tobytes())
        else:
            digest.update(json.dumps(values.tolist()).encode())
    return digest.hexdigest()
