"""Stores from arrays: how the data of any other framework comes in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Protocol, cast

import numpy as np
import zarr
from numpy.typing import ArrayLike, NDArray

from ibtools.errors import StoreError
from ibtools.recorders.array_layers import (
    Bits,
    Taken,
    choose_specs,
    spread_grid,
    take_snapshot,
    validate_dims,
    validate_names,
    values_of,
)
from ibtools.recorders.corridor import Corridor, most_waiting
from ibtools.recorders.recorded_samples import RecordedSamples
from ibtools.recorders.training.background import Background
from ibtools.shown import counted
from ibtools.store.creation import create_store
from ibtools.store.layout import StoreSpec, whole_numbers
from ibtools.store.schema import Inputs, Keep
from ibtools.store.snapshots import FLOAT_BITS, LayerSpec, LayerValues
from ibtools.store.storage import StorePath
from ibtools.store.writer import RepeatWriter, validate_snapshot


class ArrayOfSnapshots(Protocol):
    """An array (repeat, epoch, sample, unit, ...): numpy, dask, Zarr, HDF5, memory map."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __getitem__(self, key: Any, /) -> Any:
        """Return ``array[repeat, epoch]``, (sample, unit, ...)."""


Snapshot = tuple[int, int, Mapping[str, NDArray[Any] | LayerValues]]
"""Repeat, epoch, and the array (sample, unit, ...) of every layer."""

PerLayer = Mapping[str, ArrayLike]

_AXES = ("repeat", "epoch", "sample")

_Taken = tuple[int, int, dict[str, Taken]]
"""Repeat, epoch, and what was taken of every layer."""


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
    bits: Bits | None = None,
    x: ArrayLike | str | None = None,
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
        iterable of snapshots ``(repeat, epoch, {layer: array (sample, unit)})``, of which only two
        blocks of epochs are in memory at a time: they are written by a second thread, and copied,
        so that a loop may use its arrays again. Units may have several axes, such as (height,
        width, channel), and are flattened in C order. Floating arrays are stored as `activation`
        (float32; float64 is refused unless it converts without loss), uint8, uint16 and bool arrays
        as `code`; tensors of PyTorch are arrays too. A snapshot may give `ibtools.LayerValues` in
        place of an array, with the scale and zero point of that snapshot.
    label : array_like, (sample,), integer, bool or str
        Label of each sample: any whole numbers, or words. Classes are numbered from 0 in ascending
        order; where that changes the labels, the store keeps them as its attribute `classes`, and
        `ibtools info` names them.
    epochs, repeats : sequence of int, optional
        Their numbers, ascending. From 0 for arrays in memory; must be given for an iterable.
    split : array_like, (sample,), str, optional
        "train" or "test".
    activation_functions : mapping, optional
        Name of the function of each layer; "linear" where not given. Give the codes of a softmax
        layer's logits as "softmax".
    scale, zero_point : mapping, optional
        Layer to number, or to array (repeat, epoch); 1 and 0 where not given. Where units or
        channels have grids of their own, with further axes that broadcast against the units of a
        sample: (repeat, epoch, channel, 1, 1) for channels that come first. For layers of codes in
        a mapping of arrays.
    bits : int or mapping, optional
        Width of the codes of all layers, or of each. Where not given, that of the `LayerValues` or
        of their dtype: 8 for uint8, 16 for uint16, 1 for bool. Codes that are larger are refused.
    x : array_like, (sample, ...), or str, optional
        The inputs, or a number for each: samples with the same input are then known, and H(X) is
        that of the different ones. Without it every sample counts as an input of its own. Or a word
        that identifies them, such as a checksum, which is kept.
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
        If sizes, dtypes or labels contradict each other, if a value is NaN, if a snapshot comes
        twice, or if an iterable ends before every repeat and epoch came. Nothing is created if it
        is seen in the first snapshot; else what came before stays in the store, complete.
    UnknownNameError
        If what is given by layer names none.
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
    samples = RecordedSamples.of(label, split=split, x=x)
    if repeats is not None:
        repeats = whole_numbers("repeats", repeats, np.int64)
    if epochs is not None:
        epochs = whole_numbers("epochs", epochs, np.int32)
    if isinstance(activations, Mapping):
        arrays = {name: _as_array(name, array) for name, array in activations.items()}
        repeats, epochs = _default_numbers(arrays, repeats, epochs, samples.n_samples)
        taken = map(_take, _snapshots(arrays, repeats, epochs, scale, zero_point))
    else:
        taken = map(_take, _stream(activations, scale, zero_point))
    if epochs is None or repeats is None:
        raise StoreError("an iterable of snapshots needs epochs= and repeats=: all that will come")
    first = next(taken, None)
    if first is None:
        raise StoreError("activations must hold at least one snapshot, found none")
    spec = StoreSpec(
        layers=_choose_layers(first, activation_functions, bits, scale, zero_point),
        repeats=tuple(repeats),
        epochs=tuple(epochs),
        trained_epochs=tuple(epochs),
        attributes={"experiment": "arrays", **samples.attributes()},
        keep=keep,
        inputs=inputs,
        is_chain=is_chain,
        unit_grids=any(one.has_unit_grids for one in values_of(first[2]).values()),
        **samples.fields(),
    )
    _validate_place(first, spec)
    validate_snapshot(spec.layers, values_of(first[2]), spec.n_samples)
    group = create_store(path, spec, overwrite=overwrite)
    _write(group, spec, chain([first], taken), copies=not isinstance(activations, Mapping))


