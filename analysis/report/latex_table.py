r"""What is known at the end of training as a table of LaTeX, with the package booktabs."""

import math
import re
from collections.abc import Mapping, Sequence

import xarray as xr

from ibtools.analysis.estimators.resolution import split_resolutions
from ibtools.analysis.repeats.shown import (
    CHANCE,
    FEWEST_FOR_SPREAD,
    VARIABLES,
    describe_left_out,
    has_not_failed,
)
from ibtools.analysis.repeats.uncertainty import repeat_intervals
from ibtools.analysis.report.latex_text import latex_label, latex_text
from ibtools.errors import InputError, StoreError
from ibtools.shown import counted
from ibtools.store.counts import counts_of

LEVEL = 0.95

MOST_DECIMALS = 4
"""Digits after the point, at most; those of means whose repeats are all equal."""

VALUE_DECIMALS = 3
"""Those of single repeats."""

NOTHING = "--"

Groups = list[tuple[str, xr.Dataset]]
"""Results of one estimator at one epoch, by the names of their experiments."""


def latex_tables(results: Mapping[str, Sequence[xr.Dataset]], *, epoch: int | None = None) -> str:
    r"""Write I(X;T) and I(T;Y) of every layer at one epoch: a table for each estimator.

    Parameters
    ----------
    results : mapping of str to sequence of Dataset, (repeat, epoch, layer)
        By the name of the experiment: results of one estimator each, lazy or not. Those of all
        resolutions are a table each.
    epoch : int, optional
        The last that is analysed of each experiment by default.

    Returns
    -------
    str
        Tables that a document takes in with ``\input``. They need the package booktabs, and no
        other.

    Raises
    ------
    StoreError
        If nothing is analysed.
    InputError
        If the epoch is not analysed.

    Notes
    -----
    Every number is the mean over the repeats that did not fail, and in brackets below it, so that
    the table fits a column of an article, the 95 % interval of Student, as of
    `ibtools.repeat_intervals`. Both are rounded to as many decimals as leave two
    digits of half the interval, to 4 at most: 7.42 [6.82, 8.02], 0.9712 [0.9664, 0.9760]. Of fewer
    than three repeats, an interval would be wider than any information that there is: the values of
    the repeats are there instead, to 3 decimals. Chance is the mean of `mi_ty_null`, what permuted
    labels give, to the decimals of I(T;Y).
    """
    by_estimator: dict[str, Groups] = {}
    for experiment, each in results.items():
        for one in split_resolutions(each):
            at_epoch = _at_epoch(one, epoch, f"{experiment}, {one.attrs['estimator']}")
            by_estimator.setdefault(str(one.attrs["estimator"]), []).append((experiment, at_epoch))
    tables = [_table(name, groups) for name, groups in by_estimator.items()]
    return "\n".join([r"% by ibtools; needs \usepackage{booktabs}", *tables])


def _at_epoch(results: xr.Dataset, epoch: int | None, where: str) -> xr.Dataset:
    """Return what the table needs of one epoch, computed, of the repeats that did not fail."""
    names = [name for name in (*VARIABLES, CHANCE) if name in results]
    there = results["mi_ty"].notnull().any(["repeat", "layer"]).values
    epochs = results["epoch"].values[there]
    if not epochs.size:
        raise StoreError(f"{where}: a table needs results, but no snapshot is analysed yet")
    chosen = epochs[-1] if epoch is None else epoch
    if chosen not in epochs:
        nearest = sorted(epochs.tolist(), key=lambda one: abs(one - chosen))[:2]
        raise InputError(
            f"{where}: {counts_of(results.attrs)} must be one that is analysed, found {chosen}; "
            f"the nearest are {' and '.join(map(str, sorted(nearest)))}"
        )
    at = results[names].sel(epoch=chosen).compute()
    return at.isel(repeat=has_not_failed(at)).assign_attrs(
        left_out=", ".join(["", *describe_left_out(at)])
    )


def _table(estimator: str, groups: Groups) -> str:
    first = groups[0][1]
    has_chance = CHANCE in first
    measured = [name for name in VARIABLES if name in first]
    heads = [*(_head(first[name]) for name in measured), *["chance"] * has_chance]
    body = [line for name, one in groups for line in _group(name, one)]
    lines = [
        r"\begin{table}",
        r"  \centering",
        r"  \setlength{\belowcaptionskip}{6pt}",
        r"  \setlength{\tabcolsep}{4pt}",
        rf"  \caption{{{_caption(estimator, groups, has_chance=has_chance)}}}",
        rf"  \label{{tab:{re.sub(r'[^A-Za-z0-9.-]', '-', estimator)}}}",
        rf"  \begin{{tabular}}{{l{'c' * len(heads)}}}",
        r"    \toprule",
        rf"    layer & {' & '.join(heads)} \\",
        *(f"    {line}" for line in body),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
        "",
    ]
    return "\n".join(lines)


