"""What a new store will hold, and how its cube is cut into chunks and shards."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ibtools.errors import StoreError, unknown_name
from ibtools.store.growing import EPOCH_AXES, ROW_EPOCHS
from ibtools.store.labels import validate_discrete
from ibtools.store.schema import (
    Inputs,
    Keep,
    Presence,
    Variable,
    scalar_variable,
    store_variables,
    validate_scalar_name,
)
from ibtools.store.snapshots import FLOAT_BITS, MAX_CODE_BITS, LayerSpec

BLOCK_BYTES = 2**27
"""A block of snapshots, all layers and their padding, never grows beyond this unless a single
snapshot does: a recording has two in memory, one that gathers and one that is being written."""

LAYER_BYTES = 2**25
"""The same for the block of one layer, which an analysis reads at once."""

CHUNK_BYTES = 2**22
"""A chunk is cut by samples beyond this, so that it is put in order in the processor's cache."""

SHARD_BYTES = 2**28
"""A shard never grows beyond this unless a single snapshot of one layer does."""

CHUNK_UNITS = 64
"""Units in a chunk at the most: padding of more than this is neither stored nor read."""

SPLITS = ("train", "test")
"""What a sample can be for."""

MAX_BLOCK_EPOCHS = 64
"""Snapshots in a block at the most: what a killed recording loses is at most the block that was
being written, and the one that gathered meanwhile."""


@dataclass(frozen=True)
class StoreSpec:
    """What a new store will hold.

    Parameters
    ----------
    layers : tuple of LayerSpec
        In the order of the network.
    repeats : tuple of int
        Numbers of the repeats.
    epochs : tuple of int
        Epochs to record, ascending; negative ones belong to random-label prefitting.
    trained_epochs : tuple of int
        Every epoch of training.
    label : ndarray, (sample,), integer
        Class of each sample, numbered from 0, as by `ibtools.store.labels.number_classes`.
    split : ndarray, (sample,), str, optional
        "train" or "test"; all "train" by default.
    configuration : mapping, optional
        Everything that determines the recording, as JSON can hold it.
    attributes : mapping, optional
        Further root attributes: experiment, what is known of the data set, library versions.
    keep : {"codes", "partition"}, optional
        Whether to keep the codes and float values, or only which samples share a state of each
        layer.
    prefit : bool, optional
        Whether the training is on random labels, at first or throughout, which the store keeps.
    recomputed : bool, optional
        Whether the store says of how many snapshots computed twice how many values differed.
    inputs : {"population", "sample"}, optional
        Whether the recorded inputs are all that there are, or a sample of them.
    is_chain : bool, optional
        Whether each layer is computed from the one before it and nothing else.
    input : ndarray, (sample,), int64, optional
        Number of each sample's input, as from `ibtools.store.inputs.number_inputs`, if it is known
        which are equal.
    classes : tuple of int or str, optional
        What the classes were called before they were numbered, if not by their numbers.
    growing : bool, optional
        Whether repeats, epochs and scalars may be appended, as by
        `ibtools.store.growth.grow_store`.
    scalars : tuple of str, optional
        Numbers of each epoch trained, beside those of every store: learning rate, say.
    unit_grids : bool, optional
        Whether there is a place for grids of single units.
    known : bool, optional
        Whether the information of the layers is known, and kept.

    Raises
    ------
    StoreError
        If any of it contradicts itself.
    """

    layers: tuple[LayerSpec, ...]
    repeats: tuple[int, ...]
    epochs: tuple[int, ...]
    trained_epochs: tuple[int, ...]
    label: NDArray[np.int64]
    split: NDArray[np.str_] | None = None
    configuration: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    keep: Keep = "codes"
    prefit: bool = False
    recomputed: bool = False
    inputs: Inputs | None = None
    is_chain: bool | None = None
    input: NDArray[np.int64] | None = None
    classes: tuple[int | str, ...] | None = None
    growing: bool = False
    scalars: tuple[str, ...] = ()
    unit_grids: bool = False
    known: bool = False

    def __post_init__(self) -> None:
        if self.keep not in get_args(Keep):
            raise unknown_name("keep", self.keep, get_args(Keep))
        if self.inputs is not None and self.inputs not in get_args(Inputs):
            raise unknown_name("inputs", self.inputs, get_args(Inputs))
        if not isinstance(self.is_chain, bool | np.bool_ | None):
            raise StoreError(f"is_chain must be True, False or None, found {self.is_chain!r}")
        _validate_layers(self.layers)
        _validate_ascending("repeats", whole_numbers("repeats", self.repeats, np.int64))
        _validate_ascending("epochs", whole_numbers("epochs", self.epochs, np.int32))
        whole_numbers("trained_epochs", self.trained_epochs, np.int32)
        _validate_labels(self.label, self.classes)
        for name in self.scalars:
            validate_scalar_name(name)
        for name in ("split", "input"):
            _validate_per_sample(name, getattr(self, name), self.n_samples)
        _validate_splits(self.split)

    @property
    def n_samples(self) -> int:
        """Samples of every snapshot."""
        return int(self.label.shape[0])

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables of the contract that this store has."""
        present: dict[Presence, bool] = {
            "always": True,
            "added": True,
            "quantised": self.keep == "codes" and any(one.quantised for one in self.layers),
            "unit grids": self.keep == "codes" and self.unit_grids,
            "float": self.keep == "codes" and not all(one.quantised for one in self.layers),
            "partition": self.keep == "partition",
            "prefit": self.prefit,
            "recomputed": self.recomputed,
            "input": self.input is not None,
            "known": self.known,
        }
        declared = store_variables([one for one, holds in present.items() if holds])
        return (*declared, *map(scalar_variable, self.scalars))

    @property
    def code_dtype(self) -> str:
        """Dtype of `code`: the narrowest that holds every layer's codes."""
        widest = max((layer.bits for layer in self.layers if layer.quantised), default=8)
        return "uint8" if widest <= 8 else "uint16"

    def chunk_sizes(self) -> dict[str, int]:
        """Return the lengths of dimensions by which chunks are cut: of axes that grow, more."""
        sizes = self.sizes()
        if not self.growing:
            return sizes
        return {**sizes, **{axis: max(sizes[axis], ROW_EPOCHS) for axis in EPOCH_AXES}}

    def sizes(self) -> dict[str, int]:
        """Return the length of every dimension."""
        return {
            "repeat": len(self.repeats),
            "epoch": len(self.epochs),
            "trained_epoch": len(self.trained_epochs),
            "layer": len(self.layers),
            "sample": self.n_samples,
            "unit": max(layer.n_units for layer in self.layers),
        }

    def coordinates(self) -> dict[str, NDArray[Any]]:
        """Return the coordinates that are known before anything is recorded."""
        split = np.full(self.n_samples, "train") if self.split is None else self.split
        known = {} if self.input is None else {"input": np.asarray(self.input, "int64")}
        return {
            "repeat": np.array(self.repeats, "int64"),
            "epoch": np.array(self.epochs, "int32"),
            "trained_epoch": np.array(self.trained_epochs, "int32"),
            "layer": np.array([layer.name for layer in self.layers]),
            "phase": np.array(["prefit" if epoch < 0 else "training" for epoch in self.epochs]),
            "n_units": np.array([layer.n_units for layer in self.layers], "int64"),
            "activation_function": np.array([layer.activation_function for layer in self.layers]),
            "bits": np.array([layer.bits for layer in self.layers], "int64"),
            "label": np.asarray(self.label, "int64"),
            "split": split,
            **known,
        }

    def configuration_json(self) -> str:
        """Return the configuration as the store keeps it."""
        return json.dumps(self.configuration, indent=1, sort_keys=True)


