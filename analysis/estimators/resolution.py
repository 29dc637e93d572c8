"""The estimator `resolution`: exact counts of the codes cut to fewer and fewer bits."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import xarray as xr

from ibtools.analysis.estimators.chosen_layers import OfLayers, parse_layers
from ibtools.analysis.estimators.counting import COUNTED, PER_UNIT, CountingEstimator, Symbols
from ibtools.analysis.measures.block import LayerBlock, Statistics
from ibtools.analysis.measures.derived_variables import with_derived
from ibtools.analysis.measures.labels import relabelled
from ibtools.analysis.measures.protocol import BlockShape, Needs, Option, Scope
from ibtools.errors import InputError
from ibtools.store.header import Header
from ibtools.store.schema import Variable
from ibtools.store.snapshots import FLOAT_BITS
from ibtools.store.symbols import exact_symbols, float_symbols, softmax_symbols

if TYPE_CHECKING:
    from ibtools.analysis.kernels.cut_codes import Levels

DIM = "resolution"

RESOLUTION = Variable(
    DIM, (DIM,), ("int64",), "bit", 0, "never missing",
    "bits that are left of the code of every unit; 0: whether it is above zero", coordinate=True,
)  # fmt: skip

_MEANING = (
    "Exact: states were counted, with the code of every unit cut to {bits}, on the network's own "
    "grid. H(T_r) and I(T_r;Y) hold for the recorded inputs, each equally likely, and grow with "
    "the resolution r; from layer to layer they may grow too, for T_r of the next layer is no "
    "function of T_r."
)


_CUT = (
    "The next layer is computed from all bits of a layer, not from those that are left: T_r of the "
    "next layer may know more."
)

_EXEMPT: Mapping[str, str] = MappingProxyType({"data processing": _CUT})


def layer_levels(block: LayerBlock) -> "Levels":
    """Return the levels of a block, with the zero of the network's own grid.

    Of a softmax layer that was recorded as codes of logits, the level of a unit is how far its code
    is below the largest of its row.
    """
    from ibtools.analysis.kernels.cut_codes import Levels, float_levels

    if not block.layer.quantised:
        float_symbols(block.recorded)  # refuses NaN
        return float_levels(block.recorded)
    if not block.is_softmax_of_codes:
        return Levels(block.recorded, block.zero_points, block.layer.bits)
    below = softmax_symbols(block.recorded)
    return Levels(below, np.zeros(below.shape[::2], np.int64), block.layer.bits)


def _level_memory(shape: BlockShape) -> int:
    """Return the bytes of levels: of floats with masks and bit patterns; of softmax layers."""
    made = 4 if not shape.quantised else 2 if shape.softmax else 1
    return made * shape.itemsize * shape.values + 8 * shape.snapshots * shape.units


@dataclass(frozen=True)
class Resolution:
    """Count the states of a layer at every resolution: its codes cut to 0, 1, ... bits.

    With the code c of a unit, the code z of zero, and b bits,

        T_r = ceil((c - z) / 2^(b - r))    for r = 1 to b,    T_0 = [c > z].

    T_b is T. T_0 says which units are above zero. T_r is a function of T_(r + 1), so that H(T_r)
    and I(T_r;Y) grow with r. Where every input has a state of its own, so that T tells nothing
    about what was learned, a coarser T_r still may.

    Notes
    -----
    Of a softmax layer the level of a unit, c - z, is how far its logit's code is below the largest;
    T_0 then says which logits are the largest. Of float32 values it is the bit pattern of the
    absolute value, with the sign of the value: r = 32 is T, r = 9 has sign and exponent, and below
    the exponent loses its bits (`ibtools.analysis.kernels.cut_codes.float_levels`).

    A unit has at most 2^r + 1 values of T_r: zero is an edge of these cells on every grid, so that
    those at the ends of the grid may be cut short.

    A layer of fewer bits than the widest of the store is itself at all resolutions above its own.
    Chance level, saturation and singletons are those of T_r.

    Examples
    --------
    >>> from ibtools.store.snapshots import LayerSpec
    >>> layer = LayerSpec("hidden_1", n_units=1, activation_function="relu", bits=2)
    >>> code = np.array([[[0], [1], [2], [3]]], dtype=np.uint8)
    >>> rows = {"zero_point": np.zeros(1), "scale": np.ones(1)}
    >>> block = LayerBlock(code, layer, y=np.array([0, 1, 1, 1]), n_classes=2, rows=rows)
    >>> Resolution().compute(block)["n_states"]
    array([[2, 3, 4]])
    """

    name: ClassVar[str] = "resolution"
    specification: ClassVar[str] = "resolution"
    representation: ClassVar[str] = "T_r"
    meaning: ClassVar[str] = _MEANING.format(bits="r bits")
    revision: ClassVar[int] = 1
    revision_note: ClassVar[str] = ""
    needs: ClassVar[Needs] = "values"
    scope: ClassVar[Scope] = "layer"
    options_of_command: ClassVar[tuple[Option, ...]] = ()
    needs_global_range: ClassVar[bool] = False
    min_class_size: ClassVar[int] = 1
    exempt: ClassVar[Mapping[str, str]] = _EXEMPT
    coordinates: ClassVar[tuple[Variable, ...]] = (RESOLUTION,)

    @classmethod
    def from_options(cls, options: str, *, per_unit: bool = False) -> "Resolution | AtResolution":
        """Build the estimator of all resolutions, or of the one that `options` names."""
        if options:
            return AtResolution(per_unit, _parse(options))
        if per_unit:
            raise InputError(
                "the estimator resolution has means over single units at one resolution only; "
                "name it, as in resolution-2-per-unit"
            )
        return cls()

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables of the results, (repeat, epoch, layer, resolution)."""
        return tuple(
            replace(one, dims=(*one.dims, DIM))
            for one in relabelled(COUNTED, self.representation, is_informative=True)
        )

    @property
    def attributes(self) -> dict[str, Any]:
        """There are none."""
        return {}

    def sizes(self, header: Header) -> Mapping[str, int]:
        """Return how many resolutions there are: from 0 to the bits of the widest codes."""
        return {DIM: header.most_bits + 1}

    def memory(self, shape: BlockShape) -> int:
        """Return the bytes that `compute` takes: levels, labels, spectra; keys of a snapshot."""
        bits = FLOAT_BITS if not shape.quantised else 8 * shape.itemsize
        spectra = (bits + 1) * 48 * math.isqrt(2 * shape.samples)
        labels = 4 * shape.samples
        return _level_memory(shape) + shape.snapshots * (labels + spectra) + 150 * shape.samples

    def compute(self, block: LayerBlock) -> Statistics:
        """Compute the variables of the results for a block of snapshots of one layer.

        Parameters
        ----------
        block : LayerBlock
            The snapshots; sample and unit are consumed.

        Returns
        -------
        dict of str to ndarray, (block, resolution)
            Every one of `variables`: float64, bits; or counts, int64.

        Raises
        ------
        TypeError
            If the dtype does not fit the layer.
        ValueError
            If there is no sample or unit, a value is NaN, or y does not fit.
        """
        from ibtools.analysis.estimators.counting import statistics_of_spectra
        from ibtools.analysis.kernels.resolution import resolution_spectra
        from ibtools.partition import partition_block

        labels, _ = partition_block(exact_symbols(block.recorded, block.layer))
        levels = layer_levels(block)
        states, classes, cells = resolution_spectra(levels, labels, block.y, block.n_classes)
        found = statistics_of_spectra(
            states.flattened(),
            classes,
            cells.flattened(),
            n_samples=block.y.size,
            entropy_x=block.entropy_x,
        )
        resolutions = np.minimum(np.arange(max(block.most_bits, levels.bits) + 1), levels.bits)
        return {name: of.reshape(len(block), -1)[:, resolutions] for name, of in found.items()}