def _as_array(name: str, array: Any) -> ArrayOfSnapshots:
    """Return an array of snapshots as it is, or made of what has no shape, such as lists."""
    if isinstance(array, LayerValues):
        raise StoreError(
            f"layer {name!r} is a LayerValues, which is of one snapshot; give an array with scale= "
            "and zero_point=, or an iterable of snapshots"
        )
    validate_dims(name, array, _AXES)
    try:
        return cast(ArrayOfSnapshots, array if hasattr(array, "shape") else np.asarray(array))
    except ValueError as err:
        raise StoreError(
            f"layer {name!r} must be an array (repeat, epoch, sample, unit): {err}"
        ) from err


def _default_numbers(
    arrays: Mapping[str, ArrayOfSnapshots],
    repeats: Sequence[int] | None,
    epochs: Sequence[int] | None,
    n_samples: int,
) -> tuple[Sequence[int], Sequence[int]]:
    """Return the numbers of repeats and epochs after checking that every layer has as many."""
    for name, array in arrays.items():
        if len(array.shape) < 4 or array.shape[2] != n_samples:
            raise StoreError(
                f"layer {name!r} must be (repeat, epoch, sample, unit), of the {n_samples} samples "
                f"that have a label, found shape {tuple(array.shape)}; of a single snapshot, give "
                "array[None, None]"
            )
        repeats = range(array.shape[0]) if repeats is None else repeats
        epochs = range(array.shape[1]) if epochs is None else epochs
        if tuple(array.shape[:2]) != (len(repeats), len(epochs)):
            raise StoreError(
                f"layer {name!r} must have {counted(len(repeats), 'repeat')} and "
                f"{counted(len(epochs), 'epoch')}, found {array.shape[0]} and {array.shape[1]}"
            )
    if repeats is None or epochs is None:
        raise StoreError("activations must hold at least one layer, found none")
    return repeats, epochs


def _snapshots(
    arrays: Mapping[str, ArrayOfSnapshots],
    repeats: Sequence[int],
    epochs: Sequence[int],
    scale: PerLayer | None,
    zero_point: PerLayer | None,
) -> Iterator[Snapshot]:
    """Take arrays apart, after checking the grids of all snapshots."""
    shape = (len(repeats), len(epochs))
    validate_names("scale", scale, arrays)
    validate_names("zero_point", zero_point, arrays)
    scales = {
        name: spread_grid("scale", name, (scale or {}).get(name, 1.0), shape) for name in arrays
    }
    zeros = {
        name: spread_grid("zero_point", name, (zero_point or {}).get(name, 0), shape)
        for name in arrays
    }
    for row, repeat in enumerate(repeats):
        for column, epoch in enumerate(epochs):
            at = (row, column)
            yield (
                repeat,
                epoch,
                {
                    name: LayerValues(array[at], scales[name][at], zeros[name][at])
                    for name, array in arrays.items()
                },
            )