def _head(variable: xr.DataArray) -> str:
    """Write what a column is, and its unit."""
    said = variable.attrs
    label, units = said.get("long_name", variable.name), said.get("units", "bit")
    return f"{latex_label(label)} [{latex_text(units)}]"


def _caption(estimator: str, groups: Groups, *, has_chance: bool) -> str:
    sizes = [one.sizes["repeat"] for _, one in groups]
    parts = []
    if max(sizes) >= FEWEST_FOR_SPREAD:
        parts.append(
            rf"mean over repeats, with its {100 * LEVEL:g}\,\% interval (Student) in brackets "
            f"below, to two digits of half the interval and {MOST_DECIMALS} decimals at most"
        )
    if min(sizes) < FEWEST_FOR_SPREAD:
        parts.append(f"of fewer than {FEWEST_FOR_SPREAD} repeats, the value of each")
    if has_chance:
        parts.append(r"chance: mean of $I(T;Y)$ with permuted labels, in bits")
    text = "; ".join(parts)
    return f"Information in the layers, by the estimator {latex_text(estimator)}: {text}."


def _group(experiment: str, results: xr.Dataset) -> list[str]:
    """Write the rows of an experiment, below one that says what it is."""
    counts, epoch = counts_of(results.attrs), int(results["epoch"])
    said = f"{counts} {epoch}, {counted(results.sizes['repeat'], 'repeat')}"
    title = latex_text(f"{experiment}, {said}{results.attrs['left_out']}")
    intervals = repeat_intervals(results, level=LEVEL)
    layers = results["layer"].values
    rows = [
        row for name in layers for row in _rows(results.sel(layer=name), intervals.sel(layer=name))
    ]
    width = 1 + len(results.data_vars)
    return [r"\midrule", rf"\multicolumn{{{width}}}{{l}}{{{title}}} \\", r"\addlinespace", *rows]


def _rows(of_layer: xr.Dataset, intervals: xr.Dataset) -> list[str]:
    """Write a row of means, and below it one of their intervals, if there are any."""
    measured = [name for name in VARIABLES if name in of_layer]
    pairs = [_cells(of_layer[name], intervals[name]) for name in measured]
    first = [latex_text(of_layer["layer"].item()), *(value for value, _ in pairs)]
    second = ["", *(interval for _, interval in pairs)]
    if CHANCE in of_layer:
        first, second = [*first, _chance(intervals)], [*second, ""]
    return [" & ".join(cells) + r" \\" for cells in (first, second) if any(cells)]


def _cells(values: xr.DataArray, statistics: xr.DataArray) -> tuple[str, str]:
    """Write a mean and its interval; of few repeats, the values of all and nothing."""
    there = values.dropna("repeat").values
    if len(there) < FEWEST_FOR_SPREAD:
        return ", ".join(_number(one, VALUE_DECIMALS) for one in there) or NOTHING, ""
    mean, low, high = _ends(statistics)
    decimals = decimals_of(max(high - mean, mean - low))
    low_end, high_end = (_number(one, decimals) for one in (low, high))
    return _number(mean, decimals), rf"{{\scriptsize [{low_end}, {high_end}]}}"


def _chance(intervals: xr.Dataset) -> str:
    """Write the mean chance level, as exactly as I(T;Y)."""
    chance = float(intervals[CHANCE].sel(statistic="mean"))
    if math.isnan(chance):
        return NOTHING
    mean, low, high = _ends(intervals["mi_ty"])
    is_few = int(intervals["mi_ty"].sel(statistic="n_repeats")) < FEWEST_FOR_SPREAD
    return _number(chance, VALUE_DECIMALS if is_few else decimals_of(max(high - mean, mean - low)))


def _ends(statistics: xr.DataArray) -> tuple[float, float, float]:
    mean, low, high = (float(statistics.sel(statistic=name)) for name in ("mean", "low", "high"))
    return mean, low, high


def decimals_of(half: float) -> int:
    """Return the decimals to which a number is written that is known to plus or minus `half`.

    Examples
    --------
    >>> [decimals_of(half) for half in (23.0, 0.59, 0.0048, 1e-9, 0.0)]
    [0, 2, 4, 4, 4]
    """
    if half <= 0:
        return MOST_DECIMALS
    return min(max(1 - math.floor(math.log10(half)), 0), MOST_DECIMALS)


def _number(value: float, decimals: int) -> str:
    return f"${round(float(value), decimals) + 0.0:.{decimals}f}$"