@dataclass(frozen=True)
class AtResolution(CountingEstimator):
    """Count the states of a layer at one resolution: see `Resolution`.

    Parameters
    ----------
    per_unit : bool, optional
        Also compute the mean over units of the information of single units.
    bits : int, optional
        r, from 0; a layer of fewer bits is counted as it is.

    Raises
    ------
    InputError
        If `bits` is out of range.

    Examples
    --------
    >>> AtResolution(bits=2).specification
    'resolution-2'
    """

    bits: int = 0

    name: ClassVar[str] = "resolution"
    exempt: ClassVar[Mapping[str, str]] = _EXEMPT

    def __post_init__(self) -> None:
        if not 0 <= self.bits <= FLOAT_BITS:
            raise _wrong_bits(self.bits)

    @property
    def representation(self) -> str:  # type: ignore[override]  # a constant of other estimators
        """What is counted, as a figure writes it."""
        return f"T_{self.bits}"

    @property
    def meaning(self) -> str:  # type: ignore[override]
        """What the numbers are, in sentences."""
        bits = f"{self.bits} bits" if self.bits else "whether it is above zero"
        return _MEANING.format(bits=bits)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables of the results; T_r is a part of the network's own codes, not binned."""
        counted = COUNTED + PER_UNIT * self.per_unit
        return relabelled(counted, self.representation, is_informative=True)

    @property
    def options(self) -> str:
        """The bits."""
        return str(self.bits)

    @classmethod
    def from_options(cls, options: str, *, per_unit: bool = False) -> Self:
        """Build the estimator from what `options` returns."""
        return cls(per_unit, _parse(options))

    @property
    def attributes(self) -> dict[str, Any]:
        """The bits, as an attribute of the results."""
        return {DIM: self.bits}

    def symbol_memory(self, shape: BlockShape) -> int:
        """Return the bytes of levels, and of what they are cut to."""
        return _level_memory(shape) + 4 * shape.values

    def discretise(self, block: LayerBlock) -> Symbols:
        """Return the levels, cut."""
        from ibtools.analysis.kernels.cut_codes import cut_levels

        return cut_levels(layer_levels(block), self.bits)


