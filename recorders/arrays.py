"""Stores from arrays: how the data of any other framework comes in."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import zarr
from numpy.typing import ArrayLike, NDArray

from ibtools.errors import StoreError
from ibtools.layout import StoreSpec
from ibtools.schema import Inputs, Keep
from ibtools.snapshots import FLOAT_BITS, LayerSpec, LayerValues
from ibtools.store import StorePath, create_store
from ibtools.writer import RepeatWriter


class ArrayOfSnapshots(Protocol):
    """An array (repeat, epoch, sample, unit): numpy, dask, Zarr, HDF5, memory map."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __getitem__(self, key: Any, /) -> Any:
        """Return ``array[repeat, epoch]``, (sample, unit)."""


Snapshot = tuple[int, int, Mapping[str, NDArray[Any] | LayerValues]]
"""Repeat, epoch, and the array (sample, unit) of every layer."""

PerLayer = Mapping[str, ArrayLike]


def record_arrays(
    path: StorePath,
    activations: Mapping[str, ArrayOfSnapshots] | Iterable[Snapshot],
    *,
    label: ArrayLike,
    epochs: Sequence[int] | None = None,
    repeats: Sequence[int] | None = None,
    split: ArrayLike | None = None,
    activation_functions: Mapping[str, str] | None = None,
    scale: PerLayer | None = None,
    zero_point: PerLayer | None = None,
    keep: Keep = "codes",
    inputs: Inputs | None = None,
    is_chain: bool | None = None,
    overwrite: bool = False,
) -> None:
    """Write activations that were computed elsewhere to a store.

    Parameters
    ----------
    path : path or URL
        Where to; nothing may be there.
    activations : mapping or iterable
        Either a mapping of a layer's name to its array (repeat, epoch, sample, unit), or an
        iterable of snapshots ``(repeat, epoch, {layer: array (sample, unit)})``, of which only one
        block of epochs is in memory at a time. Floating arrays are stored as `activation` (float32;
        float64 is refused unless it converts without loss), uint8 and uint16 arrays as `code`. A
        snapshot may give `ibtools.LayerValues` in place of an array, with the scale and zero point
        of that snapshot.
    label : array_like, (sample,), integer
        Class of each sample, from 0.
    epochs, repeats : sequence of int, optional
        Their numbers, ascending. From 0 for arrays in memory; must be given for an iterable.
    split : array_like, (sample,), str, optional
        "train" or "test".
    activation_functions : mapping, optional
        Name of the function of each layer; "linear" where not given. Give the codes of a softmax
        layer's logits as "softmax".
    scale, zero_point : mapping, optional
        Layer to number, or to array (repeat, epoch); 1 and 0 where not given. Only with a mapping
        of arrays.
    keep : {"codes", "partition"}, optional
        "partition" keeps only which samples share a state of each layer: far smaller where layers
        are wide, lossless for the exact information of whole layers, useless for all else.
    inputs : {"population", "sample"}, optional
        Whether these inputs are all that there are, or a sample of them; estimates for a population
        are refused where there is no other.
    is_chain : bool, optional
        Whether each layer is computed from the one before it and nothing else; `ibtools.check` then
        takes broken data processing for a violation.
    overwrite : bool, optional
        Replace the ibtools store that is at `path`.

    Raises
    ------
    StoreError
        If sizes, dtypes or labels contradict each other, if a value is NaN, or if an iterable ends
        before every repeat and epoch came. What came before stays in the store, complete.
    StoreExistsError
        If something is at `path`.

    Examples
    --------
    >>> import numpy as np, tempfile, ibtools
    >>> rng = np.random.default_rng(0)
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = f"{folder.name}/run.zarr"
    >>> hidden = rng.random((2, 3, 8, 5), dtype="float32")
    >>> ibtools.record_arrays(path, {"hidden": hidden}, label=np.arange(8) % 2, epochs=[0, 1, 10])
    >>> dict(ibtools.open_store(path).activation.sizes)
    {'repeat': 2, 'epoch': 3, 'layer': 1, 'sample': 8, 'unit': 5}
    >>> folder.cleanup()
    """
    label = np.asarray(label)
    if isinstance(activations, Mapping):
        repeats, epochs = _default_numbers(activations, repeats, epochs)
        snapshots = _snapshots(activations, repeats, epochs, scale or {}, zero_point or {})
    elif epochs is None or repeats is None:
        raise StoreError("an iterable of snapshots needs epochs= and repeats=: all that will come")
    elif scale is not None or zero_point is not None:
        raise StoreError(
            "with an iterable, give scale and zero point as LayerValues in each snapshot"
        )
    else:
        snapshots = iter(activations)
    first = next(snapshots, None)
    if first is None:
        raise StoreError("activations must hold at least one snapshot, found none")
    spec = StoreSpec(
        layers=_layer_specs(first, activation_functions or {}),
        repeats=tuple(repeats),
        epochs=tuple(epochs),
        trained_epochs=tuple(epochs),
        label=label,
        split=None if split is None else np.asarray(split),
        attributes={"experiment": "arrays"},
        keep=keep,
        inputs=inputs,
        is_chain=is_chain,
    )
    _write(create_store(path, spec, overwrite=overwrite), spec, first, snapshots)


