"""Results as one tidy table: an observation a row, columns in one order whatever there is."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import xarray as xr

from ibtools.analysis.estimators.resolution import DIM as RESOLUTION
from ibtools.analysis.measures.derived_variables import DERIVED
from ibtools.analysis.passes.result_variables import RESULT_COORDINATES
from ibtools.store.schema import RESULT_VARIABLES

if TYPE_CHECKING:
    import pandas as pd

KEYS = ("experiment", "estimator", "repeat", "epoch", "layer", RESOLUTION)
"""The columns that say what a row is of."""

MEASURED = tuple(one.name for one in (*RESULT_VARIABLES, *DERIVED))
"""What comes next, before what only some estimators have."""

DESCRIBING = tuple(one.name for one in RESULT_COORDINATES if one.name not in KEYS)
"""The columns at the end: of the repeat, the epoch and the layer."""


def tidy_table(results: Mapping[str, Sequence[xr.Dataset]]) -> "pd.DataFrame":
    """Return results of several experiments and estimators as one table.

    Parameters
    ----------
    results : mapping of str to sequence of Dataset, (repeat, epoch, layer, ...)
        By the name of the experiment: results of one estimator each, lazy or not.

    Returns
    -------
    DataFrame
        A row for each experiment, estimator, repeat, epoch and layer, and resolution if there are
        any, that is analysed. Columns are those of `KEYS`, `MEASURED`, other variables by the
        alphabet, then `DESCRIBING`, as far as any results have them.
    """
    import pandas as pd

    frames = [_rows(name, one) for name, each in results.items() for one in each]
    rows = pd.concat(frames, ignore_index=True)
    return rows[_in_order(str(name) for name in rows)]


def _rows(experiment: str, results: xr.Dataset) -> "pd.DataFrame":
    named = results.assign_coords(experiment=experiment, estimator=results.attrs["estimator"])
    rows = named.to_dataframe().reset_index().dropna(subset="mi_ty")
    # whole numbers stay whole where other results have none
    return rows.astype({str(name): "Int64" for name in rows.select_dtypes("integer")})


def _in_order(names: Iterable[str]) -> list[str]:
    there = list(names)
    known = {*KEYS, *MEASURED, *DESCRIBING}
    others = sorted(name for name in there if name not in known)
    return [name for name in (*KEYS, *MEASURED, *others, *DESCRIBING) if name in there]
