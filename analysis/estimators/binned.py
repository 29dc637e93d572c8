"""The estimator `binned`: values are put into bins, and the bins are counted."""

import math
import re
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, cast, get_args

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.estimators.counting import CountingEstimator, Symbols
from ibtools.analysis.measures.block import PORTION, LayerBlock, Statistics
from ibtools.analysis.measures.protocol import BlockShape, Option
from ibtools.errors import InputError, unknown_name
from ibtools.store.schema import CUBE, Variable

Strategy = Literal["uniform", "quantile", "unique", "width"]

BoundsName = Literal["unit", "layer", "global", "zero"]

Bounds = BoundsName | tuple[float, float]

_Range = tuple[NDArray[np.float64] | np.float64, NDArray[np.float64] | np.float64]

SIZES = ("n_bins", "bin_width")

BOUNDS: dict[Strategy, tuple[BoundsName, ...]] = {
    "uniform": ("layer", "unit", "global"),
    "quantile": ("layer", "unit"),
    "unique": ("layer", "unit"),
    "width": ("zero", "layer", "unit", "global"),
}
"""The named bounds of each strategy, the default first."""

DEFAULT_N_BINS = 30
"""As Shwartz-Ziv & Tishby (2017)."""

DEFAULT_BIN_WIDTH = 0.07
"""As Saxe et al. (2018)."""

BY_RANK = ("quantile", "unique")
"""Strategies that see the order of the values only, and so have no given or global bounds."""

N_CLIPPED = Variable(
    "n_clipped", CUBE[:3], ("int64",), "1", -1, "-1: not analysed",
    "values of samples and units that lay outside of given bounds, and were put into the end "
    "bins; with --bounds low,high",
    label="clipped values",
)  # fmt: skip


