import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

import ibtools
from ibtools.analysis.plots import (
    accuracy_facets,
    epochs_facets,
    figure_format,
    information_facets,
    information_plane,
    plot_stores,
)
from ibtools.analysis.plots.titles import facet_titles
from ibtools.errors import InputError, StoreError, UnknownNameError
from ibtools.shown import short_names
from tests.analysis.results_example import LAYERS, create_recording, create_results

SEVERAL = {"tanh": create_results(), "relu": create_results(outcomes=["trained"] * 3)}


def concatenated():
    """Two activations by two numbers of bits; one network is shallower and has more repeats."""
    one, other = (
        create_results(),
        create_results(layers=("hidden_1", "output"), outcomes=["trained", "failed", "trained"]),
    )
    bits = pd.Index([4, 8], name="n_bits")
    join = {"coords": "different", "compat": "equals", "join": "outer"}
    rows = [xr.concat([one * scale, other * scale], bits, **join) for scale in (1, 0.5)]
    together = xr.concat(rows, pd.Index(["tanh", "relu"], name="activation"), **join)
    return together.assign_attrs(one.attrs)


def points_of(ax):
    return {c.get_label(): c for c in ax.collections if isinstance(c, PathCollection)}


def titles_of(axes):
    return [ax.get_title().split("\n")[0] for ax in axes]


def test_information_facets__of_a_mapping_show_each_under_its_title():
    axes = information_facets(SEVERAL)
    assert titles_of(axes) == ["tanh", "relu"]
    assert axes[1].get_title().endswith("mean of 3 repeats")
    for ax, results in zip(axes, SEVERAL.values(), strict=True):
        expected = results["mi_ty"].mean("repeat").sel(layer="output")
        np.testing.assert_allclose(points_of(ax)["output"].get_offsets()[:, 1], expected)


def test_information_facets__share_axes_colour_bar_and_legend():
    axes = information_facets(SEVERAL)
    figure = axes[0].figure
    assert len({(ax.get_xlim(), ax.get_ylim()) for ax in axes}) == 1
    assert len(figure.axes) == 3
    assert len(figure.legends) == 1
    assert [bool(ax.get_ylabel()) for ax in axes] == [True, False]
    norms = {id(points.norm) for ax in axes for points in points_of(ax).values()}
    assert len(norms) == 1


def test_information_facets__of_a_dataset_are_rows_and_columns():
    results = concatenated()
    axes = information_facets(results, row="activation", col="n_bits")
    assert titles_of(axes) == [
        f"activation = {activation}, n_bits = {bits}"
        for activation in ("tanh", "relu")
        for bits in (4, 8)
    ]
    assert axes[1].get_position().x0 > axes[0].get_position().x0
    assert axes[2].get_position().y0 < axes[0].get_position().y0


def test_information_facets__leave_out_what_concatenation_filled_up():
    axes = information_facets(concatenated(), row="activation", col="n_bits")
    assert tuple(points_of(axes[0])) == LAYERS
    assert tuple(points_of(axes[1])) == ("hidden_1", "output")
    assert axes[0].get_title().endswith("mean of 2 repeats")
    assert axes[1].get_title().endswith("mean of 2 repeats, 1 failed")


def test_information_facets__one_dimension_needs_no_name():
    results = concatenated().isel(activation=0, drop=True)
    assert titles_of(information_facets(results)) == ["n_bits = 4", "n_bits = 8"]


def test_information_facets__titles_are_text_of_the_format_that_is_set():
    """The font of LaTeX has no Hebrew letters: what is drawn in it writes them as Python does."""
    several = concatenated().isel(activation=0, drop=True).assign_coords(n_bits=["ש", "$x$"])
    assert titles_of(information_facets(several)) == ["n_bits = ש", r"n_bits = \$x\$"]
    with figure_format("latex"):
        titles = titles_of(information_facets(several))
    assert titles == [r"n_bits = \u05e9", r"n_bits = \$x\$"]


def test_information_facets__compose_into_a_users_figure():
    figure = Figure(layout="constrained")
    axes = figure.subplots(1, 2)
    assert information_facets(SEVERAL, axes=axes) == tuple(axes)
    assert len(figure.axes) == 3
    figure.draw_without_rendering()