def whole_of(estimator: Any) -> Any:
    """Return the estimator whose results have those of another among them; None if there is none.

    Examples
    --------
    >>> whole_of(AtResolution(bits=2)).specification, whole_of(AtResolution(True, 2))
    ('resolution', None)
    """
    if isinstance(estimator, OfLayers):
        base = whole_of(estimator.base)
        return None if base is None else replace(estimator, base=base)
    is_part = isinstance(estimator, AtResolution) and not estimator.per_unit
    return Resolution() if is_part else None


def each_resolution(results: xr.Dataset) -> list[xr.Dataset]:
    """Return results of all resolutions one by one; others as they are.

    Parameters
    ----------
    results : Dataset
        Of one estimator.

    Returns
    -------
    list of Dataset, (repeat, epoch, layer)
    """
    if DIM not in results.dims:
        return [results]
    name = str(results.attrs["estimator"])
    parts = [_at(name, bits) for bits in results[DIM].values.tolist()]
    return [select_resolution(results, part) for part in parts]


def split_resolutions(results: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """Put single resolutions in the place of results of all, but for those that are there too.

    Parameters
    ----------
    results : sequence of Dataset
        Of one estimator each.

    Returns
    -------
    list of Dataset, (repeat, epoch, layer)
    """
    there = {str(one.attrs.get("estimator")) for one in results}
    return [
        part
        for one in results
        for part in each_resolution(one)
        if part is one or part.attrs["estimator"] not in there
    ]


def _at(name: str, bits: int) -> Any:
    """Return the estimator of one resolution, of the layers that results of all are of."""
    of_layers = parse_layers(name, lambda _: AtResolution(bits=bits))
    return AtResolution(bits=bits) if of_layers is None else of_layers


def select_resolution(results: xr.Dataset, estimator: Any) -> xr.Dataset:
    """Return the results of one resolution, as its own estimator computes them.

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer, resolution)
        Of all resolutions.
    estimator : Estimator
        An `AtResolution`, of all layers or of some.

    Returns
    -------
    Dataset, (repeat, epoch, layer)
    """
    bits = min(int(estimator.attributes[DIM]), results.sizes[DIM] - 1)
    return _named(results.isel({DIM: bits}, drop=True), estimator)


def as_selected(results: xr.Dataset) -> xr.Dataset:
    """Return results of which one resolution was selected as those of that resolution."""
    if DIM not in results.coords or DIM in results.dims:
        return results
    part = _at(str(results.attrs["estimator"]), int(results[DIM]))
    return _named(results.drop_vars(DIM), part)


def _named(found: xr.Dataset, estimator: Any) -> xr.Dataset:
    """Call results what their estimator calls them."""
    named = {
        one.name: found[one.name].assign_attrs(one.attributes())
        for one in estimator.variables
        if one.name in found
    }
    own = {"estimator": estimator.specification, "revision": estimator.revision}
    return with_derived(found.assign(named).assign_attrs({**own, **estimator.attributes}))


def _parse(options: str) -> int:
    if not options.isdecimal() or int(options) > FLOAT_BITS:
        raise _wrong_bits(options)
    return int(options)


def _wrong_bits(found: Any) -> InputError:
    return InputError(
        f"the bits of resolution must be a whole number from 0 to {FLOAT_BITS}, found {found!r}; "
        "write resolution for all of them, or for example resolution-2"
    )
