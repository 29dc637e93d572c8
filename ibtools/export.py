"""Results, accuracies and other scalars as tables: tidy CSV or Parquet, or LaTeX for a paper."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import xarray as xr

import ibtools
from ibtools.errors import InputError, StoreError, unknown_name
from ibtools.shown import analyze_command
from ibtools.store.counts import Counts, counts_of
from ibtools.store.datasets import open_store
from ibtools.store.schema import scalars_of
from ibtools.store.snapshots import HISTORY
from ibtools.store.storage import StorePath, local_folder

if TYPE_CHECKING:
    import pandas as pd

TableFormat = Literal["csv", "parquet", "latex"]

SUFFIXES: dict[str, TableFormat] = {".csv": "csv", ".parquet": "parquet", ".tex": "latex"}
"""What files end in, by which their format is known."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
"""What spreadsheets take for a formula, or leave out, at the beginning of a text."""


def export_results(
    path: StorePath | Sequence[StorePath] | Mapping[str, StorePath],
    output: str | Path,
    *,
    estimator: str | Sequence[str] | None = None,
    format: TableFormat | None = None,
    epoch: int | None = None,
) -> tuple[Path, ...]:
    """Write the results of a store, or of several, as tables.

    Parameters
    ----------
    path : path or URL, or sequence or mapping of them
        A store that was analysed; or several, named by the keys of a mapping. Without names, they
        are called by their experiments, and by their file names or paths too where several are of
        one.
    output : path
        A file that ends in .csv, .parquet or .tex, for the table of information alone; or a folder
        for all tables, created if it is not there. What is there is replaced.
    estimator : str or sequence of str, optional
        Names of results; all that each store has by default.
    format : {"csv", "parquet", "latex"}, optional
        By the suffix of `output`, or "csv". Parquet needs pyarrow or fastparquet.
    epoch : int, optional
        The epoch, or step, of the LaTeX table; the last that is analysed by default.

    Returns
    -------
    tuple of Path
        The files: ``information`` and, but of LaTeX, ``accuracy``, with the suffix of the format.

        A row of ``information`` is one experiment, estimator, repeat, epoch and layer, and of
        results of all resolutions one resolution. Its columns are these (`experiment`, `estimator`,
        `repeat`, `epoch`, `layer`, `resolution`), then `mi_xt`, `mi_ty`, `entropy_t`, `n_states`,
        `n_singletons`, `saturation`, `mi_ty_null`, `mi_ty_above_null`, `mi_xt_given_y` and
        `mi_ty_adjusted`, other variables of estimators in the order of the alphabet, and last the
        coordinates `seed`, `outcome`, `failed_attempts`, `phase`, `n_units`, `activation_function`
        and `bits`: in this order, as far as any of the results has them. Information is in bits.
        Snapshots that are not analysed are left out.

        A row of ``accuracy`` is one experiment, repeat and epoch of training, with loss (nats) and
        accuracy on training and test samples, and every other scalar that was given.

        Of stores that count steps, the columns `epoch` and `trained_epoch` are `step` and
        `trained_step`.

        LaTeX has a table for each estimator, with the package booktabs:
        `ibtools.analysis.report.latex_table.latex_tables` says what is in it.

    Raises
    ------
    StoreError
        If there is no store at `path`, if it has no results, or if any that are to be written are
        out of date: a table that silently lacks an estimator would be worse.
    InputError
        If `output` is a URL or is of another format, if one store counts steps and another epochs,
        if there is no such epoch, or nothing that writes Parquet.
    UnknownNameError
        If there is no such format.

    Notes
    -----
    In CSV, texts that a spreadsheet would take for formulas, since they begin with ``=``, ``+``,
    ``-``, ``@``, a tab or a carriage return, have an apostrophe before them; so have those that
    begin with one. All other cells are as they are. With the apostrophes removed, this reads
    exactly what was written, names such as "1" and "NA" too::

        pandas.read_csv("information.csv", dtype={"layer": str}, keep_default_na=False)
    """
    place, chosen, is_file = _destination(output, format)
    if epoch is not None and chosen != "latex":
        raise InputError(f"epoch is for LaTeX: a table as {chosen} has all epochs; leave it out")
    stores = _open_stores(path)
    counts = _common_counts(stores)
    results = {name: _open_results(where, estimator) for name, (where, _) in stores.items()}
    folder = place.parent if is_file else place
    folder.mkdir(parents=True, exist_ok=True)
    suffix = next(end for end, of in SUFFIXES.items() if of == chosen)
    information = place if is_file else place / f"information{suffix}"
    if chosen == "latex":
        from ibtools.analysis.report.latex_table import latex_tables  # noqa: TID251

        information.write_text(latex_tables(results, epoch=epoch), encoding="utf-8")
        return (information,)
    from ibtools.analysis.report.tidy_table import tidy_table  # noqa: TID251

    _write(tidy_table(results), information, counts)
    if is_file:
        return (information,)
    accuracy = place / f"accuracy{suffix}"
    _write(_history({name: dataset for name, (_, dataset) in stores.items()}), accuracy, counts)
    return information, accuracy