@dataclass(frozen=True)
class Chunking:
    """Chunk and shard shape of a cube (repeat, epoch, layer, sample, unit), or of a partition.

    Without shards, a chunk is a file.
    """

    chunks: tuple[int, ...]
    shards: tuple[int, ...] | None = None


def choose_chunking(sizes: Mapping[str, int], itemsize: int) -> Chunking:
    """Choose how a cube is cut.

    A chunk holds one repeat, one layer, a bounded number of units, as many epochs as memory allows,
    because codes that change little from epoch to epoch are what compresses, and all samples or an
    equal part of them. A shard, which is one file, holds the same block of epochs of all layers
    where that stays small enough, else of one layer: it is the unit of writing.

    Parameters
    ----------
    sizes : mapping
        Length of the five dimensions.
    itemsize : int
        Bytes of a value.

    Returns
    -------
    Chunking
        Shards are whole multiples of chunks.

    Examples
    --------
    >>> sizes = {"repeat": 50, "epoch": 1600, "layer": 6, "sample": 4096, "unit": 10}
    >>> choose_chunking(sizes, itemsize=1).chunks
    (1, 64, 1, 4096, 10)
    """
    units = min(sizes["unit"], CHUNK_UNITS)
    padded_units = math.ceil(sizes["unit"] / units) * units
    layer = sizes["sample"] * padded_units * itemsize
    snapshot = layer * sizes["layer"]
    most = min(BLOCK_BYTES // snapshot, LAYER_BYTES // layer, MAX_BLOCK_EPOCHS)
    epochs = max(1, min(most, sizes["epoch"]))
    parts = math.ceil(sizes["sample"] * epochs * units * itemsize / CHUNK_BYTES)
    samples = math.ceil(sizes["sample"] / parts)
    padded_samples = math.ceil(sizes["sample"] / samples) * samples
    layers = sizes["layer"] if epochs * snapshot <= SHARD_BYTES else 1
    return Chunking(
        (1, epochs, 1, samples, units), (1, epochs, layers, padded_samples, padded_units)
    )


def choose_partition_chunking(sizes: Mapping[str, int], itemsize: int) -> Chunking:
    """Choose how a partition (repeat, epoch, layer, sample) is cut: as a cube of one unit.

    Examples
    --------
    >>> sizes = {"repeat": 10, "epoch": 1500, "layer": 8, "sample": 70_000}
    >>> choose_partition_chunking(sizes, itemsize=4).chunks
    (1, 59, 1, 17500)
    """
    cube = choose_chunking({**sizes, "unit": 1}, itemsize)
    return Chunking(cube.chunks[:-1], cube.shards and cube.shards[:-1])


def choose_grid_chunking(sizes: Mapping[str, int], itemsize: int) -> Chunking:
    """Choose how the grids of units (repeat, epoch, layer, unit) are cut: by the epochs of a cube.

    Parameters
    ----------
    sizes : mapping
        Length of the five dimensions of the cube.
    itemsize : int
        Bytes of a value of the cube.

    Examples
    --------
    >>> sizes = {"repeat": 50, "epoch": 1600, "layer": 6, "sample": 4096, "unit": 10}
    >>> choose_grid_chunking(sizes, itemsize=1).chunks
    (1, 64, 6, 10)
    """
    epochs = choose_chunking(sizes, itemsize).chunks[1]
    return Chunking((1, epochs, sizes["layer"], sizes["unit"]))


def _validate_layers(layers: tuple[LayerSpec, ...]) -> None:
    if not layers:
        raise StoreError("a store needs at least one layer, found none")
    names = [layer.name for layer in layers]
    for name in names:
        if not isinstance(name, str):
            raise StoreError(f"a layer must have a word (str) for a name, found {name!r}")
    if len(set(names)) < len(names):
        raise StoreError(f"layers must have different names, found {', '.join(names)}")
    for layer in layers:
        if not layer.name.strip() or "\0" in layer.name:
            raise StoreError(
                "the name of a layer must have a character that can be seen and no null character, "
                f"found {layer.name!r}; call the layer something else"
            )
        if not isinstance(layer.activation_function, str):
            raise StoreError(
                f"layer {layer.name!r}: the activation function must be a name (str), found "
                f"{layer.activation_function!r}"
            )
        if layer.n_units < 1:
            raise StoreError(f"layer {layer.name!r} must have a unit, found {layer.n_units}")
        if not 1 <= layer.bits <= MAX_CODE_BITS and layer.bits != FLOAT_BITS:
            raise StoreError(
                f"layer {layer.name!r}: bits must be 1 to {MAX_CODE_BITS} (codes) or {FLOAT_BITS} "
                f"(float32), found {layer.bits}"
            )


def whole_numbers(name: str, numbers: ArrayLike, dtype: DTypeLike) -> tuple[int, ...]:
    """Return numbers of repeats or epochs as plain integers, after checking that they are whole.

    Parameters
    ----------
    name : str
        What they are.
    numbers : sequence of int
        The numbers.
    dtype : dtype
        The integers of the store that have to hold them.

    Raises
    ------
    StoreError
        If they are no sequence, not whole, or too large.

    Examples
    --------
    >>> whole_numbers("epochs", range(3), np.int32)
    (0, 1, 2)
    """
    given = np.asarray(numbers, object)  # as they were given: numpy makes all floats if one is
    if given.ndim != 1:
        raise StoreError(f"{name} must be a sequence of whole numbers, found {numbers!r}")
    limits = np.iinfo(np.dtype(dtype))
    plain = [one.item() if isinstance(one, np.generic) else one for one in given.tolist()]
    for number in plain:
        if type(number) is not int or not limits.min <= number <= limits.max:
            raise StoreError(
                f"{name} must be whole numbers from {limits.min} to {limits.max}, found {number!r}"
            )
    return tuple(plain)


def _validate_ascending(name: str, numbers: tuple[int, ...]) -> None:
    if not numbers:
        raise StoreError(f"{name} must name at least one, found none")
    for before, after in pairwise(numbers):
        if before >= after:
            raise StoreError(
                f"{name} must be ascending and without duplicates, found {before}, {after}"
            )


def _validate_labels(label: NDArray[np.integer], classes: tuple[int | str, ...] | None) -> None:
    values = validate_discrete(label)
    low, high = np.unique(values)[[0, -1]].tolist()
    if values.dtype.kind not in "iu" or low < 0 or high > np.iinfo(np.int64).max:
        raise StoreError(
            f"label must number the classes from 0, found {values.dtype}, {low} to {high}; number "
            "them: label, classes = ibtools.store.labels.number_classes(label)"
        )
    if classes is not None and not high < len(classes) == len(set(classes)):
        raise StoreError(
            f"classes must name each of the classes 0 to {high} differently, found {classes}"
        )


def _validate_per_sample(name: str, values: NDArray[Any] | None, n_samples: int) -> None:
    if values is not None and values.shape != (n_samples,):
        raise StoreError(
            f"{name} must have one entry for each of the {n_samples} samples, found shape "
            f"{values.shape}"
        )


def _validate_splits(split: NDArray[np.str_] | None) -> None:
    for name in [] if split is None else dict.fromkeys(split.tolist()):
        if name not in SPLITS:
            raise StoreError(
                f"split must be {' or '.join(SPLITS)} for each sample, found {name!r}; keep other "
                "samples in a store of their own, or tell them apart with `ibtools details --by`"
            )