def _stream(activations: Any, scale: Any, zero_point: Any) -> Iterator[Snapshot]:
    """Return snapshots as they come, after checking that these may be some."""
    if not isinstance(activations, Iterable) or hasattr(activations, "dtype"):
        raise StoreError(
            "activations must be a mapping {layer: array}, or an iterable of snapshots (repeat, "
            f"epoch, {{layer: array}}), found {type(activations).__name__}"
        )
    if scale is not None or zero_point is not None:
        raise StoreError(
            "with an iterable, give scale and zero point as LayerValues in each snapshot"
        )
    return iter(activations)


def _take(snapshot: Any) -> _Taken:
    """Make a snapshot into what a store takes."""
    parts = list(snapshot) if isinstance(snapshot, tuple | list) else [snapshot]
    is_one = len(parts) == 3 and isinstance(parts[2], Mapping)
    if not is_one or not all(isinstance(number, int | np.integer) for number in parts[:2]):
        raise StoreError(
            "a snapshot must be (repeat, epoch, {layer: array}) with whole numbers, found "
            f"({', '.join(type(part).__name__ for part in parts)})"
        )
    repeat, epoch, layers = parts
    return int(repeat), int(epoch), take_snapshot(layers)


def _choose_layers(
    first: _Taken,
    functions: Mapping[str, str] | None,
    bits: Bits | None,
    scale: PerLayer | None,
    zero_point: PerLayer | None,
) -> tuple[LayerSpec, ...]:
    """Return the layers, after checking that what is given by layer is of one that can have it."""
    layers = first[2]
    for option, given in (("scale", scale), ("zero_point", zero_point)):
        for name in given or ():
            if layers[name][1] == FLOAT_BITS:
                raise StoreError(
                    f"{option} is of codes, but layer {name!r} has values; leave it out"
                )
    return choose_specs(layers, functions, bits)


def _validate_place(snapshot: _Taken, spec: StoreSpec) -> None:
    repeat, epoch, _ = snapshot
    if repeat not in spec.repeats:
        raise StoreError(f"repeat {repeat} was not announced; repeats= names {spec.repeats}")
    if epoch not in spec.epochs:
        raise StoreError(
            f"epoch {epoch} was not announced; epochs= names {len(spec.epochs)}, "
            f"{spec.epochs[0]} to {spec.epochs[-1]}"
        )


def _write(
    group: zarr.Group, spec: StoreSpec, snapshots: Iterable[_Taken], *, copies: bool
) -> None:
    """Take all snapshots to their repeats; what came before an error is in the store."""
    writers = {repeat: RepeatWriter(group, repeat) for repeat in spec.repeats}
    first = writers[spec.repeats[0]]
    most = most_waiting(first, most=first.block_size)
    came: set[tuple[int, int]] = set()
    with Background(most) as background:
        corridors = {
            repeat: Corridor(writer, background, copies=copies)
            for repeat, writer in writers.items()
        }
        try:
            for snapshot in snapshots:
                _validate_place(snapshot, spec)
                repeat, epoch, taken = snapshot
                if (repeat, epoch) in came:
                    raise StoreError(f"the snapshot of repeat {repeat}, epoch {epoch} came twice")
                corridors[repeat].add_snapshot(epoch, values_of(taken))
                came.add((repeat, epoch))
        finally:
            for corridor in corridors.values():
                corridor.flush()
        _validate_all_came(writers, spec)
        for corridor in corridors.values():
            corridor.finish("trained")


def _validate_all_came(writers: Mapping[int, RepeatWriter], spec: StoreSpec) -> None:
    for repeat, writer in writers.items():
        missing = [
            epoch for epoch, there in zip(spec.epochs, writer.complete, strict=True) if not there
        ]
        if missing:
            raise StoreError(
                f"the snapshots ended early: repeat {repeat} lacks {len(missing)} of "
                f"{counted(len(spec.epochs), 'epoch')}, first {missing[0]}; what came is in the "
                "store"
            )
