"""Results of some layers: the numbers of the whole analysis, in a group of their own."""

import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import ibtools
from ibtools.analysis.estimators import Exact, OfLayers, create_estimators, parse_estimator
from ibtools.analysis.estimators.chosen_layers import LONGEST_NAME, choose_layers
from ibtools.analysis.measures.block import PORTION
from ibtools.analysis.passes import store_blocks, writing
from ibtools.analysis.passes.stacking import select_estimator, split_estimators
from ibtools.cli.main import cli
from ibtools.errors import InputError, StoreError, UnknownNameError
from ibtools.store.schema import CUBE
from ibtools.tasks.memory import LIBRARIES
from tests.analysis.figure_kinds import FIGURES
from tests.analysis.wide_layers import LITTLE

CHOSEN = ["hidden_1", "output"]
NAME = "exact-layers-hidden_1-output"
PORTIONS, SUMS = (LIBRARIES + 3 * n // 2 + 100_000 for n in (16 * PORTION, 2**21))
"""Little more than what binning and sums of kernels take, however small a layer is."""

ESTIMATORS = ["exact", "binned-uniform-3-global", "binned-uniform-4-unit-per-unit", "kde", "knn-3"]


def run(command: str) -> str:
    result = CliRunner().invoke(cli, shlex.split(command))
    assert result.exit_code == 0, result.output
    return result.output


def assert_equal(found: xr.Dataset, expected: xr.Dataset) -> None:
    xr.testing.assert_identical(
        found.load().drop_attrs(deep=False), expected.load().drop_attrs(deep=False)
    )


@pytest.fixture(scope="module")
def whole_results(analysed_by) -> dict[str, xr.Dataset]:
    store = analysed_by(*ESTIMATORS)
    return {name: ibtools.open_results(store, estimator=name).load() for name in ESTIMATORS}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("layers", [["output", "free"], ["output"], ["hidden_1"], CHOSEN])
def test_analyze_store__layers_have_the_numbers_of_the_whole(
    analysed_by, whole_results: dict[str, xr.Dataset], tmp_path: Path, layers
):
    """Global bounds are over all layers of the store, whichever are analysed."""
    example_store = Path(shutil.copytree(analysed_by(*ESTIMATORS), tmp_path / "example.zarr"))
    reports = ibtools.analyze_store(example_store, estimator=ESTIMATORS, layers=layers, quiet=True)
    assert [one.computed for one in reports] == [8] * len(ESTIMATORS)
    here = [name for name in ("hidden_1", "free", "output") if name in layers]
    for whole, report in zip(ESTIMATORS, reports, strict=True):
        found = ibtools.open_results(example_store, estimator=report.estimator)
        assert found["layer"].values.tolist() == here
        assert found.attrs["estimator"] == report.estimator
        assert_equal(found, whole_results[whole].sel(layer=here))
        lazy = ibtools.analyze(ibtools.open_store(example_store), estimator=report.estimator)
        assert_equal(lazy, found)


def test_analyze_store__says_that_results_of_all_layers_have_these(example_store: Path):
    alone = ibtools.analyze_store(example_store, layers=["free"], quiet=True)
    assert "have these layers" not in str(alone)
    ibtools.analyze_store(example_store, quiet=True)
    beside = ibtools.analyze_store(example_store, layers=CHOSEN, quiet=True)
    assert "; results of exact are there and have these layers too: " in str(beside)
    assert "have these" not in str(ibtools.analyze_store(example_store, layers=CHOSEN, quiet=True))


def test_analyze_store__layers_of_a_kept_partition(partition_store: Path):
    ibtools.analyze_store(partition_store, quiet=True)
    ibtools.analyze_store(partition_store, layers=CHOSEN, quiet=True)
    expected = ibtools.open_results(partition_store).sel(layer=CHOSEN)
    assert_equal(ibtools.open_results(partition_store, estimator=NAME), expected)


def test_analyze_store__layers_in_one_call_with_all(example_store: Path):
    """In the order asked for, whatever the order of the passes; all layers by name are all."""
    asked = [NAME, "exact", "exact-layers-output-free-hidden_1", "knn-3"]
    reports = ibtools.analyze_store(example_store, estimator=asked, quiet=True)
    assert [one.estimator for one in reports] == [NAME, "exact", "knn-3"]
    lazy = ibtools.analyze(ibtools.open_store(example_store), estimator=asked[:2])
    assert lazy["estimator"].values.tolist() == [NAME, "exact"]


def test_analyze_store__layers_resume_and_compute_nothing_twice(example_store: Path, monkeypatch):
    monkeypatch.setattr("ibtools.analysis.passes.plan.WINDOW_BYTES", 1)
    original, written = writing.write_window, []

    def die_once(kept, window):
        original(kept, window)
        written.extend((window.repeat, int(epoch)) for epoch in window.epochs)
        if len(written) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(writing, "write_window", die_once)
    with pytest.raises(KeyboardInterrupt):
        ibtools.analyze_store(example_store, layers=CHOSEN, quiet=True)
    report = ibtools.analyze_store(example_store, layers=reversed(CHOSEN), quiet=True)
    assert (report.estimator, report.computed, report.skipped) == (NAME, 4, 4)
    assert len(written) == len(set(written)) == 8
    expected = ibtools.analyze(ibtools.open_store(example_store)).sel(layer=CHOSEN)
    assert_equal(ibtools.open_results(example_store, estimator=NAME), expected)


def test_analyze_store__reads_chosen_layers_only(wide_store: Path, monkeypatch):
    read, original = set(), store_blocks._read_layers

    def note(store, block, **options):
        read.update(range(block.layers.start, block.layers.stop))
        return original(store, block, **options)

    monkeypatch.setattr(store_blocks, "_read_layers", note)
    ibtools.analyze_store(wide_store, layers=["free", "output"], quiet=True)
    assert read == {1, 3}


@pytest.mark.parametrize(
    ("estimator", "memory"),
    [("binned", PORTIONS), ("requantised", LITTLE), ("kde", SUMS), ("exact-per-unit", LITTLE)],
)
def test_analyze_store__a_wide_layer_keeps_others_from_nothing(
    wide_store: Path, tmp_path: Path, estimator: str, memory: int
):
    options = {"estimator": estimator, "memory": memory, "quiet": True, "output": tmp_path / "r"}
    with pytest.raises(
        InputError, match=r"'wide' .*needs all takes .*--memory .*or choose other.* --layers"
    ):
        ibtools.analyze_store(wide_store, **options)
    report = ibtools.analyze_store(wide_store, layers=["narrow"], **options)
    assert (report.computed, report.digested) == (3, ())
    expected = ibtools.analyze(ibtools.open_store(wide_store), estimator=estimator)
    found = ibtools.open_results(tmp_path / "r", estimator=report.estimator)
    assert_equal(found, expected.sel(layer=["narrow"]))


def test_analyze_store__parts_of_chosen_layers(wide_store: Path, tmp_path: Path):
    layers = ["free", "narrow", "output"]
    report = ibtools.analyze_store(
        wide_store, layers=layers, memory=LITTLE, output=tmp_path / "r", quiet=True
    )
    assert report.digested == ("free", "output")
    found = ibtools.open_results(tmp_path / "r", estimator=report.estimator)
    expected = ibtools.analyze(ibtools.open_store(wide_store)).sel(layer=layers)
    assert_equal(found, expected)


def test_analyze_store__plans_all_before_it_computes_any(wide_store: Path, tmp_path: Path):
    asked = ["exact-layers-narrow", "requantised-layers-wide"]
    with pytest.raises(InputError, match=r"'wide' of 60 samples .* is too large"):
        ibtools.analyze_store(
            wide_store, estimator=asked, memory=LITTLE, output=tmp_path / "r", quiet=True
        )
    assert not (tmp_path / "r").exists()


def test_check__advises_no_choice_of_layers(wide_store: Path):
    with pytest.raises(InputError, match=r"--memory \(memory=...\)$"):
        ibtools.check(wide_store, memory=LITTLE - 195_000, quiet=True)


def test_analyze_store__refuses_layers(example_store: Path):
    def analyze(**options):
        return ibtools.analyze_store(example_store, quiet=True, **options)

    with pytest.raises(UnknownNameError, match=r"unknown layer 'ouput'; did you mean 'output'\?"):
        analyze(layers=["ouput"])
    with pytest.raises(UnknownNameError, match="unknown layer 'ouput'"):
        analyze(estimator="exact-layers-ouput")
    with pytest.raises(UnknownNameError, match="unknown layer 'ouput'"):
        ibtools.analyze(ibtools.open_store(example_store), estimator="exact-layers-ouput")
    with pytest.raises(InputError, match="at least one layer must be chosen, found none; known"):
        analyze(layers=[])
    with pytest.raises(InputError, match="chosen once, found exact-layers-free and layers"):
        analyze(estimator="exact-layers-free", layers=["output"])
    assert not (example_store / "information").exists()


def test_analyze_store__layers_that_are_no_more_are_out_of_date(example_store: Path, tmp_path):
    ibtools.analyze_store(example_store, layers=CHOSEN, quiet=True)
    other = tmp_path / "other.zarr"
    names = {"layer": np.array(["first", "free", "output"], np.dtypes.StringDType())}
    ibtools.open_store(example_store).drop_vars("activation").assign_coords(names).to_zarr(
        other, consolidated=False
    )
    (other / "information").mkdir()
    for part in ("zarr.json", NAME):
        (example_store / "information" / part).rename(other / "information" / part)
    with pytest.raises(StoreError, match="out of date: they are of other labels, inputs or lay"):
        ibtools.open_results(other, estimator=NAME)


def test_open_results__layers_in_any_order(example_store: Path):
    ibtools.analyze_store(example_store, layers=CHOSEN, quiet=True)
    found = ibtools.open_results(example_store, estimator="exact-layers-output-hidden_1")
    assert found.attrs["estimator"] == NAME
    with pytest.raises(StoreError, match=f"no results of estimator 'exact'; .*{NAME}"):
        ibtools.open_results(example_store)


def test_open_results__layers_beside_all(example_store: Path):
    """What some lack is missing beside the others, and no part of them by themselves."""
    names = ["exact-layers-free", "knn-3", "kde", "renyi", NAME]
    ibtools.analyze_store(example_store, estimator=names, quiet=True)
    found = ibtools.open_results(example_store, estimator=None).load()
    assert found["layer"].values.tolist() == ["hidden_1", "free", "output"]
    assert found["has_layer"].sel(estimator=NAME).values.tolist() == [True, False, True]
    assert found["n_units"].values.tolist() == [5, 2, 3]
    assert found["n_states"].sel(estimator=NAME, layer="free").values.tolist() == [[0] * 4] * 2
    for one in split_estimators(found):
        alone = ibtools.open_results(example_store, estimator=one.attrs["estimator"])
        assert_equal(one, alone)
    one = select_estimator(found.sel(estimator="knn-3"))
    assert one["layer"].values.tolist() == ["hidden_1", "free", "output"]


def test_check__results_of_layers(example_store: Path):
    ibtools.analyze_store(example_store, estimator=["exact", "kde", NAME], quiet=True)
    ibtools.analyze_store(example_store, estimator="knn", layers=["output"], quiet=True)
    report = ibtools.check(example_store, quiet=True)
    assert report.ok
    of_layers = {one.name: one for one in report.checks if one.subject == f"information/{NAME}"}
    whole = {one.name: one for one in report.checks if one.subject == "information/exact"}
    assert list(of_layers) == list(whole)
    assert "recount" in of_layers


def test_results_of_layers__every_figure_and_report(
    example_store: Path, tmp_path: Path, blank_images
):
    run(f"analyze {example_store} --layers output,hidden_1 --quiet")
    run(f"analyze {example_store} --estimator knn-3 --quiet")
    for name, kind in FIGURES.items():
        if kind.source == "results" and not kind.dims:
            place = tmp_path / f"{name}.png"
            run(f"plot {example_store} {name} --estimator {NAME} --output {place}")
            assert place.stat().st_size > 5000
    run(f"summary {example_store} --estimator {NAME}")
    run(f"report {example_store} --output {tmp_path}/report.html --quiet")
    assert NAME in (tmp_path / "report.html").read_text(encoding="utf-8")
    compared = f"--estimator {NAME} --estimator knn-3 --output {tmp_path}/compared.png"
    run(f"compare {example_store} {compared} --quiet")
    run(f"export {example_store} --output {tmp_path}")
    run(f"info {example_store}")


def test_cli__analyze_layers(example_store: Path):
    out = run(f"analyze {example_store} --layers output,hidden_1 --quiet")
    assert f"information/{NAME}: 8 snapshots analysed, 0 skipped" in out
    assert f"--estimator {NAME}" in out
    out = run(f"analyze {example_store} --estimator {NAME}")
    assert f"information/{NAME}: 0 snapshots analysed, 8 skipped" in out
    result = CliRunner().invoke(cli, ["analyze", str(example_store), "--layers", "ouput"])
    assert (result.exit_code, "did you mean 'output'" in result.output) == (1, True)
    result = CliRunner().invoke(cli, ["analyze", str(example_store), "--layers", ""])
    assert (result.exit_code, "at least one layer must be chosen" in result.output) == (1, True)


@pytest.mark.parametrize("what", ["classes", "layers", "prediction", "splits", "units"])
def test_details_store__of_layers(example_store: Path, what: str):
    (report,) = ibtools.details_store(example_store, what, layers=CHOSEN, quiet=True)
    assert (report.group, report.computed) == (f"details/{NAME}/{what}", 8)
    found = ibtools.open_details(example_store, what, estimator=NAME)
    whole = ibtools.details(ibtools.open_store(example_store), what)
    expected = whole.sel(layer=CHOSEN)
    if what == "layers":
        expected = expected.sel(other_layer=CHOSEN)
    xr.testing.assert_equal(found.load(), expected.load())
    lazy = ibtools.details(ibtools.open_store(example_store), what, estimator=NAME)
    xr.testing.assert_equal(lazy.load(), found)
    (again,) = ibtools.details_store(example_store, what, layers=CHOSEN, quiet=True)
    assert (again.computed, again.skipped) == (0, 8)


def test_details_store__layers_of_global_bins_and_little_memory(wide_store: Path, tmp_path: Path):
    name, output = "binned-uniform-9-global", tmp_path / "d.zarr"
    options = {"estimator": name, "memory": PORTIONS, "output": output, "quiet": True}
    with pytest.raises(InputError, match=r"'wide' .*--memory .*or choose other.* --layers"):
        ibtools.details_store(wide_store, "units", **options)
    ibtools.details_store(wide_store, "units", layers=["narrow"], **options)
    found = ibtools.open_details(output, "units", estimator=f"{name}-layers-narrow")
    whole = ibtools.details(ibtools.open_store(wide_store), "units", estimator=name)
    expected = whole.sel(layer=["narrow"]).isel(unit=[0, 1])
    xr.testing.assert_equal(found.load(), expected.load())


def test_details_store__prediction_needs_the_last_layer(example_store: Path):
    match = "about the last layer of the network, 'output', which is not among those chosen"
    with pytest.raises(InputError, match=match):
        ibtools.details_store(example_store, "prediction", layers=["hidden_1"], quiet=True)
    with pytest.raises(InputError, match=match):
        ibtools.details(
            ibtools.open_store(example_store), "prediction", estimator="exact-layers-hidden_1"
        )


def test_cli__details_layers(example_store: Path):
    out = run(f"details {example_store} classes --layers output,hidden_1 --quiet")
    assert f"details/{NAME}/classes: 8 snapshots analysed" in out
    assert f'estimator="{NAME}"' in out


@given(st.lists(st.text(min_size=1), min_size=1, max_size=4, unique=True), st.booleans())
def test_of_layers__any_names_are_read_back(layers, left_out):
    """From letters, digits, hyphens, dots and underscores, as file systems take them."""
    try:
        "".join(layers).encode()
    except UnicodeEncodeError:
        return
    named = OfLayers(Exact(), tuple(layers), left_out)
    assert parse_estimator(named.specification) == named
    assert set(named.specification) <= set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"
    )


