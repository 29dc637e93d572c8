"""Writing one repeat of a store: buffer a block, write whole shards, then set the commit mark."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import zarr
from numpy.typing import NDArray

from ibtools.errors import StoreError
from ibtools.store.decode import dequantise
from ibtools.store.groups import get_array, writing
from ibtools.store.header import Header
from ibtools.store.schema import STORE_VARIABLES, UNIT_GRIDS, Keep, Variable, scalars_of
from ibtools.store.snapshots import (
    HISTORY,
    History,
    LayerSpec,
    LayerValues,
    validate_grid,
)
from ibtools.store.staged import Staging
from ibtools.store.symbols import exact_symbols
from ibtools.store.validation.declared import as_meant

_GRID = {one.name: one.fill for one in STORE_VARIABLES if one.name in ("scale", "zero_point")}
"""The variables that hold the grid of a layer, and what they have where units have their own."""


@dataclass(frozen=True)
class Kept:
    """What a store keeps of one layer of one snapshot.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        By variable: codes (sample, unit), values or the partition (sample,); grids (unit,).
    rows : mapping of str to number
        One of each variable (repeat, epoch, layer).
    """

    arrays: Mapping[str, NDArray[Any]]
    rows: Mapping[str, Any]

    @classmethod
    def of(cls, layer: LayerValues, spec: LayerSpec, keep: Keep) -> "Kept":
        """Take it from what was recorded."""
        values: NDArray[Any] = layer.values
        low, high = _range(layer, spec)
        rows: dict[str, Any] = {"activation_min": low, "activation_max": high}
        if keep == "partition":
            from ibtools.partition import partition  # numba is loaded where it is needed only

            labels, _ = partition(exact_symbols(values, spec))
            return cls({"partition": labels}, rows)
        arrays = {spec.variable: values}
        if spec.quantised:
            grid: dict[str, Any] = dict(zip(_GRID, layer.grid, strict=True))
            if layer.has_unit_grids:
                arrays |= {f"unit_{name}": numbers for name, numbers in grid.items()}
                grid = _GRID
            rows |= grid
        return cls(arrays, rows)


def _range(layer: LayerValues, spec: LayerSpec) -> tuple[Any, Any]:
    """Return the smallest and the largest value; of codes, what they stand for."""
    values = layer.values
    if not spec.quantised:
        return values.min(), values.max()
    axis = 0 if layer.has_unit_grids else None
    ends = dequantise(np.stack([values.min(axis=axis), values.max(axis=axis)]), *layer.grid)
    return ends.min(), ends.max()


class RepeatWriter:
    """Writes the snapshots of one repeat in the order of their epochs.

    Snapshots gather in a block of as many epochs as a chunk holds. A full block is written at once,
    and only then marked complete; whatever kills the process leaves every complete snapshot intact.
    One process writes a repeat at a time; repeats are independent of each other.

    Parameters
    ----------
    group : zarr.Group
        A store, open for writing.
    repeat : int
        The repeat's number (not its position).
    coordinates : mapping of str to ndarray, optional
        Those of the store, as from `ibtools.store.opened.open_checked`, if they were read already.

    Raises
    ------
    StoreError
        If the store has no such repeat.
    """

    def __init__(
        self,
        group: zarr.Group,
        repeat: int,
        coordinates: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        self._repeat = repeat
        self._header = header = Header.of(group, coordinates)
        self._row = _position(header.coordinates["repeat"], repeat, "repeat")
        self._staging = Staging(group, self._row)
        self._group = self._staging.group
        self._layers = header.layers
        self._epochs = header.coordinates["epoch"]
        self._trained_epochs = header.coordinates["trained_epoch"]
        self._variables = _row_variables(group)
        self._rows = {name: self._read_row(name) for name in self._variables}
        self._on_disk: dict[tuple[str, int], bytes] = {}
        self._recorded = header.recorded
        self._by_block = (*header.recorded, *(name for name in UNIT_GRIDS if name in group))
        self._keep = header.keep
        self._block_size = int(get_array(group, self._recorded[0]).chunks[1])
        self._block: dict[int, Mapping[str, Kept]] = {}

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Which epochs of the schedule are on disk, (epoch,), bool."""
        return self._rows["complete"].copy()

    @property
    def layers(self) -> tuple[LayerSpec, ...]:
        """The layers of the store, in the order of the network."""
        return self._layers

    @property
    def n_samples(self) -> int:
        """Samples of every snapshot."""
        return self._header.n_samples

    @property
    def keep(self) -> Keep:
        """What the store keeps of a snapshot."""
        return self._keep

    @property
    def block_size(self) -> int:
        """How many epochs of the schedule are written at once."""
        return self._block_size

    @property
    def takes_unit_grids(self) -> bool:
        """Whether layers may have grids of single units: a partition needs no place for them."""
        return self._keep == "partition" or len(self._by_block) > len(self._recorded)

    def validate_epoch(self, epoch: int) -> None:
        """Check that a snapshot of an epoch has a place in the store."""
        _position(self._epochs, epoch, "epoch")

    def validate_trained_epoch(self, trained_epoch: int) -> None:
        """Check that numbers after an epoch of training have a place in the store."""
        _position(self._trained_epochs, trained_epoch, "trained_epoch")

    def ends_block(self, epoch: int) -> bool:
        """Whether the snapshot of a scheduled epoch is the last of its block."""
        return self._ends_block(_position(self._epochs, epoch, "epoch"))

    def _ends_block(self, position: int) -> bool:
        return (position + 1) % self._block_size == 0 or position + 1 == len(self._epochs)

    def add_snapshot(self, epoch: int, layers: Mapping[str, LayerValues]) -> bool:
        """Add the snapshot of one scheduled epoch.

        Parameters
        ----------
        epoch : int
            One of the store's epochs.
        layers : mapping of str to LayerValues
            Every layer of the store.

        Returns
        -------
        bool
            Whether this snapshot filled its block, which is now on disk and complete.

        Raises
        ------
        StoreError
            If the epoch is not scheduled, or a layer is missing, unknown, or of another shape or
            dtype. Nothing is written then.
        """
        validate_snapshot(self._layers, layers, self.n_samples, unit_grids=self.takes_unit_grids)
        return self.add_kept(
            epoch,
            {spec.name: Kept.of(layers[spec.name], spec, self._keep) for spec in self._layers},
        )

    def add_kept(self, epoch: int, layers: Mapping[str, Kept]) -> bool:
        """Add a snapshot as `add_snapshot` does, which was validated and reduced before."""
        position = _position(self._epochs, epoch, "epoch")
        if self._block and position // self._block_size != min(self._block) // self._block_size:
            self.commit()
        self._block[position] = layers
        if not self._ends_block(position):
            return False
        self.commit()
        return True

    def add_history(self, trained_epoch: int, history: History) -> None:
        """Add loss and accuracy after one epoch of training; written with the next block."""
        self.add_scalars(trained_epoch, {name: getattr(history, name) for name in HISTORY})

    def add_scalars(self, trained_epoch: int, numbers: Mapping[str, float]) -> None:
        """Add numbers after one epoch of training, by name; written with the next block."""
        position = _position(self._trained_epochs, trained_epoch, "trained_epoch")
        for name, number in numbers.items():
            self._rows[name][position] = number

    def go_on_after(self, epoch: int) -> None:
        """Go on with a repeat after an epoch: numbers of later ones are forgotten."""
        later = self._trained_epochs > epoch
        for name, variable in self._variables.items():
            if variable.rhythm == "trained epoch":
                self._rows[name][later] = variable.fill
        self.commit()
        with self._writing():
            _write(self._group, "outcome", (self._row,), "pending")

    def set_numbers(self, **numbers: int | NDArray[Any]) -> None:
        """Set variables that have one number of the repeat, or of each epoch trained, all at once.

        They are written with the next block. A store that has no place for one does without.
        """
        for name, number in numbers.items():
            if name in self._rows:
                self._rows[name] = np.full_like(self._rows[name], number)

    def set_random_label(self, label: NDArray[np.integer]) -> None:
        """Write the random labels that the network is trained on, before epoch 0 or throughout.

        Parameters
        ----------
        label : ndarray, (sample,), integer
            The classes of the data set, shuffled over all its samples, or the training ones.

        Raises
        ------
        StoreError
            If the store is not made for random labels, or these are not one class per sample.
        """
        if "random_label" not in self._group:
            raise StoreError(
                "the store has no place for random labels; create it with StoreSpec(prefit=True)"
            )
        true = self._header.coordinates["label"]
        if label.shape != true.shape or label.min() < 0:
            raise StoreError(
                f"random labels must number a class from 0 for each of the {true.size} samples, "
                f"found shape {label.shape}, {label.min()} to {label.max()}"
            )
        with self._writing():
            _write(self._group, "random_label", (self._row,), label)

    def commit(self) -> None:
        """Write what has gathered, then mark it complete.

        Raises
        ------
        StoreError
            If the disk is full or the store can't be written to. What was complete stays so.
        """
        with self._writing():
            if self._block:
                self._write_block(sorted(self._block))
            for name in self._rows:
                if name != "complete":
                    self._write_row(name)
            self._rows["complete"][list(self._block)] = True
            self._write_row("complete")
        self._block.clear()

    def finish(self, outcome: Literal["trained", "failed"]) -> None:
        """Write what is left and the outcome of the repeat."""
        self.commit()
        with self._writing():
            _write(self._group, "outcome", (self._row,), outcome)

    def start_attempt(self, *, seed: int, failed_attempts: int) -> None:
        """Begin the repeat anew: nothing of it counts as complete any more, nor as finished."""
        self._block.clear()
        rows = self._variables.items()
        begun_anew = ["complete", *(name for name, one in rows if one.rhythm != "snapshot")]
        with self._writing():
            self._staging.forget(self._by_block)
            for name in begun_anew:
                self._rows[name] = np.full_like(self._rows[name], self._variables[name].fill)
                self._write_row(name)
            _write(self._group, "seed", (self._row,), seed)
            _write(self._group, "failed_attempts", (self._row,), failed_attempts)
            if self._header.coordinates["outcome"][self._row] != "pending":
                _write(self._group, "outcome", (self._row,), "pending")

    def _write_block(self, positions: Sequence[int]) -> None:
        for index, spec in enumerate(self._layers):
            for position in positions:
                for name, value in self._block[position][spec.name].rows.items():
                    self._rows[name][position, index] = value
        start = positions[0] // self._block_size * self._block_size
        stop = min(start + self._block_size, len(self._epochs))
        for name in self._by_block:
            self._write_array(name, slice(start, stop))

    def _write_array(self, name: str, epochs: slice) -> None:
        """Write one block of what was recorded, whole shards at a time."""
        array = get_array(self._group, name)
        shards = array.shards or array.chunks
        for first in range(0, len(self._layers), shards[2]):
            layers = slice(first, min(first + shards[2], len(self._layers)))
            region = self._gather(array, name, epochs, layers)
            if region is not None:
                array[self._row, epochs, layers] = region

    def _gather(
        self, array: "zarr.Array[Any]", name: str, epochs: slice, layers: slice
    ) -> NDArray[Any] | None:
        """Return the block (epoch, layer, ...), or None if the array has no such layer."""
        specs = self._layers[layers]
        by_layer = name in ("code", "activation")
        if by_layer and all(spec.variable != name for spec in specs):
            return None
        region = self._region(array, epochs, layers)
        for position, snapshot in self._block.items():
            for index, spec in enumerate(specs):
                kept, place = snapshot[spec.name].arrays.get(name), region[position - epochs.start]
                if kept is not None:
                    place[(index, *(slice(size) for size in kept.shape))] = kept
        return region

    def _region(self, array: "zarr.Array[Any]", epochs: slice, layers: slice) -> NDArray[Any]:
        """Return what to start a block from: what is on disk if any of it counts, else nothing."""
        if self._rows["complete"][epochs].any():
            return np.array(array[self._row, epochs, layers])
        shape = (epochs.stop - epochs.start, layers.stop - layers.start, *array.shape[3:])
        return np.full(shape, array.fill_value, array.dtype)

    def _read_row(self, name: str) -> NDArray[Any]:
        array = get_array(self._group, name)
        return as_meant(array[self._row], array)

    def _write_row(self, name: str) -> None:
        """Write what changed: each file that is replaced has to be on the disk before the mark."""
        row, array = np.atleast_1d(self._rows[name]), get_array(self._group, name)
        step = array.chunks[1] if array.ndim > 1 else 1
        for start in range(0, len(row), step):
            piece = row[start : start + step]
            if self._on_disk.get((name, start)) == piece.tobytes():
                continue
            key = (self._row, slice(start, start + len(piece)))[: array.ndim]
            array[key] = piece if array.ndim > 1 else piece[0]
            self._on_disk[name, start] = piece.tobytes()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Write some files with their checksums: all that a mark promises before the mark."""
        with writing(self._group):
            self._staging.begin()
            yield
            self._staging.commit()


def _row_variables(group: zarr.Group) -> dict[str, Variable]:
    """Return what is in memory of a repeat: all that there is but of each sample or unit."""
    declared = (*STORE_VARIABLES, *scalars_of(group.attrs))
    return {
        one.name: one
        for one in declared
        if one.rhythm != "store"
        and not one.coordinate
        and not {"sample", "unit"} & set(one.dims)
        and one.name in group
    }


def _write(group: zarr.Group, name: str, key: tuple[Any, ...], value: Any) -> None:
    get_array(group, name)[key] = value


def _position(known: NDArray[Any], wanted: int, dim: str) -> int:
    found = np.flatnonzero(known == wanted)
    if not found.size:
        raise StoreError(
            f"{dim} {wanted} is not in the store, which holds {known[0]} to {known[-1]} "
            f"({len(known)} of them); create the store with all that is to be recorded"
        )
    return int(found[0])


def validate_snapshot(
    specs: Sequence[LayerSpec],
    layers: Mapping[str, LayerValues],
    n_samples: int,
    *,
    unit_grids: bool = True,
) -> None:
    """Check that a snapshot is what a store of these layers and samples takes.

    `unit_grids` says whether it has a place for grids of single units.
    """
    _validate_names(specs, layers)
    for spec in specs:
        layer = layers[spec.name]
        _validate_values(spec, layer, n_samples)
        if spec.quantised and layer.has_unit_grids and not unit_grids:
            raise StoreError(
                f"layer {spec.name!r} has grids of single units, for which this store has no "
                "place: its first snapshot must have them too, or it is created with "
                "StoreSpec(unit_grids=True)"
            )


def _validate_names(specs: Sequence[LayerSpec], layers: Mapping[str, LayerValues]) -> None:
    expected = [spec.name for spec in specs]
    if set(layers) != set(expected):
        raise StoreError(
            f"a snapshot must have the layers {', '.join(expected)}; found {', '.join(layers)}"
        )


def _validate_values(spec: LayerSpec, layer: LayerValues, n_samples: int) -> None:
    values = layer.values
    if values.shape != (n_samples, spec.n_units):
        raise StoreError(
            f"layer {spec.name!r} must be (sample, unit) = {(n_samples, spec.n_units)}, "
            f"found {values.shape}"
        )
    if spec.quantised:
        _validate_codes(spec, layer)
    elif values.dtype != np.float32:
        raise StoreError(f"layer {spec.name!r} must be float32, found {values.dtype}")
    elif np.isnan(values).any():
        sample, unit = np.argwhere(np.isnan(values))[0]
        raise StoreError(
            f"layer {spec.name!r} must have no NaN, found one at sample {sample}, unit {unit}: "
            "the training diverged, or the array is padded"
        )


def _validate_codes(spec: LayerSpec, layer: LayerValues) -> None:
    dtype = layer.values.dtype
    if dtype not in (np.uint8, np.uint16):
        raise StoreError(f"layer {spec.name!r}: codes must be uint8 or uint16, found {dtype}")
    if int(layer.values.max()) >= 2**spec.bits:
        raise StoreError(
            f"layer {spec.name!r}: {spec.bits}-bit codes must be below {2**spec.bits}, found "
            f"{layer.values.max()}"
        )
    validate_grid(spec.name, layer.scale, layer.zero_point)
    for name in _GRID:
        shape = np.shape(getattr(layer, name))
        if shape not in ((), (spec.n_units,)):
            raise StoreError(
                f"layer {spec.name!r} must have one {name}, or one of each of the {spec.n_units} "
                f"units, found shape {shape}"
            )
    if spec.is_softmax_of_codes and any(np.ptp(numbers) for numbers in layer.grid):
        raise StoreError(
            f"layer {spec.name!r} holds the codes of a softmax layer's logits, which must be on "
            "one grid, found grids of single units that differ; record the logits as a 'linear' "
            "layer, or the probabilities as values"
        )