def _destination(output: str | Path, format: TableFormat | None) -> tuple[Path, TableFormat, bool]:
    """Return where tables go, in which format, and whether that is one file."""
    if format is not None and format not in get_args(TableFormat):
        raise unknown_name("format", format, get_args(TableFormat))
    place = local_folder(output)
    named = SUFFIXES.get(place.suffix)
    if named is not None and format not in (None, named):
        raise InputError(
            f"the suffix of a file must be that of its format, found {place.name} for {format}; "
            "leave one of both out"
        )
    return place, named or format or "csv", named is not None


def _open_stores(
    path: StorePath | Sequence[StorePath] | Mapping[str, StorePath],
) -> dict[str, tuple[StorePath, xr.Dataset]]:
    """Open stores by the name that each gets."""
    if isinstance(path, Mapping):
        return {name: (one, open_store(one)) for name, one in path.items()}
    paths = [path] if isinstance(path, str | os.PathLike) else list(path)
    opened = [(one, open_store(one)) for one in paths]
    return dict(zip(_names(opened), opened, strict=True))


def _names(opened: Sequence[tuple[StorePath, xr.Dataset]]) -> list[str]:
    """Name stores by their experiments; where several are of one, by their file names or paths."""
    experiments = [str(dataset.attrs.get("experiment", "unknown")) for _, dataset in opened]
    paths = [str(path).rstrip("/") for path, _ in opened]
    words = ([""] * len(paths), [one.rpartition("/")[2] for one in paths], paths)
    for each in words:
        names = [
            f"{name} ({word})" if word else name
            for name, word in zip(experiments, each, strict=True)
        ]
        if len(set(names)) == len(names):
            return names
    raise InputError(
        f"every store must be given once, found {', '.join(paths)}; leave out what is there twice"
    )


def _common_counts(stores: Mapping[str, tuple[StorePath, xr.Dataset]]) -> Counts:
    """Return what the stores count."""
    found = {name: counts_of(dataset.attrs) for name, (_, dataset) in stores.items()}
    if not found:
        raise InputError("at least one store is needed, found none")
    if len(set(found.values())) > 1:
        said = ", ".join(f"{name} {one}s" for name, one in found.items())
        raise InputError(
            f"stores in one table must count the same, found {said}; export them one by one"
        )
    return next(iter(found.values()))


def _open_results(path: StorePath, estimator: str | Sequence[str] | None) -> list[xr.Dataset]:
    """Open the results that are asked for, or all that a store has."""
    from ibtools.analysis.passes.results import result_names  # noqa: TID251

    names = [estimator] if isinstance(estimator, str) else estimator
    names = result_names(path) if names is None else names
    if not names:
        raise StoreError(
            f"{path}: no results to export yet; compute them with: {analyze_command(path)}"
        )
    return [ibtools.open_results(path, estimator=name) for name in names]


def _history(stores: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """Return losses, accuracies and other scalars: a row for each repeat and epoch trained."""
    import pandas as pd

    frames = []
    for name, dataset in stores.items():
        scalars = [*HISTORY, *(one.name for one in scalars_of(dataset.attrs))]
        history = dataset[scalars].drop_vars(["seed", "failed_attempts"], errors="ignore")
        frame = history.to_dataframe().reset_index()
        frame.insert(0, "experiment", name)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _write(rows: pd.DataFrame, file: Path, counts: Counts) -> None:
    """Write rows by the suffix of the file, with columns of what is counted."""
    heads = {f"{which}epoch": f"{which}{counts}" for which in ("", "trained_")}
    named = rows.rename(columns=heads)
    if file.suffix == ".parquet":
        _write_parquet(named, file)
    else:
        _write_csv(named, file)


def _write_csv(rows: pd.DataFrame, file: Path) -> None:
    """Write rows whose texts are texts in a spreadsheet too."""
    texts = rows.select_dtypes(exclude=["number", "bool"])
    rows.assign(**{str(name): texts[name].map(_as_text) for name in texts}).to_csv(
        file, index=False, lineterminator="\n"
    )


def _write_parquet(rows: pd.DataFrame, file: Path) -> None:
    try:
        rows.to_parquet(file, index=False)
    except ImportError as err:
        raise InputError(
            "pandas writes Parquet with pyarrow or fastparquet, and found neither; "
            "pip install pyarrow, or write CSV"
        ) from err


def _as_text(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