@pytest.mark.parametrize(
    "words", ["exact-layers-a.", "exact-layers-a.zz", "exact-layers--", "exact-layers-a.41"]
)
def test_parse_estimator__refuses_layers(words: str):
    with pytest.raises(InputError, match="layers must be written as in exact-layers-hidden_1-out"):
        parse_estimator(words)


def test_choose_layers__names_what_is_left_out_of_many():
    known = [f"block_{index}_convolution" for index in range(12)]
    named = choose_layers(Exact(), known[1:], known)
    assert named.specification == "exact-without-block_0_convolution"
    assert named.positions(known) == tuple(range(1, 12))
    assert parse_estimator(named.specification) == named
    assert choose_layers(Exact(), known, known) == Exact()
    with pytest.raises(InputError, match=f"more than {LONGEST_NAME}; choose fewer layers"):
        choose_layers(
            Exact(), [f"{name}_{name}" for name in known[::2]], [f"{name}_{name}" for name in known]
        )


def test_create_estimators__options_and_layers():
    (found,) = create_estimators(["binned-layers-a-b"], n_bins=7, per_unit=True)
    assert found.specification == "binned-uniform-7-layer-per-unit-layers-a-b"
    (found,) = create_estimators(["exact-layers-a"], target="population", correction="grassberger")
    assert found.specification == "exact-population-grassberger-layers-a"
    assert parse_estimator(found.specification) == found


@pytest.mark.parametrize("dim", CUBE[:3])
def test_open_results__variables_are_in_the_declared_order(example_store: Path, dim: str, request):
    """However a file system lists a folder: so are the columns of a table."""
    ibtools.analyze_store(example_store, estimator=["exact", "kde"], quiet=True)
    for name in ("exact", "kde-0.001"):
        found = ibtools.open_results(example_store, estimator=name)
        declared = ibtools.analyze(ibtools.open_store(example_store), estimator=name)
        assert list(found.data_vars) == list(declared.data_vars)
        assert list(found.coords) == list(declared.coords)
        assert np.array_equal(found[dim], declared[dim])
