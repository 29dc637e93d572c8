"""What was found as tables: every curve over the repeats, and what the curves come to."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from ibtools.reproduction.experiments import Run, control_of, has_control
from ibtools.reproduction.parts import Part
from ibtools.reproduction.steps import Parts, Step, open_parts
from ibtools.store.configuration import configuration_of

if TYPE_CHECKING:
    import pandas as pd

NUMBERS = "numbers"
"""The folder of the curves."""

CURVES = ("mi_xt", "mi_ty", "mi_ty_null", "saturation")
"""The variables whose means over repeats are written down."""

DEVIATING = ("mi_xt", "mi_ty")
"""Those of them whose deviations are, too: a table of all would be twice as large."""

OF_CURVES = ("exact", "requantised")
"""The estimators whose curves are written down: those of all would be many times as large."""

SUMMED_UP = {"resolution": "resolution-2"}
"""What the curves of every estimator are summed up of, where it is a part of its results."""


def table_steps(
    stores: Parts, estimators: Mapping[Run, Sequence[str]], folder: Path
) -> Iterator[Step]:
    """Yield what writes the tables of some runs."""
    for run, parts in stores.items():
        named = [name for name in OF_CURVES if name in estimators[run]]
        yield _curves_step(run, parts, named, folder / NUMBERS / f"{run.title}.csv.gz")
    for run, parts in stores.items():
        if run.is_control:
            continue
        named = [SUMMED_UP.get(name, name) for name in estimators[run]]
        control = stores.get(control_of(run)) if has_control(run) else None
        output = folder / NUMBERS / f"{run.title}-dynamics.csv"
        yield _dynamics_step(run, parts, control, named, output)


def _curves_step(run: Run, parts: Sequence[Part], estimators: list[str], output: Path) -> Step:
    def do() -> None:
        output.parent.mkdir(parents=True, exist_ok=True)
        results = {name: open_parts(parts, name) for name in estimators}
        first, *others = [curve_rows(one) for one in results.values()]
        _write([first, *(_differing_layers(one, first) for one in others)], output)
        about = output.with_name(f"{run.title}.json")
        about.write_text(_origin(run, next(iter(results.values()))), encoding="utf-8")

    says = f"write {output}: means and deviations over repeats ({', '.join(estimators)})"
    return Step("table", says, do, output=output)


def _dynamics_step(
    run: Run,
    parts: Sequence[Part],
    control: Sequence[Part] | None,
    estimators: list[str],
    output: Path,
) -> Step:
    def do() -> None:
        output.parent.mkdir(parents=True, exist_ok=True)
        rows = [
            dynamics_rows(
                open_parts(parts, name), None if control is None else open_parts(control, name)
            )
            for name in estimators
        ]
        _write(rows, output)

    above = "" if control is None else ", above the frozen control"
    says = f"write {output}: fits and compression{above} ({', '.join(estimators)})"
    return Step("table", says, do, output=output)


def curve_rows(results: xr.Dataset) -> "pd.DataFrame":
    """Return means and deviations over repeats of every epoch and layer.

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer)
        From `ibtools.open_results`, of one estimator.

    Returns
    -------
    DataFrame
        A row for each layer and epoch: the estimator, the number of repeats that did not fail, of
        each of `CURVES` (information in bits) the mean, and of `DEVIATING` the deviation between
        repeats (n - 1) with the suffix ``_deviation``. Nothing is rounded.
    """
    from ibtools.analysis.repeats.uncertainty import repeat_intervals  # noqa: TID251

    found = repeat_intervals(results[[*CURVES]]).reset_coords(drop=True)
    mean, deviation, count = (
        found.sel(statistic=name, drop=True) for name in ("mean", "deviation", "n_repeats")
    )
    columns = {"n_repeats": count["mi_xt"].astype(int)}
    for name in CURVES:
        columns[name] = mean[name]
        if name in DEVIATING:
            columns[f"{name}_deviation"] = deviation[name]
    frame = xr.Dataset(columns).to_dataframe(["layer", "epoch"]).reset_index()
    frame.insert(0, "estimator", results.attrs["estimator"])
    return frame


def _differing_layers(rows: "pd.DataFrame", first: "pd.DataFrame") -> "pd.DataFrame":
    """Leave out layers in which an estimator finds what the first does, in all epochs."""
    values = [name for name in rows if name != "estimator"]
    same = (rows[values].eq(first[values]) | (rows[values].isna() & first[values].isna())).all(
        axis=1
    )
    return rows[~same.groupby(rows["layer"]).transform("all")]


def dynamics_rows(results: xr.Dataset, control: xr.Dataset | None = None) -> "pd.DataFrame":
    """Return what the curves of every layer come to, over the repeats.

    Parameters
    ----------
    results, control : Dataset, (repeat, epoch, layer)
        From `ibtools.open_results`, by one estimator; the control is of frozen networks.

    Returns
    -------
    DataFrame
        A row for each estimator, quantity of `ibtools.dynamics` and layer: its unit, mean,
        deviation, Student's interval of 95 % for the mean, and the number of repeats. Quantities
        in bits less those of the control end in ``_above_control``.
    """
    from ibtools.analysis.repeats.dynamics import dynamics  # noqa: TID251
    from ibtools.analysis.repeats.summary import with_control  # noqa: TID251
    from ibtools.analysis.repeats.uncertainty import repeat_intervals  # noqa: TID251

    measured = dynamics(results)
    if control is not None:
        measured = with_control(measured, results, control)
    units = {str(name): one.attrs["units"] for name, one in measured.items()}
    found = repeat_intervals(measured).reset_coords(drop=True).to_array("quantity")
    frame = found.to_series().unstack("statistic")[list(found["statistic"].values)].reset_index()
    frame.insert(0, "estimator", results.attrs["estimator"])
    frame.insert(3, "units", frame["quantity"].map(units))
    return frame


def _write(rows: "Sequence[pd.DataFrame]", output: Path) -> None:
    """Write tables below each other, the same bytes whenever it is done."""
    import pandas as pd

    how: Any = {"method": "gzip", "mtime": 0} if output.suffix == ".gz" else None
    pd.concat(rows, ignore_index=True).to_csv(
        output, index=False, lineterminator="\n", compression=how
    )


def _origin(run: Run, results: xr.Dataset) -> str:
    """Say what is needed to compute the numbers again."""
    kept = ("data", "data_checksum", "ibtools_version", "versions")
    said = {
        "title": run.title,
        "experiment": run.experiment,
        "configuration": configuration_of(results.attrs),
        "repeats": results["repeat"].values.tolist(),
        "seeds": results["seed"].values.tolist(),
        "failed_attempts": results["failed_attempts"].values.tolist(),
        **{name: results.attrs[name] for name in kept if name in results.attrs},
    }
    return json.dumps(said, indent=1, sort_keys=True) + "\n"
