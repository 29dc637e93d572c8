"""Results are of the content of a store, wherever it lies and whatever lay there before."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from click.testing import CliRunner

import ibtools
from ibtools.analysis.passes import store_blocks
from ibtools.analysis.passes.outdated import DEPENDS_ON
from ibtools.cli.main import cli
from ibtools.errors import StoreError
from ibtools.store.groups import get_array
from ibtools.store.identity import DIGEST, Content
from ibtools.store.info import store_info
from ibtools.store.opened import open_group
from ibtools.store.writer import RepeatWriter
from tests.conftest import LABEL, record_example
from tests.unbound import unbind

pytestmark = pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")

OTHER = np.arange(64) // 22
"""Other labels, of the same three classes."""


def analyze(path: Path, **options) -> xr.Dataset:
    ibtools.analyze_store(path, quiet=True, **options)
    return ibtools.open_results(options.get("output", path)).load()


def expected(path: Path) -> xr.Dataset:
    return ibtools.analyze(ibtools.open_store(path)).compute()


def relabel(path: Path, label=OTHER) -> None:
    get_array(open_group(path, "r+"), "label")[...] = label


def digest(path: Path) -> str:
    return Content.of(open_group(path)).digest


@pytest.mark.parametrize(
    "scheduler", ["threads", pytest.param("synchronous", marks=pytest.mark.slow)]
)
def test_analyze_store__another_store_at_the_same_path(
    example_store: Path, tmp_path: Path, scheduler: str
):
    """Saved by xarray, both have one `store_id` and one path; each is analysed as what it is."""
    source, path = ibtools.open_store(example_store), tmp_path / "saved.zarr"
    derived: dict[str, Callable[[xr.Dataset], xr.Dataset]] = {
        "as it is": lambda ds: ds,
        "relabelled": lambda ds: ds.assign_coords(label=("sample", OTHER)),
        "permuted labels": lambda ds: ds.assign_coords(label=("sample", LABEL[::-1].copy())),
        "fewer samples": lambda ds: ds.isel(sample=slice(40)),
        "rechunked": lambda ds: ds.chunk(epoch=1, sample=30),
        "two layers": lambda ds: ds.isel(layer=[0, 2]),
        "more repeats": lambda ds: xr.concat(
            [ds, ds.assign_coords(repeat=[2, 3])],
            "repeat",
            data_vars="minimal",
            coords="minimal",
            compat="override",
        ),
    }
    for make in derived.values():
        dataset = make(source)
        dataset.to_zarr(path, mode="w")
        found = analyze(path, scheduler=scheduler)
        xr.testing.assert_identical(
            found.drop_attrs(), ibtools.analyze(dataset).compute().drop_attrs()
        )


def test_analyze_store__keeps_nothing_open(example_store: Path):
    analyze(example_store)
    assert store_blocks._open.cache_info().currsize == 0


def test_analyze_store__a_store_that_is_replaced_meanwhile(example_store: Path):
    path, layers = str(example_store), (0, 1, 2)
    source = store_blocks.Source(path, "of another", "analysis", (0.0, 1.0), 2**30, layers)
    with pytest.raises(StoreError, match="replaced by another store while it was analysed"):
        store_blocks.block_values(source, (), ())


def test_analyze_store__relabelled_in_place_is_computed_anew(example_store: Path):
    first = analyze(example_store)
    relabel(example_store)
    report = ibtools.analyze_store(example_store, quiet=True)
    assert (report.computed, report.skipped) == (8, 0)
    found = ibtools.open_results(example_store).load()
    xr.testing.assert_identical(found.drop_attrs(), expected(example_store).drop_attrs())
    assert (found.mi_ty != first.mi_ty).any()
    assert found.attrs["entropy_y"] != first.attrs["entropy_y"]
    assert ibtools.analyze_store(example_store, quiet=True).skipped == 8


@pytest.mark.parametrize(
    ("name", "value"), [("layer", "renamed"), ("n_units", 4), ("activation_function", "relu")]
)
def test_analyze_store__other_layers_in_place_are_computed_anew(
    example_store: Path, name: str, value
):
    analyze(example_store)
    get_array(open_group(unbind(example_store), "r+"), name)[0] = value
    assert ibtools.analyze_store(example_store, quiet=True).computed == 8
    xr.testing.assert_identical(
        ibtools.open_results(example_store).load().drop_attrs(),
        expected(example_store).drop_attrs(),
    )


def test_open_results__of_other_labels_are_never_shown(example_store: Path, tmp_path: Path):
    """Every view that reads results beside the store refuses, with what to do."""
    analyze(example_store)
    ibtools.details_store(example_store, "classes", quiet=True)
    relabel(example_store)
    views: list[Callable[[], object]] = [
        lambda: ibtools.open_results(example_store),
        lambda: ibtools.open_results(example_store, estimator=None),
        lambda: ibtools.open_details(example_store, "classes"),
        lambda: ibtools.summary(example_store),
        lambda: ibtools.plot_store(example_store, "information-plane", output=tmp_path / "a.png"),
        lambda: ibtools.export_results(example_store, tmp_path),
        lambda: ibtools.report(example_store, output=tmp_path / "report.html"),
    ]
    for view in views:
        with pytest.raises(
            StoreError, match=r"other labels, inputs or layers.*ibtools (analyze|details)"
        ):
            view()
    assert store_info(example_store).results == {"exact": 0}
    report = ibtools.check(example_store, quiet=True)
    (line,) = [one for one in report.violations if one.subject == "information/exact"]
    assert "other labels, inputs or layers" in line.words
    result = CliRunner().invoke(cli, ["summary", str(example_store)])
    assert result.exit_code == 1
    assert result.output.count("\n") == 1


def test_details_store__relabelled_in_place_is_computed_anew(example_store: Path):
    """With other classes, the details change their size."""
    ibtools.details_store(example_store, ["classes", "layers"], quiet=True)
    relabel(example_store, LABEL % 2)
    reports = ibtools.details_store(example_store, ["classes", "layers"], quiet=True)
    assert [one.computed for one in reports] == [8, 8]
    found = ibtools.open_details(example_store, "classes").load()
    wanted = ibtools.details(ibtools.open_store(example_store), "classes").compute()
    xr.testing.assert_identical(found.drop_attrs(), wanted.drop_attrs())


def test_analyze_store__output_of_derived_stores(example_store: Path, tmp_path: Path):
    """Results elsewhere are of what they were computed from, whatever bears its `store_id`."""
    output, derived = tmp_path / "results.zarr", tmp_path / "derived.zarr"
    analyze(example_store, output=output)
    source = ibtools.open_store(example_store)
    source.to_zarr(derived)
    assert ibtools.analyze_store(derived, output=output, quiet=True).skipped == 8
    for other in (
        source.assign_coords(label=("sample", OTHER)),
        source.isel(sample=slice(40)),
        source.isel(layer=[0, 2]),
        source.isel(repeat=[1]),
        source.isel(repeat=[1, 0]),
        source.isel(epoch=[0, 3]),
    ):
        other.to_zarr(derived, mode="w")
        with pytest.raises(StoreError, match="holds results of another store"):
            ibtools.analyze_store(derived, output=output, quiet=True)
    xr.testing.assert_equal(ibtools.open_results(output).load(), expected(example_store))


def test_analyze_store__output_that_is_another_store(example_store: Path, tmp_path: Path):
    """Of the same labels and layers, or of other ones: they would be shown as its results."""
    other = record_example(tmp_path / "other.zarr")
    ibtools.open_store(example_store).isel(sample=slice(40)).to_zarr(tmp_path / "part.zarr")
    for output in (other, tmp_path / "part.zarr"):
        with pytest.raises(StoreError, match="another store is there"):
            ibtools.analyze_store(example_store, output=output, quiet=True)


def test_analyze_store__repeats_that_were_added_keep_the_others(example_store: Path):
    first = analyze(example_store)
    ibtools.details_store(example_store, "classes", quiet=True)
    more = xr.open_zarr(example_store).load().assign_coords(repeat=[2, 3])
    more.drop_vars(
        [name for name in more.variables if "repeat" not in more[name].dims]
    ).drop_encoding().to_zarr(example_store, append_dim="repeat", mode="a")
    assert ibtools.open_results(example_store).sizes["repeat"] == 2
    report = ibtools.analyze_store(example_store, quiet=True)
    assert (report.computed, report.skipped) == (8, 8)
    found = ibtools.open_results(example_store).load()
    assert found.repeat.values.tolist() == [0, 1, 2, 3]
    xr.testing.assert_equal(found.isel(repeat=[0, 1]), first)
    (details,) = ibtools.details_store(example_store, "classes", quiet=True)
    assert (details.computed, details.skipped) == (8, 8)


def test_open_results__of_a_repeat_that_was_begun_anew(example_store: Path):
    """What was found of a training that was given up is not shown as that of the next."""
    analyze(example_store)
    RepeatWriter(open_group(example_store, "r+"), 1).start_attempt(seed=7, failed_attempts=1)
    found = ibtools.open_results(example_store).load()
    assert found.mi_ty.isnull().all(["epoch", "layer"]).values.tolist() == [False, True]
    assert store_info(example_store).results == {"exact": 4}


def without_digest(path: Path) -> zarr.Group:
    """Make results what an earlier ibtools wrote."""
    group = zarr.open_group(path, mode="r+", use_consolidated=False)["information/exact"]
    attributes = {name: value for name, value in group.attrs.items() if name != DIGEST}
    group.attrs.put(attributes)
    del group["checksum"]
    return group


def test_open_results__of_an_earlier_version_count_as_those_of_the_store(example_store: Path):
    first = analyze(example_store)
    group = without_digest(example_store)
    xr.testing.assert_equal(ibtools.open_results(example_store).load(), first)
    assert ibtools.analyze_store(example_store, quiet=True).skipped == 8
    assert zarr.open_group(group.store, path=group.path).attrs[DIGEST] == digest(example_store)


def test_open_results__of_an_earlier_version_with_other_layers(example_store: Path):
    analyze(example_store)
    without_digest(example_store)
    get_array(open_group(unbind(example_store), "r+"), "layer")[0] = "renamed"
    with pytest.raises(StoreError, match="other labels, inputs or layers"):
        ibtools.open_results(example_store)
    assert ibtools.analyze_store(example_store, quiet=True).computed == 8


def test_content__is_the_same_however_it_lies(example_store: Path, tmp_path: Path):
    """A digest is of values, not of dtypes, chunks, paths or what is recorded."""
    source = ibtools.open_store(example_store)
    alike = [
        source,
        xr.open_zarr(example_store),
        source.load().chunk(sample=7),
        source.isel(repeat=[1], epoch=[0, 2]),
        source.assign_coords(label=("sample", LABEL.astype("int8"))),
    ]
    assert {Content.of(one).digest for one in alike} == {digest(example_store)}
    moved = shutil.move(example_store, tmp_path / "moved.zarr")
    assert digest(moved) == Content.of(source).digest


@pytest.mark.parametrize(
    "name", ["label", "split", *["layer", "n_units", "activation_function", "bits"]]
)
def test_content__every_part_of_it_counts(example_store: Path, name: str):
    before = digest(example_store)
    array = get_array(open_group(unbind(example_store), "r+"), name)
    array[0] = "test" if array.dtype.kind == "T" else array[0] + (1 if name == "label" else -1)
    assert digest(example_store) != before


def test_depends_on__what_follows_from_samples(example_store: Path):
    assert set(DEPENDS_ON) - {"bounds_low", "bounds_high"} <= set(analyze(example_store).attrs)
