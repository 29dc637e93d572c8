"""The accessor `.ib`: the functions as methods, the layers, and what is displayed."""

import inspect
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import ibtools
from ibtools.analysis.passes import result_overview
from ibtools.errors import InputError, StoreError, UnknownNameError
from ibtools.store.datasets import open_raw
from ibtools.store.schema import CUBE

METHODS = ("analyze", "details", "permutation_test", "plot", "dynamics", "repeat_intervals")
ESTIMATORS = ["exact", "binned-uniform-3-layer", "knn-3"]


@pytest.fixture
def analysed(analysed_by, tmp_path: Path) -> Path:
    return Path(shutil.copytree(analysed_by(*ESTIMATORS), tmp_path / "example.zarr"))


@pytest.mark.parametrize("name", METHODS)
def test_methods__have_the_signature_of_the_function(name: str):
    function = inspect.signature(getattr(ibtools, name))
    method = inspect.signature(getattr(ibtools.IbAccessor, name))
    of_function = list(function.parameters.values())[1:]
    of_method = list(method.parameters.values())[1:]
    assert [(p.name, p.kind, p.default) for p in of_method] == [
        (p.name, p.kind, p.default) for p in of_function
    ]


def test_accessor__is_there_without_the_libraries_of_the_analysis(example_store: Path):
    program = (
        "import ibtools, sys; "
        f"ds = ibtools.open_store({str(example_store)!r}); "
        "repr(ds.ib); ds.ib._repr_html_(); ds.ib.layer('output').ib.activation; "
        "assert not {'numba', 'matplotlib', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_analyze__is_the_function(example_store: Path):
    dataset = ibtools.open_store(example_store)
    found = dataset.ib.analyze(estimator=ESTIMATORS).compute()
    xr.testing.assert_equal(found, ibtools.analyze(dataset, estimator=ESTIMATORS).compute())


def test_details__and_permutation_test_are_the_functions(example_store: Path):
    dataset = ibtools.open_store(example_store)
    found = dataset.ib.details("classes").compute()
    xr.testing.assert_equal(found, ibtools.details(dataset, "classes").compute())
    tested = dataset.ib.permutation_test(n_permutations=9, seed=1).compute()
    expected = ibtools.permutation_test(dataset, n_permutations=9, seed=1).compute()
    xr.testing.assert_equal(tested, expected)


def test_dynamics__and_repeat_intervals_are_the_functions(analysed: Path):
    results = ibtools.open_results(analysed)
    xr.testing.assert_equal(results.ib.dynamics(window=3), ibtools.dynamics(results, window=3))
    found = results.ib.dynamics().ib.repeat_intervals(method="t", level=0.9)
    expected = ibtools.repeat_intervals(ibtools.dynamics(results), method="t", level=0.9)
    xr.testing.assert_equal(found, expected)


def test_plot__is_the_function(analysed: Path, tmp_path: Path):
    results, dataset = ibtools.open_results(analysed), ibtools.open_store(analysed)
    figure = results.ib.plot("information-plane", output=tmp_path / "a.svg", layers=["output"])
    assert "exact" in figure.axes[0].get_title()
    assert (tmp_path / "a.svg").stat().st_size > 0
    assert dataset.ib.plot("activation-ranges").axes
    with pytest.raises(StoreError, match="drawn from the recording itself, not from results"):
        results.ib.plot("activation-ranges")
    with pytest.raises(StoreError, match=r"the Dataset that ibtools\.analyze or"):
        dataset.ib.plot("information-plane")


def test_plot__of_one_of_several_estimators(analysed: Path):
    several = ibtools.open_results(analysed, estimator=None)
    assert several.sel(estimator="exact").ib.plot("information-epochs").axes
    with pytest.raises(InputError, match=r"select one, as in results\.sel\(estimator="):
        several.ib.plot("information-epochs")


def test_activation__is_that_of_open_store(example_store: Path):
    expected = ibtools.open_store(example_store)
    xr.testing.assert_identical(expected.ib.activation, expected["activation"])
    raw = xr.open_zarr(example_store)
    xr.testing.assert_equal(raw.ib.activation.load(), expected["activation"].load())


@pytest.mark.parametrize(
    "selection",
    [
        {"repeat": 1},
        {"epoch": -1},
        {"layer": 2},
        {"layer": 0},
        {"layer": [1]},
        {"sample": 3},
        {"repeat": 0, "epoch": [1, 2], "layer": 1, "sample": slice(5)},
    ],
)
def test_activation__of_a_selection_of_what_is_on_disk(example_store: Path, selection: dict):
    found = xr.open_zarr(example_store).isel(selection).ib.activation
    expected = ibtools.open_store(example_store)["activation"].isel(selection)
    assert found.dims == expected.dims
    assert found.dtype == np.float32
    xr.testing.assert_equal(found.load(), expected.load())


def test_activation__of_some_units_of_what_is_on_disk(example_store: Path):
    raw = xr.open_zarr(example_store)
    for selected in (raw.isel(unit=0), raw.isel(unit=slice(3))):
        with pytest.raises(StoreError, match="decode first, then select units"):
            selected.ib.activation  # noqa: B018
    units = ibtools.open_store(example_store).isel(unit=0).ib.activation
    assert units.dims == CUBE[:4]


def test_activation__of_a_part_of_what_is_needed(example_store: Path):
    with pytest.raises(StoreError, match="but scale, zero_point is missing; open it with"):
        xr.open_zarr(example_store).drop_vars(["scale", "zero_point"]).ib.activation  # noqa: B018


def test_activation__of_other_datasets(analysed: Path, partition_store: Path):
    with pytest.raises(StoreError, match=r"in the Dataset of a store, but none of .*open_store"):
        ibtools.open_results(analysed).ib.activation  # noqa: B018
    with pytest.raises(StoreError, match="keeps only the partition of whole layers"):
        ibtools.open_store(partition_store).ib.activation  # noqa: B018


@pytest.mark.parametrize(("name", "n_units"), [("hidden_1", 5), ("free", 2), ("output", 3)])
@pytest.mark.parametrize("opened", [ibtools.open_store, xr.open_zarr])
def test_layer__has_its_own_units(example_store: Path, opened, name: str, n_units: int):
    layer = opened(example_store).ib.layer(name)
    expected = ibtools.open_store(example_store)["activation"].sel(layer=name)
    assert "layer" not in layer.dims
    assert layer.sizes["unit"] == n_units
    assert layer["activation"].dims == ("repeat", "epoch", "sample", "unit")
    assert layer["activation"].notnull().all()
    xr.testing.assert_equal(layer["activation"].load(), expected.isel(unit=slice(n_units)).load())


def test_layer__of_a_selection_of_results_and_of_a_partition(analysed: Path, partition_store: Path):
    last = ibtools.open_store(analysed).isel(epoch=-1).ib.layer("free")
    assert dict(last["activation"].sizes) == {"repeat": 2, "sample": 64, "unit": 2}
    results = ibtools.open_results(analysed).load()
    xr.testing.assert_identical(results.ib.layer("output"), results.sel(layer="output"))
    partition = ibtools.open_store(partition_store).ib.layer("output")
    assert partition["partition"].dims == ("repeat", "epoch", "sample")


def test_layer__errors(example_store: Path):
    dataset = ibtools.open_store(example_store)
    with pytest.raises(UnknownNameError, match="unknown layer 'ouput'; did you mean 'output'"):
        dataset.ib.layer("ouput")
    with pytest.raises(StoreError, match="with the dimension layer, found repeat"):
        dataset.ib.layer("output").ib.layer("output")
    with pytest.raises(StoreError, match="with the dimension layer, found none; use the Dataset"):
        xr.Dataset().ib.layer("output")


def test_accessor__everything_is_lazy(analysed: Path, forbid_computing):
    dataset = ibtools.open_store(analysed)
    small = ("complete", "scale", "zero_point", "activation_min", "activation_max")
    read = dataset.assign({name: dataset[name].load() for name in small})
    raw = dataset.drop_vars("activation").assign(activation=open_raw(analysed)["activation"])
    with forbid_computing:
        lazy = [
            dataset.ib.activation,
            raw.ib.activation,
            raw.ib.layer("output")["activation"],
            dataset.ib.layer("output")["code"],
            read.ib.analyze(estimator=ESTIMATORS)["mi_xt"],
            next(iter(read.ib.details("classes").data_vars.values())),
            next(iter(read.ib.permutation_test().data_vars.values())),
            ibtools.open_results(analysed, estimator=None).ib.layer("output")["mi_ty"],
        ]
    assert all(one.chunks is not None for one in lazy)


@pytest.mark.parametrize("opened", [ibtools.open_store, xr.open_zarr])
def test_repr__computes_nothing(analysed: Path, forbid_computing, opened):
    datasets = [
        opened(analysed),
        opened(analysed).isel(repeat=0, layer=[0]),
        ibtools.open_store(analysed).ib.analyze(),
        ibtools.open_results(analysed, estimator=None),
    ]
    with forbid_computing:
        for dataset in datasets:
            assert dataset.ib._repr_html_()
            assert repr(dataset.ib)


def test_repr__reads_nothing_that_is_not_in_memory(analysed: Path):
    unread = xr.open_zarr(analysed, chunks=None)
    assert "not read yet" in repr(unread.ib)
    assert not unread["complete"].variable._in_memory


def test_repr__of_a_store(example_store: Path, partition_store: Path):
    dataset = ibtools.open_store(example_store)
    text = repr(dataset.ib)
    assert "2 repeats × 4 epochs (0 to 10) × 3 layers × 64 samples × 5 units" in text
    assert "5-2-3 units; tanh, linear, softmax; 8, 32 bits" in text
    assert f"{2 * 4 * 64 * (5 + 4 * 2 + 3) / 1e6:.1f} MB of codes and float32 values" in text
    assert "3 classes" in text
    assert "not read yet (ds.complete.load() does)" in text
    assert "8 of 8 snapshots" in repr(dataset.assign(complete=dataset["complete"].load()).ib)
    assert "of the partition of each layer" in repr(ibtools.open_store(partition_store).ib)


def test_repr__of_results(analysed: Path):
    results = ibtools.open_results(analysed)
    text = repr(results.ib)
    for words in ("estimator", "exact", "mi_xt is I(X;T) (bit)", "N = 64, H(X) = 6 bit", "lazy"):
        assert words in text
    assert "numbers     mean of 2 repeats, and the peak of that curve" in text
    assert "mi_ty_null is chance level of I(T;Y) (bit)" in text
    (row,) = (line.split() for line in text.splitlines() if line.startswith("  output"))
    mean = results[["mi_xt", "mi_ty", "mi_ty_null"]].sel(layer="output").mean("repeat").load()
    expected = []
    for name in ("mi_xt", "mi_ty"):
        peak = int(mean["epoch"][int(mean[name].argmax("epoch"))])
        expected += [f"{float(mean[name].max()):.4g}", f"({peak})", f"{float(mean[name][-1]):.4g}"]
    assert row[4:] == [*expected, f"{float(mean['mi_ty_null'][-1]):.4g}"]
    head = next(line for line in text.splitlines() if "units" in line and "bits" in line)
    assert re.split(" {2,}", head.strip())[4:] == [
        "mi_xt, peak (epoch)",
        "mi_xt, epoch 10",
        "mi_ty, peak (epoch)",
        "mi_ty, epoch 10",
        "mi_ty_null, epoch 10",
    ]
    assert text.replace("lazy: read from the store when used", "in memory") == repr(
        results.load().ib
    )


def test_repr__of_results_that_are_large_or_damaged_or_not_computed(analysed: Path, monkeypatch):
    results = ibtools.open_results(analysed)
    selected = results.sel(layer=["output"]).isel(repeat=[0])
    assert "numbers     1 repeat, and" in repr(selected.ib)
    with monkeypatch.context() as patch:
        patch.setattr(result_overview, "MOST_READ", 100)
        assert "numbers" not in repr(results.ib)
        assert "numbers" in repr(results.load().ib)
    lazy = repr(ibtools.open_store(analysed).ib.analyze().ib)
    assert "lazy: not computed yet" in lazy
    assert "numbers" not in lazy
    for file in (analysed / "information" / "exact" / "mi_ty" / "c").rglob("0"):
        if file.is_file():
            file.write_bytes(b"")
    assert "numbers" not in repr(ibtools.open_results(analysed).ib)


def test_repr__of_several_estimators_and_a_selected_one(analysed: Path):
    several = ibtools.open_results(analysed, estimator=ESTIMATORS)
    text = repr(several.ib)
    assert "3 estimators × 2 repeats" in text
    assert "H(binned T)" in text
    one = repr(several.sel(estimator="knn-3").ib)
    assert "note on mi_xt" in one
    assert "knn-3" in one
    assert "mi_xt is" not in one
    assert "mi_xt is H(binned T) (bit)" in repr(several.isel(estimator=1).load().ib)


def test_repr__of_what_is_derived_and_of_what_is_neither(analysed: Path):
    results = ibtools.open_results(analysed).load()
    assert "peak_epoch" in repr(ibtools.dynamics(results).ib)
    assert "epoch 10" not in repr(results.mean("repeat").ib)
    text = repr(xr.Dataset({"a": 1}).ib)
    assert "neither a store nor results" in text
    assert "ibtools.open_store(path)" in text


class Reader(HTMLParser):
    """Collect tags and text, and check that every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.words: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.add(tag)
        assert {name for name, _ in attrs} <= {"style"}

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_repr_html__says_what_the_text_says_and_escapes_it(analysed: Path):
    results = ibtools.open_results(analysed).load()
    name = "<script>alert('x')</script> & co"
    results.attrs["experiment"] = name
    html = results.ib._repr_html_()
    reader = Reader()
    reader.feed(html)
    assert not reader.open
    assert reader.tags == {"div", "table", "tbody", "tr", "td"}
    assert "<script>" not in html
    assert any(name in word for word in reader.words)
    text = repr(results.ib)
    assert all(word in text for word in reader.words)
