"""The one pass over a recording from which its audit is made, out of core."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import dask
import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from ibtools.analysis.check.refinement import conditional_entropies, count_split_states
from ibtools.analysis.information import information_of_labels
from ibtools.analysis.partition import partition_block
from ibtools.header import Header
from ibtools.progress import progress_bar
from ibtools.schema import CUBE
from ibtools.snapshots import LayerSpec
from ibtools.storage import decoding
from ibtools.store import get_array
from ibtools.symbols import exact_symbols

BLOCKS_PER_ROUND = 32
"""Blocks that are measured side by side before progress is told."""

MEASURES: dict[str, tuple[str, float]] = {
    "n_states": ("int64", 0),
    "entropy_t": ("float64", np.nan),
    "mi_ty": ("float64", np.nan),
    "lowest": ("float64", np.nan),
    "highest": ("float64", np.nan),
    "n_at_lowest_code": ("int64", 0),
    "n_at_highest_code": ("int64", 0),
    "n_not_a_number": ("int64", 0),
    "n_in_padding": ("int64", 0),
    "n_split_states": ("int64", 0),
    "split_entropy": ("float64", 0.0),
    "n_split_inputs": ("int64", 0),
}
"""Dtype of each measure, and its value where a snapshot is not complete or has no such thing."""

Measures = dict[str, NDArray[Any]]


def measure_recording(group: zarr.Group, *, quiet: bool = False) -> xr.Dataset:
    """Read every complete snapshot of a store once, and measure what an audit needs.

    Parameters
    ----------
    group : zarr.Group
        A store.
    quiet : bool, optional
        Show no progress.

    Returns
    -------
    Dataset, (repeat, epoch, layer)
        `n_states` (int64), `entropy_t` and `mi_ty` (float64, bit): those of the exact symbols,
        counted anew. `lowest` and `highest` (float64): code of a quantised layer, value of a float
        layer. `n_at_lowest_code` and `n_at_highest_code` (int64): codes 0 and 2^bits - 1.
        `n_not_a_number` (int64). `n_in_padding` (int64): values beyond the units of the layer, in
        chunks that hold units. `n_split_states` (int64) and `split_entropy` (float64, bit):
        states of the layer before that this layer tells apart, and H(layer | layer before).
        `n_split_inputs` (int64): inputs of several samples that are in different states. Of a store
        that keeps the partition, only what follows from it. Consumes sample and unit.

    Notes
    -----
    A task reads one block of epochs of one repeat, layer after layer, a chunk of units at a time;
    it keeps the labels of two layers. The rows of wider layers are partitioned portion by portion:
    pairs of labels are rows again. A softmax layer of codes is read as a whole, because its symbols
    need the largest code of all units.
    """
    source = _Source.of(group)
    shape = (*source.header.complete.shape, len(source.header.layers))
    found = {name: np.full(shape, fill, dtype) for name, (dtype, fill) in MEASURES.items()}
    blocks = list(source.blocks())
    total = int(source.header.complete.sum())
    with progress_bar(total, "check", unit="snapshot", quiet=quiet) as progress:
        for start in range(0, len(blocks), BLOCKS_PER_ROUND):
            now = blocks[start : start + BLOCKS_PER_ROUND]
            tasks = [dask.delayed(partial(_measure_block, source), pure=False)(*at) for at in now]
            for (row, epochs), measures in zip(now, dask.compute(*tasks), strict=True):
                for name, values in measures.items():
                    found[name][row, epochs] = values
                progress.update(len(epochs))
    coordinates = {name: source.header.coordinates[name] for name in CUBE[:3]}
    return xr.Dataset({name: (CUBE[:3], values) for name, values in found.items()}, coordinates)


@dataclass(frozen=True, eq=False)
class _Source:
    """What a task needs to know of a store."""

    group: zarr.Group
    header: Header
    inputs: NDArray[np.uint32] | None

    @classmethod
    def of(cls, group: zarr.Group) -> "_Source":
        header = Header.of(group)
        return cls(group, header, _repeated_inputs(header))

    def blocks(self) -> Iterator[tuple[int, NDArray[np.intp]]]:
        """Yield the complete epochs of every chunk: repeat and epochs, as positions."""
        chunk = get_array(self.group, self.header.recorded[0]).chunks[1]
        for row, complete in enumerate(self.header.complete):
            for start in range(0, len(complete), chunk):
                epochs = np.flatnonzero(complete[start : start + chunk]) + start
                if epochs.size:
                    yield row, epochs

    def portions(self, row: int, epochs: NDArray[np.intp], index: int) -> Iterator[NDArray[Any]]:
        """Yield what was recorded of a layer, (epoch, sample, unit), some units at a time.

        The last portion has the rest of its chunk too, which must be padding.
        """
        span, chosen = slice(epochs[0], epochs[-1] + 1), epochs - epochs[0]
        where = f"repeat {row}, epochs {epochs[0]} to {epochs[-1]} (by position)"
        if self.header.keeps_partition:
            array = get_array(self.group, "partition")
            with decoding(f"partition, {where}"):
                labels = np.asarray(array[row, span, index])
            yield labels[chosen][..., np.newaxis]
            return
        spec = self.header.layers[index]
        name = "code" if spec.quantised else "activation"
        array = get_array(self.group, name)
        chunk = array.chunks[-1]
        step = math.ceil(spec.n_units / chunk) * chunk if spec.is_softmax_of_codes else chunk
        for first in range(0, spec.n_units, step):
            with decoding(f"{name}, {where}"):
                values = np.asarray(array[row, span, index, :, first : first + step])
            yield values[chosen]


def _repeated_inputs(header: Header) -> NDArray[np.uint32] | None:
    """Return the numbers of the inputs, (sample,), from 0; None unless some are equal."""
    different, inputs = np.unique(header.input, return_inverse=True)
    return inputs.astype(np.uint32) if different.size < inputs.size else None


def _measure_block(source: _Source, row: int, epochs: NDArray[np.intp]) -> Measures:
    """Measure some snapshots of one repeat; returns arrays (epoch, layer)."""
    layers: list[Measures] = []
    before: NDArray[np.uint32] | None = None
    for index, spec in enumerate(source.header.layers):
        labels, measures = _measure_layer(source.portions(row, epochs, index), spec, source)
        if before is not None:
            measures |= _measure_step(before, labels)
        if source.inputs is not None:
            measures["n_split_inputs"] = count_split_states(
                np.tile(source.inputs, (len(labels), 1)), labels
            )
        before = labels
        layers.append(measures)
    return {name: _gather(layers, name, len(epochs)) for name in MEASURES}


def _gather(layers: Sequence[Measures], name: str, n_epochs: int) -> NDArray[Any]:
    dtype, fill = MEASURES[name]
    empty = np.full(n_epochs, fill, dtype)
    return np.stack([layer.get(name, empty) for layer in layers], axis=1)


def _measure_layer(
    portions: Iterator[NDArray[Any]], spec: LayerSpec, source: _Source
) -> tuple[NDArray[np.uint32], Measures]:
    """Label the samples of a layer, and measure its values; labels are (epoch, sample)."""
    labels: NDArray[np.uint32] | None = None
    parts: list[Measures] = []
    left = spec.n_units
    for portion in portions:
        values, padding = np.ascontiguousarray(portion[..., :left]), portion[..., left:]
        left -= values.shape[-1]
        if values.dtype == np.uint32:
            symbols: NDArray[Any] = values
        else:
            parts.append(_measure_values(values, spec) | _measure_padding(padding))
            symbols = exact_symbols(_numbers(values), spec)
        found, n_states = partition_block(symbols)
        if labels is not None:
            found, n_states = partition_block(np.stack([labels, found], axis=-1))
        labels = found
    if labels is None:
        raise ValueError(f"layer {spec.name!r} must have at least one unit, found none.")
    entropy_t, mi_ty = information_of_labels(labels, source.header.label, source.header.n_classes)
    return labels, {"n_states": n_states, "entropy_t": entropy_t, "mi_ty": mi_ty} | _merge(parts)


def _numbers(values: NDArray[Any]) -> NDArray[Any]:
    """Put infinity where a float is not a number, so that the rest can be measured."""
    if values.dtype.kind == "f" and np.isnan(values).any():
        return np.where(np.isnan(values), np.float32(np.inf), values)
    return values


def _measure_values(values: NDArray[Any], spec: LayerSpec) -> Measures:
    axes = (1, 2)
    if not spec.quantised:
        missing = np.isnan(values)
        return {
            "lowest": np.min(values, axis=axes, where=~missing, initial=np.inf),
            "highest": np.max(values, axis=axes, where=~missing, initial=-np.inf),
            "n_not_a_number": missing.sum(axis=axes),
        }
    return {
        "lowest": values.min(axis=axes),
        "highest": values.max(axis=axes),
        "n_at_lowest_code": (values == 0).sum(axis=axes),
        "n_at_highest_code": (values == 2**spec.bits - 1).sum(axis=axes),
    }


def _measure_padding(padding: NDArray[Any]) -> Measures:
    kept = ~np.isnan(padding) if padding.dtype.kind == "f" else padding != 0
    return {"n_in_padding": kept.sum(axis=(1, 2))}


def _merge(parts: Sequence[Measures]) -> Measures:
    """Merge what was measured of the portions of a layer."""
    reductions: dict[str, Any] = {"lowest": np.min, "highest": np.max}
    names = parts[0] if parts else ()
    return {
        name: reductions.get(name, np.sum)([part[name] for part in parts], axis=0) for name in names
    }


def _measure_step(before: NDArray[np.uint32], after: NDArray[np.uint32]) -> Measures:
    """Measure what of a layer does not follow from the one before it."""
    n_split = count_split_states(before, after)
    entropy, split = np.zeros(len(before)), n_split > 0
    if split.any():
        entropy[split] = conditional_entropies(before[split], after[split])
    return {"n_split_states": n_split, "split_entropy": entropy}
