"""What an audit looks at, as a measure: a recording is read once for it, out of core."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from ibtools.analysis.check.refinement import conditional_entropies, count_split_states
from ibtools.analysis.kernels.digests import part_symbols
from ibtools.analysis.kernels.information import information_of_labels
from ibtools.analysis.measures.block import LayerBlock, SnapshotBlock
from ibtools.analysis.measures.protocol import BlockShape, Found, Needs, Scope
from ibtools.analysis.passes.computing import empty, sizes_of
from ibtools.analysis.passes.store_blocks import close_stores, open_unchunked
from ibtools.analysis.passes.store_pass import Pass
from ibtools.partition import partition_block
from ibtools.progress import progress_bar
from ibtools.store.decode import dequantise
from ibtools.store.groups import read_array
from ibtools.store.header import Header
from ibtools.store.schema import CUBE, Variable
from ibtools.store.snapshots import LayerSpec
from ibtools.store.storage import StorePath, absolute
from ibtools.store.symbols import exact_symbols
from ibtools.tasks.memory import DEFAULT_MEMORY, LIBRARIES, parse_memory
from ibtools.tasks.workers import open_workers

Numbers = dict[str, NDArray[Any]]


_REDUCTIONS: dict[str, Any] = {
    "lowest": np.minimum,
    "highest": np.maximum,
    "lowest_value": np.minimum,
    "highest_value": np.maximum,
    "off_codes": np.maximum,
}
"""How numbers of some units and of others become those of both; all else is added."""


def _counts(name: str, what: str) -> Variable:
    return Variable(name, CUBE[:3], ("int64",), "1", 0, "0: not complete, or no such thing", what)


def _number(name: str, units: str, what: str, fill: float = math.nan) -> Variable:
    missing = f"{fill}: not complete, or no such thing"
    return Variable(name, CUBE[:3], ("float64",), units, fill, missing, what)


VARIABLES = (
    _counts("n_states", "distinct states of the layer, counted anew"),
    _number("entropy_t", "bit", "entropy of the layer, counted anew"),
    _number("mi_ty", "bit", "information about the label, counted anew"),
    _number("lowest", "1", "smallest code of a quantised layer, value of a float layer"),
    _number("highest", "1", "largest code of a quantised layer, value of a float layer"),
    _counts(
        "n_at_lowest_code", "values with the code 0; of units with own grids, where it isn't 0"
    ),
    _counts("n_at_highest_code", "values with the code 2^bits - 1"),
    _counts("n_not_a_number", "values that are not numbers"),
    _counts("n_unit_grids", "units that have a grid of their own, of a positive step"),
    _number("lowest_value", "1", "smallest value of a layer whose units have grids of their own"),
    _number("highest_value", "1", "largest value of a layer whose units have grids of their own"),
    _number("off_codes", "1", "how far the code of 0 of a unit is outside of its codes", fill=0.0),
    _counts("n_in_padding", "values beyond the units of the layer, in chunks that hold units"),
    _counts("n_split_states", "states of the layer before that this layer tells apart"),
    _number("split_entropy", "bit", "H(layer | layer before)", fill=0.0),
    _counts("n_split_inputs", "inputs of several samples that are in different states"),
)


@dataclass(frozen=True, eq=False)
class LayerAudit:
    """The states of a layer, (block, sample), and what was measured of its values."""

    labels: NDArray[np.uint32]
    n_states: NDArray[np.int64]
    numbers: Numbers = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Audit:
    """What must be known of every snapshot to audit a recording.

    Notes
    -----
    States are those of the exact symbols. Units that come in portions are partitioned portion by
    portion: pairs of labels are rows again. Of a kept partition there is only what follows from it.
    """

    specification: ClassVar[str] = "audit"
    scope: ClassVar[Scope] = "snapshot"
    needs: ClassVar[Needs] = "partition"
    padding: ClassVar[bool] = True
    variables: ClassVar[tuple[Variable, ...]] = VARIABLES

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """There are none."""
        return {}

    def sizes(self, header: Header) -> Mapping[str, int]:
        """There are no dims of its own."""
        return {}

    def memory(self, shape: BlockShape) -> int:
        """Return the bytes of symbols and masks of the values, and of a partition."""
        symbols = (2 * shape.itemsize + 2) * shape.values
        return symbols + 12 * shape.snapshots * shape.samples + 100 * shape.samples

    def memory_of_snapshots(self, snapshots: int, header: Header) -> int:
        """Return the bytes of the labels of all layers, and of what two of them take."""
        n_samples = header.label.size
        return snapshots * n_samples * (4 * len(header.layers) + 24) + 100 * n_samples

    def reduce(self, block: LayerBlock) -> LayerAudit:
        """Label the samples of a layer or of some of its units, and measure the values."""
        if block.keeps_partition:
            return LayerAudit(*partition_block(block.recorded))
        values = np.ascontiguousarray(block.recorded)
        symbols = _symbols(_finite(values), block)
        numbers = _measure_values(values, block.layer)
        if block.unit_grids is not None:
            numbers |= _measure_unit_grids(values, block.layer, *block.unit_grids)
        if block.padding is not None:
            numbers |= _measure_padding(block.padding)
        return LayerAudit(*partition_block(symbols), numbers)

    def merge(self, first: LayerAudit, second: LayerAudit) -> LayerAudit:
        """Put portions of units together."""
        pairs = np.stack([first.labels, second.labels], axis=-1)
        numbers = {
            name: _REDUCTIONS.get(name, np.add)(values, second.numbers[name])
            for name, values in first.numbers.items()
        }
        return LayerAudit(*partition_block(pairs), numbers)

    def compute(self, block: SnapshotBlock) -> Found:
        """Compute what follows from the states of the layers, (block, layer)."""
        header, layers = block.header, []
        inputs = _repeated_inputs(header.input)
        for index, state in enumerate(block.states):
            entropy_t, mi_ty = information_of_labels(state.labels, header.label, header.n_classes)
            numbers = {"n_states": state.n_states, "entropy_t": entropy_t, "mi_ty": mi_ty}
            if index:
                numbers |= _measure_step(block.states[index - 1].labels, state.labels)
            if inputs is not None:
                tiled = np.tile(inputs, (len(state.labels), 1))
                numbers["n_split_inputs"] = count_split_states(tiled, state.labels)
            layers.append(numbers | state.numbers)
        return {one.name: _gather(layers, one, len(block.repeat)) for one in self.variables}


def _gather(layers: Sequence[Numbers], variable: Variable, n_snapshots: int) -> NDArray[Any]:
    missing = np.full(n_snapshots, variable.fill, variable.dtypes[0])
    return np.stack([layer.get(variable.name, missing) for layer in layers], axis=1)


def _symbols(values: NDArray[Any], block: LayerBlock) -> NDArray[np.unsignedinteger]:
    if block.first is None:
        return exact_symbols(values, block.layer)
    return part_symbols(values, block.layer, block.first)


def _finite(values: NDArray[Any]) -> NDArray[Any]:
    """Put infinity where a float is not a number, so that the rest can be measured."""
    if values.dtype.kind == "f" and np.isnan(values).any():
        return np.where(np.isnan(values), np.float32(np.inf), values)
    return values


def _measure_values(values: NDArray[Any], spec: LayerSpec) -> Numbers:
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


def _measure_unit_grids(
    values: NDArray[Any],
    spec: LayerSpec,
    scales: NDArray[np.float32],
    zero_points: NDArray[np.int32],
) -> Numbers:
    """Measure snapshots, (block, sample, unit), of which some have a grid of each unit."""
    sound = (scales > 0) & (scales < np.inf)
    own = np.asarray(~np.isnan(scales).all(axis=1))
    ends = np.stack([values.min(axis=1), values.max(axis=1)])
    decoded = np.where(sound, dequantise(ends, scales, zero_points), np.nan)
    whole = sound.all(axis=1)
    low, high = decoded.min(axis=(0, 2)), decoded.max(axis=(0, 2))
    off = np.abs(zero_points - np.clip(zero_points, 0, 2**spec.bits - 1))
    at_lowest = (values == 0) & (~own[:, None] | (zero_points != 0))[:, None]
    return {
        "n_unit_grids": sound.sum(axis=1),
        "lowest_value": np.where(whole, low, np.nan).astype(np.float64),
        "highest_value": np.where(whole, high, np.nan).astype(np.float64),
        "off_codes": np.where(own, off.max(axis=1), 0.0),
        "n_at_lowest_code": at_lowest.sum(axis=(1, 2)),
    }


def _measure_padding(padding: NDArray[Any]) -> Numbers:
    kept = ~np.isnan(padding) if padding.dtype.kind == "f" else padding != 0
    return {"n_in_padding": kept.sum(axis=(1, 2))}


def _measure_step(before: NDArray[np.uint32], after: NDArray[np.uint32]) -> Numbers:
    """Measure what of a layer does not follow from the one before it."""
    n_split = count_split_states(before, after)
    entropy, split = np.zeros(len(before)), n_split > 0
    if split.any():
        entropy[split] = conditional_entropies(before[split], after[split])
    return {"n_split_states": n_split, "split_entropy": entropy}


def _repeated_inputs(inputs: NDArray[np.int64]) -> NDArray[np.uint32] | None:
    """Return the numbers of the inputs, (sample,), from 0; None unless some are equal."""
    different, numbers = np.unique(inputs, return_inverse=True)
    return numbers.astype(np.uint32) if different.size < numbers.size else None


def measure_recording(
    path: StorePath,
    group: zarr.Group,
    *,
    memory: str | int = DEFAULT_MEMORY,
    scheduler: str | None = None,
    quiet: bool = False,
) -> xr.Dataset:
    """Read every complete snapshot of a store once, and measure what an audit needs.

    Parameters
    ----------
    path : path or URL
        Of the store.
    group : zarr.Group
        The same, opened.
    memory, scheduler : optional
        As for `ibtools.analyze_store`.
    quiet : bool, optional
        Show no progress.

    Returns
    -------
    Dataset, (repeat, epoch, layer)
        The `VARIABLES`. Consumes sample and unit.
    """
    budget = parse_memory(memory) - LIBRARIES
    complete = np.asarray(read_array(group, "complete"), bool)
    try:
        with open_workers(scheduler) as workers:
            walk = Pass.of(
                absolute(path),
                group,
                open_unchunked(group),
                [Audit()],
                workers,
                budget=budget,
                lenient=True,
            )
            found = _measure(walk, complete, quiet=quiet)
    finally:
        close_stores()
    coordinates = {name: read_array(group, name) for name in CUBE[:3]}
    return xr.Dataset({name: (CUBE[:3], values) for name, values in found.items()}, coordinates)


def _measure(walk: Pass, complete: NDArray[np.bool_], *, quiet: bool) -> Numbers:
    (sizes,) = sizes_of(walk.measures, walk.header)
    found = {one.name: empty(one, complete.shape, sizes) for one in VARIABLES}
    with progress_bar(int(complete.sum()), "check", unit="snapshot", quiet=quiet) as bar:
        for window in walk.windows(complete[np.newaxis]):
            (values,) = window.values
            for name, numbers in values.items():
                found[name][window.repeat, window.epochs] = numbers
            bar.update(len(window.epochs))
    return found