@dataclass(frozen=True)
class Binned(CountingEstimator):
    """Put the values of each unit into bins, and count the rows of bins.

    What comes out is the entropy of the binned layer, not the information of the layer about the
    input: of a float network that is almost always log2 N. It depends on the bins.

    Parameters
    ----------
    strategy : {"uniform", "quantile", "unique", "width"}, optional
        Bins of equal width, of equal frequency, of equally many different values, or of the width
        `bin_width`.
    n_bins : int, optional
        Number of bins of all but "width"; 30 by default.
    bin_width : float, optional
        Width of the bins of "width"; 0.07 by default.
    bounds : {"layer", "unit", "global", "zero"} or tuple of float and float, optional
        Between what the bins lie, see Notes. By default "layer", and "zero" for "width".
    per_unit : bool, optional
        Also compute the mean over units of the information of single units.

    Raises
    ------
    UnknownNameError
        If strategy or bounds are not among these.
    InputError
        If the settings contradict each other or are out of range.

    Notes
    -----
    Values are those that the network computed: codes are decoded, and softmax layers are softmax
    probabilities. Bounds are

    * "layer": smallest and largest value of the layer in this snapshot, as they were recorded. (Of
      a softmax layer that was recorded as codes of logits, those of the softmax.)
    * "unit": the same of each unit, over the samples that are analysed.
    * "global": smallest and largest value over all layers, epochs and repeats of the Dataset that
      is analysed, as they were recorded; a softmax layer that was recorded as codes of logits
      counts as 0 to 1, between which it provably lies. Snapshots that are not complete do not
      count. These bounds change when more is recorded, or another selection is analysed; then all
      results do, and are computed anew.
    * (low, high): given numbers. Values outside go to the end bins, and `n_clipped` says how many.
    * "zero", only for "width": bins have no bounds, and edges at all multiples of the width.

    "uniform" is ``min(floor((v - low) * n / (high - low)), n - 1)``: exactly n bins, the largest
    value in the last, one bin where low = high. "width" is ``floor(v / width)`` for "zero", and
    ``floor((v - low) / width)`` otherwise, the largest value in the last bin. Both are computed in
    float64 from the float32 values, which are not at the edges that their decimals suggest: the
    float32 nearest to 0.7 is below 0.7, and so in bin 6 of width 0.1, as that nearest to 0.6 is,
    which is above 0.6. Width and given bounds are the float64 numbers nearest to what was written.
    "quantile" is ``floor(r n / m)``, where r of the m values of the layer (or unit) in this
    snapshot are smaller than v, in integers; equal values are never parted, so bins may be unequal
    where there are ties. "unique" is the same of the different values among the m, however often
    each occurs: the adaptive binning of Chelombiev et al. (EBAB), whose published code moreover
    gives a ReLU's 0 a bin of its own. Neither takes global or given bounds.

    References
    ----------
    Shwartz-Ziv & Tishby (2017), arXiv 1703.00810 (30 bins). Saxe et al. (2018), ICLR (width 0.07).
    Chelombiev et al. (2019), arXiv 1902.09037 ("unique"). Goldfeld et al. (2019), arXiv 1810.05728
    (binned entropy measures clustering).

    Examples
    --------
    >>> Binned().specification, Binned(strategy="width").specification
    ('binned-uniform-30-layer', 'binned-width-0.07-zero')
    >>> Binned(n_bins=100, bounds=(-1, 1), per_unit=True).specification
    'binned-uniform-100--1_1-per-unit'
    """

    strategy: Strategy = "uniform"
    n_bins: int | None = None
    bin_width: float | None = None
    bounds: Bounds | None = None

    name: ClassVar[str] = "binned"
    representation: ClassVar[str] = "binned T"
    meaning: ClassVar[str] = (
        "Not the information of the network: the values of each layer were put into bins and "
        "the bins counted. H(binned T) is the entropy of the binned layer, not I(X;T), and "
        "depends on the bins that were chosen."
    )
    options_of_command: ClassVar[tuple[Option, ...]]  # below: one of them reads bounds

    def __post_init__(self) -> None:
        if self.strategy not in BOUNDS:
            raise unknown_name("strategy", self.strategy, BOUNDS)
        defaults = {
            "n_bins": None if self.strategy == "width" else DEFAULT_N_BINS,
            "bin_width": DEFAULT_BIN_WIDTH if self.strategy == "width" else None,
            "bounds": BOUNDS[self.strategy][0],
        }
        for name, default in defaults.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, default)
        _validate_size(self)
        _validate_bounds(self)

    @property
    def options(self) -> str:
        """Strategy, number or width of bins, and bounds."""
        size = self.n_bins if self.bin_width is None else format_number(self.bin_width)
        return f"{self.strategy}-{size}-{format_bounds(cast(Bounds, self.bounds))}"

    @classmethod
    def from_options(cls, options: str, *, per_unit: bool = False) -> Self:
        """Build the estimator from what `options` returns, or the beginning of it."""
        strategy, _, rest = options.partition("-")
        size, _, bounds = rest.partition("-")
        settings: dict[str, Any] = {"strategy": strategy} if strategy else {}
        if size:
            name = "bin_width" if strategy == "width" else "n_bins"
            settings[name] = _parse_size(size, name)
        if bounds:
            settings["bounds"] = parse_bounds(bounds)
        return cls(per_unit, **settings)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables of the results."""
        return super().variables + ((N_CLIPPED,) if isinstance(self.bounds, tuple) else ())

    @property
    def attributes(self) -> dict[str, Any]:
        """The options, as attributes of the results."""
        size = "n_bins" if self.bin_width is None else "bin_width"
        attributes = {"strategy": self.strategy, size: getattr(self, size)}
        if isinstance(self.bounds, tuple):
            low, high = self.bounds
            return {**attributes, "bounds": "given", "bounds_low": low, "bounds_high": high}
        return {**attributes, "bounds": self.bounds}

    @property
    def revision(self) -> int:
        """Counts what was computed under this specification; see `Estimator`."""
        return 1 if self.strategy in BY_RANK or self.bounds == "zero" else 2

    @property
    def revision_note(self) -> str:
        """What was different before the last revision, as a clause."""
        if self.revision == 1:
            return ""
        if self.strategy == "width":
            return "bounds a whole number of widths apart, but for rounding, had one bin more"
        return "rounding moved values at the edges of bins into the bin below"

    @property
    def needs_global_range(self) -> bool:
        """Whether the result of a snapshot depends on the ranges of all others."""
        return self.bounds == "global"

    def symbol_memory(self, shape: BlockShape) -> int:
        """Return the bytes of the bins, of the values of a snapshot, and of their order."""
        width = 8 if self.n_bins is None else np.min_scalar_type(self.n_bins - 1).itemsize
        if self.bin_width is not None and isinstance(self.bounds, tuple):
            most = int((self.bounds[1] - self.bounds[0]) / self.bin_width + 2)
            width = np.min_scalar_type(most).itemsize
        symbols = width * shape.values
        if self.strategy in BY_RANK:
            return symbols + max(shape.decoding, 4 * shape.snapshot) + 16 * shape.snapshot
        looked_for = shape.softmax and self.bounds in ("layer", "zero")
        if self.bounds == "unit" or looked_for:  # the range is that of all values
            return symbols + shape.decoding + 16 * PORTION
        return symbols + 16 * PORTION

    def compute(self, block: LayerBlock) -> Statistics:
        """Compute the variables of the results; see `CountingEstimator.compute`."""
        found = super().compute(block)
        if isinstance(self.bounds, tuple):
            found["n_clipped"] = _count_outside(block, *self.bounds)
        return found

    def discretise(self, block: LayerBlock) -> Symbols:
        """Return the numbers of the bins of the values."""
        from ibtools.analysis.kernels.binning import bin_dtype

        bins = np.empty(block.recorded.shape, bin_dtype(self._most_bins(block)))
        for index in range(len(block)):
            self._bin_snapshot(block, index, bins[index])
        return bins

    def _bin_snapshot(self, block: LayerBlock, index: int, out: Symbols) -> None:
        from ibtools.analysis.kernels.binning import (
            bin_quantile,
            bin_uniform,
            bin_unique,
            bin_width,
            bin_width_from_zero,
        )

        if self.strategy in BY_RANK:
            values = block.values(index)
            units = range(values.shape[1]) if self.bounds == "unit" else (slice(None),)
            fill = bin_quantile if self.strategy == "quantile" else bin_unique
            for unit in units:
                fill(values[:, unit], n_bins=cast(int, self.n_bins), out=out[:, unit])
            return
        low, high = self._range(block, index)
        for samples in block.portions():
            values, part = block.values(index, samples), out[samples]
            if self.strategy == "uniform":
                bin_uniform(values, low, high, n_bins=cast(int, self.n_bins), out=part)
            elif self.bounds == "zero":
                width = cast(float, self.bin_width)
                bin_width_from_zero(values, float(low), float(high), width=width, out=part)
            else:
                bin_width(values, low, high, width=cast(float, self.bin_width), out=part)

    def _range(self, block: LayerBlock, index: int) -> _Range:
        low, high = self._bounds_of(block, index)
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            raise InputError(
                f"layer {block.layer.name!r} has infinite values, which no bins can hold; give "
                "bounds, such as (-1, 1), to put them into the end bins"
            )
        return low, high

    def _bounds_of(self, block: LayerBlock, index: int) -> _Range:
        if isinstance(self.bounds, tuple):
            return np.float64(self.bounds[0]), np.float64(self.bounds[1])
        if self.bounds == "unit":
            values = block.values(index)
            return values.min(axis=0).astype(np.float64), values.max(axis=0).astype(np.float64)
        if self.bounds == "global":
            low, high = block.global_range
        else:
            low, high = block.value_range(index)
        return np.float64(low), np.float64(high)

    def _most_bins(self, block: LayerBlock) -> int:
        """Return how many bins any of the snapshots can have."""
        if self.bin_width is None:
            return cast(int, self.n_bins)
        low, high = block.global_range if self.bounds == "global" else block.widest_range()
        if isinstance(self.bounds, tuple):
            low, high = self.bounds
        from ibtools.analysis.kernels.binning import MAX_BINS

        n_bins = (high - low) / self.bin_width + 2
        if not n_bins < MAX_BINS:
            raise InputError(
                f"layer {block.layer.name!r} spans {low:g} to {high:g}, too much for bins of width "
                f"{self.bin_width:g}; choose wider ones, or give bounds"
            )
        return math.ceil(n_bins)


def format_number(number: float) -> str:
    """Write a number so that it is read back the same, without a letter or a plus.

    Examples
    --------
    >>> format_number(0.07), format_number(-1.0), format_number(1e-5)
    ('0.07', '-1', '0.00001')
    """
    return np.format_float_positional(number, trim="-")


def format_bounds(bounds: Bounds) -> str:
    """Write bounds as a specification has them: a name, or low_high."""
    return bounds if isinstance(bounds, str) else "_".join(format_number(b) for b in bounds)


def parse_bounds(text: str) -> Bounds:
    """Read bounds: a name, or two numbers with a comma or underscore between.

    Parameters
    ----------
    text : str
        As `format_bounds` or the command line write it.

    Returns
    -------
    str or tuple of float and float
        For `Binned`.

    Raises
    ------
    UnknownNameError
        If it is neither.

    Examples
    --------
    >>> parse_bounds("global"), parse_bounds("-1,1")
    ('global', (-1.0, 1.0))
    """
    names = get_args(BoundsName)
    if text in names:
        return cast(BoundsName, text)
    try:
        low, high = (float(number) for number in re.split("[_,]", text))
    except ValueError as err:
        raise unknown_name("bounds", text, (*names, "LOW,HIGH")) from err
    return low, high


def _parse_size(text: str, name: str) -> float:
    try:
        return float(text) if name == "bin_width" else int(text)
    except ValueError as err:
        raise InputError(
            f"{name} must be a number, found {text!r}; write for example "
            "binned-uniform-30-layer or binned-width-0.07-zero"
        ) from err


def _validate_size(binned: Binned) -> None:
    from ibtools.analysis.kernels.binning import MAX_BINS

    n_bins, width = binned.n_bins, binned.bin_width
    if (binned.strategy == "width") != (n_bins is None) or (n_bins is None) == (width is None):
        takes, other = SIZES[::-1] if binned.strategy == "width" else SIZES
        raise InputError(
            f"the strategy {binned.strategy} takes {takes}, not {other}; found {other} = "
            f"{getattr(binned, other)}"
        )
    if n_bins is not None and (n_bins != int(n_bins) or not 1 <= n_bins <= MAX_BINS):
        raise InputError(f"n_bins must be a positive whole number, found {n_bins!r}")
    if n_bins is not None:
        object.__setattr__(binned, "n_bins", int(n_bins))
    if width is not None and not 0 < width < math.inf:
        raise InputError(f"bin_width must be a positive number, found {width!r}")


def _validate_bounds(binned: Binned) -> None:
    bounds, named = cast(Bounds, binned.bounds), BOUNDS[binned.strategy]
    if isinstance(bounds, str):
        if bounds not in named:
            raise unknown_name(f"bounds of the strategy {binned.strategy}", bounds, named)
        return
    if binned.strategy in BY_RANK:
        raise InputError(
            f"the strategy {binned.strategy} takes the bounds {' or '.join(named)}, found "
            f"{bounds}; given bounds are for uniform and width"
        )
    if not -math.inf < bounds[0] < bounds[1] < math.inf:
        raise InputError(f"bounds must be two numbers, the lower first, found {bounds}")
    if not (bounds[1] - bounds[0]) * (binned.n_bins or 1) < math.inf:
        raise InputError(f"bounds must be no further apart than float32 values, found {bounds}")
    object.__setattr__(binned, "bounds", tuple(float(bound) + 0.0 for bound in bounds))


def _count_outside(block: LayerBlock, low: float, high: float) -> NDArray[np.int64]:
    """Count the values of every snapshot that are outside of bounds."""
    counts = np.zeros(len(block), np.int64)
    for index in range(len(block)):
        for samples in block.portions():
            values = block.values(index, samples)
            outside = (values < np.float64(low)) | (values > np.float64(high))
            counts[index] += np.count_nonzero(outside)
    return counts


Binned.options_of_command = (
    Option(
        "strategy",
        "--strategy",
        str,
        "Bins: uniform, quantile, unique or width.  [default: uniform]",
        choices=get_args(Strategy),
    ),
    Option("n_bins", "--bins", int, "Bins: how many, for all but width.  [default: 30]"),
    Option("bin_width", "--bin-width", float, "Bins: how wide, for width.  [default: 0.07]"),
    Option(
        "bounds",
        "--bounds",
        str,
        "Bins: between the range of each unit, layer, or global (all), or given as LOW,HIGH.  "
        "[default: layer; for width zero]",
        parse=parse_bounds,
    ),
)
