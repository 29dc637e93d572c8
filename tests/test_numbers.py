"""The numbers in the repository are computed again from their seeds, as far as that is quick."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ibtools
from ibtools.reproduction.tables import curve_rows
from tests.real_data import real_data_folder

NUMBERS = Path(__file__).parents[1] / "docs" / "numbers"
TITLES = sorted(file.stem for file in NUMBERS.glob("*.json"))

ROUNDING = 0.02
"""Bits by which means differ where single codes fall on the other side of an edge, as between two
processors."""

pytest.importorskip("tensorflow_model_optimization")


def settings_of(title: str) -> dict[str, Any]:
    """Return the settings that a table says it was recorded with."""
    about = json.loads((NUMBERS / f"{title}.json").read_text())
    return {"experiment": about["experiment"], **about["configuration"]}


def read_table(title: str) -> pd.DataFrame:
    return pd.read_csv(NUMBERS / f"{title}.csv.gz")


def quick(title: str) -> Any:
    """Mark what takes minutes: many repeats, and large data."""
    settings = settings_of(title)
    is_slow = settings["repeats"] > 5 or not settings["experiment"].startswith("SYN")
    return pytest.param(title, marks=[pytest.mark.slow] if is_slow else [])


@pytest.mark.parametrize("title", [quick(title) for title in TITLES])
def test_numbers__first_row_is_computed_again_from_its_seeds(title: str, tmp_path: Path):
    """The first recorded epoch, of the network with its seeds, trained anew."""
    about = json.loads((NUMBERS / f"{title}.json").read_text())
    table = read_table(title).query("estimator == 'exact'")
    first = int(table["epoch"].min())
    settings = settings_of(title)
    if settings["experiment"].startswith("MNIST"):
        real_data_folder()
    changed = {"epochs": max(first, 0), "recorded_epochs": None, "engine": None}
    kept = {k: v for k, v in settings.items() if k not in (*changed, "experiment", "data_set")}
    store = tmp_path / "again.zarr"
    ibtools.record(
        settings["experiment"],
        store,
        quiet=True,
        epochs=changed["epochs"],
        schedule=[first],
        **kept,
    )
    ibtools.analyze_store(store, quiet=True)
    results = ibtools.open_results(store).load()
    begun_anew = np.array(about["failed_attempts"]) > 0  # one of 50 changes a mean by less
    np.testing.assert_array_equal(
        results["seed"][~begun_anew], np.array(about["seeds"])[~begun_anew]
    )
    again = curve_rows(results).set_index("layer")
    there = table[table["epoch"] == first].set_index("layer")
    for name in ("n_repeats", "mi_xt", "mi_xt_deviation", "mi_ty", "mi_ty_null", "saturation"):
        np.testing.assert_allclose(again[name], there[name], atol=ROUNDING, err_msg=name)


@pytest.mark.parametrize("title", TITLES)
def test_numbers__are_possible(title: str):
    """Means are between 0 and their ceilings, the published estimator never above the exact."""
    table, about = read_table(title), json.loads((NUMBERS / f"{title}.json").read_text())
    assert table["n_repeats"].unique() == len(about["seeds"]) == len(about["failed_attempts"])
    assert table["saturation"].between(0, 1 + 1e-12).all()
    assert (table["mi_ty"] <= table["mi_xt"] + 1e-9).all()
    by_estimator = table.set_index(["estimator", "epoch", "layer"])["mi_xt"]
    if "requantised" in by_estimator.index.get_level_values("estimator"):
        exact, published = by_estimator.loc["exact"], by_estimator.loc["requantised"]
        assert (published <= exact[published.index] + 1e-9).all()


def test_numbers__are_small():
    assert sum(file.stat().st_size for file in NUMBERS.rglob("*") if file.is_file()) < 10e6


SHOWN = (
    "fitting",
    "fitting_above_control",
    "compression",
    "compression_held_out",
    "compression_above_control",
)
"""The quantities of the pages of results; without a control, those that need none."""


def page_of(title: str) -> str:
    """Return the page that shows the tables of an experiment."""
    data_set = title.partition("-")[0].lower()
    return (NUMBERS.parent / f"results_{data_set}.md").read_text()


def dynamics_table(title: str, estimator: str) -> str:
    """Return what the layers of an experiment come to, as the page of results shows it."""
    found = pd.read_csv(NUMBERS / f"{title}-dynamics.csv").query(f"estimator == '{estimator}'")
    cells = found.set_index(["layer", "quantity"])
    shown = [name for name in SHOWN if name in set(found["quantity"])]
    head = ("layer", *(name.replace("_", " ") for name in shown))
    rows = [
        (layer, *(shown_interval(cells.loc[(layer, name)]) for name in shown))
        for layer in dict.fromkeys(found["layer"])
    ]
    return markdown(head, rows)


def markdown(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ("---",) * len(head), *rows])


def shown_interval(row: pd.Series) -> str:
    """Return a mean and its interval, in hundredths of a bit."""
    mean, low, high = (round(float(row[name]), 2) + 0.0 for name in ("mean", "low", "high"))
    return f"{mean:.2f}" if low == high else f"{mean:.2f} [{low:.2f}, {high:.2f}]"


SUMMED_UP = [file.stem.removesuffix("-dynamics") for file in sorted(NUMBERS.glob("*-dynamics.csv"))]
OF_FLOATS = [title for title in SUMMED_UP if title.endswith("-float")]


def estimators_of(title: str) -> list[str]:
    """Return the estimators that an experiment is summed up of."""
    return list(dict.fromkeys(pd.read_csv(NUMBERS / f"{title}-dynamics.csv")["estimator"]))


@pytest.mark.parametrize(
    ("title", "estimator"),
    [(one, by) for one in SUMMED_UP if one not in OF_FLOATS for by in estimators_of(one)],
)
def test_results__tables_are_the_numbers(title: str, estimator: str):
    """Of the published estimator, the row of the output: others are those of exact."""
    page = page_of(title)
    table = dynamics_table(title, estimator).splitlines()
    if estimator == "requantised":
        shown = [line for line in table if line.startswith("| output ")]
        assert shown[0].replace("| output |", "| output, requantised |") in page
    else:
        assert "\n".join(table) in page


def estimators_table(title: str, quantity: str) -> str:
    """Return one quantity of the layers of a float network, by estimator."""
    found = pd.read_csv(NUMBERS / f"{title}-dynamics.csv").query(f"quantity == '{quantity}'")
    cells = found.set_index(["layer", "estimator"])
    estimators, layers = (list(dict.fromkeys(found[name])) for name in ("estimator", "layer"))
    head = (quantity.replace("_", " "), *(name.removesuffix("-global") for name in estimators))
    rows = [
        (layer, *(shown_interval(cells.loc[(layer, name)]) for name in estimators))
        for layer in layers
    ]
    return markdown(head, rows)


@pytest.mark.parametrize("quantity", ["fitting", "compression", "compression_held_out"])
@pytest.mark.parametrize("title", OF_FLOATS)
def test_results__tables_of_floats_are_the_numbers(title: str, quantity: str):
    assert estimators_table(title, quantity) in page_of(title)