def test_information_facets__errors():
    with pytest.raises(InputError, match=r"which are activation, n_bits; got row=None, col='n_b"):
        information_facets(concatenated(), col="n_bits")
    with pytest.raises(InputError, match="which are none"):
        information_facets(create_results())
    with pytest.raises(InputError, match="a mapping; leave them out"):
        information_facets(SEVERAL, col="activation")
    with pytest.raises(InputError, match="nothing was given"):
        information_facets({})
    with pytest.raises(InputError, match="axes must be 2, one for each panel, got 1"):
        information_facets(SEVERAL, axes=[Figure().subplots()])
    with pytest.raises(UnknownNameError, match="did you mean 'output'"):
        information_facets(SEVERAL, layers=["ouput"])


def test_information_plane__of_several_stores_says_what_draws_them():
    with pytest.raises(StoreError, match="facets along activation, n_bits with information_facets"):
        information_plane(concatenated())


def test_epochs_facets__two_rows_each_on_one_axis():
    axes = epochs_facets(SEVERAL)
    assert len(axes) == 4
    assert axes[0].get_ylim() == axes[1].get_ylim() != axes[2].get_ylim() == axes[3].get_ylim()
    assert [ax.get_ylabel() for ax in axes] == ["$I(X;T)$ [bit]", "", "$I(T;Y)$ [bit]", ""]
    for ax, results in zip(axes[2:], SEVERAL.values(), strict=True):
        (line,) = [line for line in ax.lines if line.get_label() == "output"]
        expected = results["mi_ty"].mean("repeat").sel(layer="output")
        np.testing.assert_allclose(line.get_ydata(), expected)


def test_accuracy_facets__share_one_axis():
    axes = accuracy_facets({"few": create_recording(), "many": create_recording(n_train=96)})
    assert len({ax.get_ylim() for ax in axes}) == 1
    assert titles_of(axes) == ["few", "many"]


def test_facet_titles__are_what_differs():
    tanh, relu = create_recording(), create_recording().assign_attrs(experiment="SYN-ReLU")
    coarse = tanh.assign_coords(bits=("layer", [4, 4, 4]))
    assert facet_titles([tanh, relu], ["a", "b"]) == ["SYN-Tanh", "SYN-ReLU"]
    assert facet_titles([tanh, coarse], ["a", "b"]) == ["8 bits", "4 bits"]
    assert facet_titles([tanh, relu, coarse], ["a", "b", "c"]) == [
        "SYN-Tanh, 8 bits",
        "SYN-ReLU, 8 bits",
        "SYN-Tanh, 4 bits",
    ]
    wider = tanh.assign_coords(n_units=("layer", [9, 2, 2]))
    assert facet_titles([tanh, wider], ["a", "b"]) == ["3-2-2", "9-2-2"]
    assert facet_titles([tanh, tanh], ["a.zarr", "b.zarr"]) == ["a.zarr", "b.zarr"]


def test_plot__of_a_mapping_draws_facets():
    figure = ibtools.plot(SEVERAL, "information-plane", layers=["output"])
    assert titles_of(figure.axes[:2]) == ["tanh", "relu"]
    assert list(points_of(figure.axes[0])) == ["output"]
    with pytest.raises(InputError, match="'repeats' is of one store; of several there are: inf"):
        ibtools.plot(SEVERAL, "repeats")


def test_plot_stores__draws_what_each_store_holds(example_store, partition_store, tmp_path):
    stores = [example_store, partition_store]
    for store in stores:
        ibtools.analyze_store(store, quiet=True)
    figure = plot_stores(stores, "information-plane", output=tmp_path / "f.pdf", format="latex")
    assert titles_of(figure.axes[:2]) == short_names(stores, 48)
    assert (tmp_path / "f.pdf").read_bytes().startswith(b"%PDF")


def test_plot_stores__settings_are_checked_before_opening():
    with pytest.raises(InputError, match=r"'scatter' is of one store; of several there are: inf"):
        plot_stores(["a.zarr", "b.zarr"], "scatter")
    with pytest.raises(UnknownNameError, match="did you mean 'accuracy'"):
        plot_stores(["a.zarr", "b.zarr"], "acuracy")
    with pytest.raises(InputError, match="has no option epoch; it takes: row, col, ncols"):
        plot_stores(["a.zarr", "b.zarr"], "accuracy", epoch=1)
    with pytest.raises(InputError, match="none was given"):
        plot_stores([], "accuracy")
