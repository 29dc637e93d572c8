"""Results, accuracies and other scalars as tidy CSV, one observation a row."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

import ibtools
from ibtools.errors import StoreError
from ibtools.shown import analyze_command
from ibtools.store.counts import Counts, counts_of
from ibtools.store.datasets import open_store
from ibtools.store.schema import scalars_of
from ibtools.store.snapshots import HISTORY
from ibtools.store.storage import StorePath, local_folder

if TYPE_CHECKING:
    import pandas as pd

FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
"""What spreadsheets take for a formula, or leave out, at the beginning of a text."""


def export_results(
    path: StorePath, folder: str | Path, *, estimator: str | Sequence[str] | None = None
) -> tuple[Path, Path]:
    """Write ``information.csv`` and ``accuracy.csv``.

    Parameters
    ----------
    path : path or URL
        A store that was analysed.
    folder : path
        Where to; created if it is not there. Files of these names are replaced.
    estimator : str or sequence of str, optional
        Names of results; all that the store has by default.

    Returns
    -------
    tuple of Path
        The two files. A row of the first is one estimator, repeat, epoch and layer, with every
        variable of the results (information in bits) and the coordinates of repeat, epoch and
        layer; snapshots that are not analysed are left out. A row of the second is one repeat and
        epoch of training, with loss (nats) and accuracy on training and test samples, and every
        other scalar that was given. Of a store that counts steps, the columns `epoch` and
        `trained_epoch` are `step` and `trained_step`.

    Notes
    -----
    Texts that a spreadsheet would take for formulas, since they begin with ``=``, ``+``, ``-``,
    ``@``, a tab or a carriage return, have an apostrophe before them; so have those that begin with
    one. All other cells are as they are. With the apostrophes removed, this reads exactly what was
    written, names such as "1" and "NA" too::

        pandas.read_csv("information.csv", dtype={"layer": str}, keep_default_na=False)

    Raises
    ------
    StoreError
        If there is no store at `path`, if it has no results, or if any that are to be written are
        out of date: a table that silently lacks an estimator would be worse.
    InputError
        If `folder` is a URL.
    """
    from ibtools.analysis.passes.results import result_names  # noqa: TID251

    place = local_folder(folder)
    dataset = open_store(path)
    names = [estimator] if isinstance(estimator, str) else estimator
    names = result_names(path) if names is None else names
    if not names:
        raise StoreError(
            f"{path}: no results to export yet; compute them with: {analyze_command(path)}"
        )
    information = [_table(ibtools.open_results(path, estimator=name), name) for name in names]
    place.mkdir(parents=True, exist_ok=True)
    files = place / "information.csv", place / "accuracy.csv"
    counts = counts_of(dataset.attrs)
    _write_rows(information, files[0], counts)
    scalars = [*HISTORY, *(one.name for one in scalars_of(dataset.attrs))]
    history = dataset[scalars].drop_vars(["seed", "failed_attempts"], errors="ignore")
    _write_csv(history.to_dataframe().reset_index(), files[1], counts)
    return files


def _table(results: xr.Dataset, estimator: str) -> xr.Dataset:
    return results.assign_coords(estimator=estimator)


def _write_rows(tables: list[xr.Dataset], file: Path, counts: Counts) -> None:
    """Write one table after the other, the columns of all in one header."""
    import pandas as pd

    frames = [table.to_dataframe().reset_index().dropna(subset="mi_ty") for table in tables]
    rows = pd.concat(frames, ignore_index=True)
    dims = [
        name for name in ("estimator", "repeat", "epoch", "layer", "resolution") if name in rows
    ]
    rows = rows[[*dims, *(name for name in rows if name not in dims)]]
    _write_csv(rows, file, counts)


def _write_csv(rows: "pd.DataFrame", file: Path, counts: Counts = "epoch") -> None:
    """Write rows whose texts are texts in a spreadsheet too, and columns of what is counted."""
    heads = {f"{which}epoch": f"{which}{counts}" for which in ("", "trained_")}
    texts = rows.select_dtypes(exclude=["number", "bool"])
    rows.assign(**{str(name): texts[name].map(_as_text) for name in texts}).rename(
        columns=heads
    ).to_csv(file, index=False, lineterminator="\n")


def _as_text(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
