"""What variables are called at the axes of plots: a few words; the sentences are descriptions."""

import shutil
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import xarray as xr
import zarr

import ibtools
from ibtools.analysis.details import About
from ibtools.analysis.details.across_networks import VARIABLES as ACROSS
from ibtools.analysis.details.input_directions import DIRECTION, SHARE
from ibtools.analysis.details.input_directions import VARIABLES as DIRECTIONS
from ibtools.analysis.estimators import parse_estimator
from ibtools.analysis.measures.derived_variables import DERIVED
from ibtools.analysis.measures.protocol import own_coordinates
from ibtools.analysis.measures.registry import DETAILS, ESTIMATORS
from ibtools.store.schema import LONGEST_LABEL, RESULT_VARIABLES, STORE_VARIABLES, Variable

OPTIONS = (
    "exact-per-unit",
    "exact-population-chao-shen",
    "binned-uniform-3-0.0,1.0",
    "kde-relative-0.1",
    "requantised-4-per-unit",
)


def declared() -> list[Variable]:
    """Return every variable that ibtools declares."""
    of_estimators = [parse_estimator(name) for name in (*ESTIMATORS.names(), *OPTIONS)]
    of_details = [About, *DETAILS.load_all().values()]
    return [
        *STORE_VARIABLES,
        *RESULT_VARIABLES,
        *DERIVED,
        *ACROSS,
        *DIRECTIONS,
        DIRECTION,
        SHARE,
        *(one for known in of_estimators for one in (*known.variables, *own_coordinates(known))),
        *(one for known in of_details for one in known.variables),
    ]


def labels_of(dataset: xr.Dataset) -> dict[str, str]:
    """Return what xarray writes at an axis of each variable."""
    return {str(name): label_of(one) for name, one in dataset.variables.items()}


def label_of(variable: xr.Variable | xr.DataArray) -> str:
    units = variable.attrs.get("units")
    return variable.attrs.get("long_name", "") + (f" [{units}]" if units else "")


def test_labels__of_all_that_is_declared_are_a_few_words():
    for one in declared():
        attributes = one.attributes()
        assert 0 < len(attributes["long_name"]) <= LONGEST_LABEL, one
        assert attributes["description"] == one.description, one
        assert attributes.get("units") != "1", one


ESTIMATED = ["exact", "binned-uniform-3-layer", "knn-3", "resolution"]


@pytest.fixture(scope="module")
def analysed(recorded_example: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Leave it as it is."""
    store = tmp_path_factory.mktemp("analysed") / "example.zarr"
    shutil.copytree(recorded_example, store)
    ibtools.analyze_store(store, estimator=ESTIMATED, quiet=True)
    ibtools.details_store(store, ["classes", "invariants-2"], quiet=True)
    return store


def test_labels__of_what_is_opened(analysed: Path):
    opened = [
        xr.open_zarr(analysed),
        ibtools.open_store(analysed),
        *(ibtools.open_results(analysed, estimator=name) for name in ESTIMATED),
        ibtools.open_results(analysed, estimator=None),
        ibtools.open_details(analysed, "classes"),
        ibtools.open_details(analysed, "invariants-2"),
        ibtools.analyze(ibtools.open_store(analysed), estimator="kde-0.1"),
    ]
    for dataset in opened:
        for name, label in labels_of(dataset).items():
            assert 0 < len(label) <= LONGEST_LABEL + len(" [bit]"), name
            assert "[1]" not in label


def test_labels__at_the_axes_of_xarray(analysed: Path):
    results = ibtools.open_results(analysed)
    of_layer = results["mi_ty"].sel(layer="output")
    (line,) = of_layer.isel(repeat=0).plot()
    assert (line.axes.get_xlabel(), line.axes.get_ylabel()) == ("epoch", "I(T;Y) [bit]")
    plt.figure()
    lines = of_layer.isel(epoch=-1).plot()
    assert lines[0].axes.get_xlabel() == "repeat"
    plt.figure()
    lines = results["mi_xt"].isel(repeat=0).plot(hue="layer")
    assert lines[0].axes.get_legend().get_title().get_text() == "layer"
    plt.figure()
    cut = ibtools.open_results(analysed, estimator="resolution").isel(repeat=0, layer=0)
    mesh = cut["mi_ty"].plot(x="resolution")
    assert mesh.axes.get_xlabel() == "resolution [bit]"
    plt.figure()
    dataset = ibtools.open_store(analysed)
    lines = dataset["test_accuracy"].isel(repeat=0).plot()
    assert (lines[0].axes.get_xlabel(), lines[0].axes.get_ylabel()) == ("epoch", "test accuracy")
    plt.close("all")


def test_labels__of_several_estimators_stay_short(analysed: Path):
    several = ibtools.open_results(analysed, estimator=None)
    assert several["mi_xt"].attrs["long_name"] == "H(binned T) or others"
    assert several["mi_xt_meaning"].sel(estimator="exact").item() == "I(X;T)"
    one = several.sel(estimator="exact").ib.plot("information-epochs")
    assert "I(X;T)" in one.axes[0].get_ylabel()


def write_as_before(group: zarr.Group) -> None:
    """Describe the variables of a group as earlier versions did: the sentence is the label."""
    for name, array in group.arrays():
        said = dict(array.attrs)
        label, sentence = said.pop("long_name"), said.pop("description")
        is_labelled = str(name).startswith(("mi_", "entropy", "saturation"))
        kept = {"long_name": label, "description": sentence} if is_labelled else {}
        array.attrs.put({"units": "1", **said, "long_name": sentence, **kept})


def test_labels__of_stores_of_earlier_versions(analysed: Path, tmp_path: Path):
    expected = ibtools.open_store(analysed), ibtools.open_results(analysed)
    older = shutil.copytree(analysed, tmp_path / "older.zarr")
    root = zarr.open_group(older, mode="r+")
    write_as_before(root)
    write_as_before(root["information/exact"])
    as_stored = xr.open_zarr(older, consolidated=False)
    assert "samples and units" in as_stored["activation_min"].attrs["long_name"]
    found = ibtools.open_store(older), ibtools.open_results(older)
    for one, other in zip(found, expected, strict=True):
        assert labels_of(one) == labels_of(other)
        xr.testing.assert_equal(one, other)
    assert as_stored["activation"].attrs["long_name"].startswith("value of each unit of a layer")
    xr.testing.assert_equal(as_stored.ib.activation.load(), expected[0]["activation"].load())