def _default_numbers(
    arrays: Mapping[str, ArrayOfSnapshots],
    repeats: Sequence[int] | None,
    epochs: Sequence[int] | None,
) -> tuple[Sequence[int], Sequence[int]]:
    """Return the numbers of repeats and epochs after checking that every layer has as many."""
    for name, array in arrays.items():
        if len(array.shape) != 4:
            raise StoreError(
                f"layer {name!r} must be (repeat, epoch, sample, unit), found shape {array.shape}"
            )
        repeats = range(array.shape[0]) if repeats is None else repeats
        epochs = range(array.shape[1]) if epochs is None else epochs
        if array.shape[:2] != (len(repeats), len(epochs)):
            raise StoreError(
                f"layer {name!r} must have {len(repeats)} repeats and {len(epochs)} epochs, "
                f"found {array.shape[0]} and {array.shape[1]}"
            )
    if repeats is None or epochs is None:
        raise StoreError("activations must hold at least one layer, found none")
    return repeats, epochs


def _snapshots(
    arrays: Mapping[str, ArrayOfSnapshots],
    repeats: Sequence[int],
    epochs: Sequence[int],
    scale: PerLayer,
    zero_point: PerLayer,
) -> Iterator[Snapshot]:
    shape = (len(repeats), len(epochs))
    scales = {name: np.broadcast_to(scale.get(name, 1.0), shape) for name in arrays}
    zero_points = {name: np.broadcast_to(zero_point.get(name, 0), shape) for name in arrays}
    for row, repeat in enumerate(repeats):
        for column, epoch in enumerate(epochs):
            at = (row, column)
            yield (
                repeat,
                epoch,
                {
                    name: LayerValues(
                        np.asarray(array[at]), float(scales[name][at]), int(zero_points[name][at])
                    )
                    for name, array in arrays.items()
                },
            )


def _layer_specs(first: Snapshot, functions: Mapping[str, str]) -> tuple[LayerSpec, ...]:
    specs = []
    for name, layer in first[2].items():
        values = layer.values if isinstance(layer, LayerValues) else np.asarray(layer)
        if values.ndim != 2:
            raise StoreError(f"layer {name!r} must be (sample, unit), found shape {values.shape}")
        bits = _bits(name, values.dtype)
        specs.append(LayerSpec(name, values.shape[1], functions.get(name, "linear"), bits))
    return tuple(specs)


def _bits(name: str, dtype: np.dtype[Any]) -> int:
    if np.issubdtype(dtype, np.floating):
        return FLOAT_BITS
    if dtype in (np.uint8, np.uint16):
        return 8 * dtype.itemsize
    raise StoreError(
        f"layer {name!r} must be floating (values), uint8 or uint16 (codes), found {dtype}; "
        "shift signed codes, and their zero point, by half their range"
    )


def _write(group: zarr.Group, spec: StoreSpec, first: Snapshot, rest: Iterator[Snapshot]) -> None:
    writers = {repeat: RepeatWriter(group, repeat) for repeat in spec.repeats}
    try:
        for snapshot in _chain(first, rest):
            _add(writers, spec, snapshot)
    finally:
        for writer in writers.values():
            writer.commit()
    _validate_all_came(writers, spec)
    for writer in writers.values():
        writer.finish("trained")


def _chain(first: Snapshot, rest: Iterator[Snapshot]) -> Iterator[Snapshot]:
    yield first
    yield from rest


def _add(writers: Mapping[int, RepeatWriter], spec: StoreSpec, snapshot: Snapshot) -> None:
    repeat, epoch, layers = snapshot
    if repeat not in writers:
        raise StoreError(f"repeat {repeat} was not announced; repeats= names {spec.repeats}")
    writers[repeat].add_snapshot(
        epoch, {name: _layer_values(name, layer) for name, layer in layers.items()}
    )


def _layer_values(name: str, layer: NDArray[Any] | LayerValues) -> LayerValues:
    if not isinstance(layer, LayerValues):
        layer = LayerValues(np.asarray(layer), scale=1.0)
    values = layer.values
    if not np.issubdtype(values.dtype, np.floating) or values.dtype == np.float32:
        return layer
    narrow = values.astype(np.float32)
    if values.dtype.itemsize > 4 and not np.array_equal(narrow, values, equal_nan=True):
        raise StoreError(
            f"layer {name!r} is {values.dtype} and loses digits as float32, which could merge "
            "states; convert it with .astype('float32') if that is meant"
        )
    return LayerValues(narrow)


def _validate_all_came(writers: Mapping[int, RepeatWriter], spec: StoreSpec) -> None:
    for repeat, writer in writers.items():
        missing = [
            epoch for epoch, there in zip(spec.epochs, writer.complete, strict=True) if not there
        ]
        if missing:
            raise StoreError(
                f"the snapshots ended early: repeat {repeat} lacks {len(missing)} of "
                f"{len(spec.epochs)} epochs, first {missing[0]}; what came is in the store"
            )
