"""Results never go into what is somebody else's; what was half created is completed."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from click.testing import CliRunner

import ibtools
from ibtools.analysis.passes import result_groups
from ibtools.cli.main import cli
from ibtools.errors import StoreExistsError
from ibtools.store.creation import create_variable

# zarr warns of whatever in a group is neither a group nor an array
pytestmark = pytest.mark.filterwarnings("ignore:Object at .* is not recognized")


def put_file(place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("mine")


def put_files(place: Path) -> None:
    place.mkdir(parents=True)
    (place / "notes.txt").write_text("mine")


def put_array(place: Path) -> None:
    zarr.create_array(str(place), shape=4, dtype="int32")[:] = np.arange(4)


def put_old_array(place: Path) -> None:
    zarr.create_array(str(place), shape=4, dtype="int32", zarr_format=2)[:] = np.arange(4)


def put_group(place: Path) -> None:
    zarr.create_group(str(place), attributes={"mine": 1})


def put_group_with_array(place: Path) -> None:
    zarr.create_group(str(place)).create_array("analysed", shape=4, dtype="int32")


def put_group_with_files(place: Path) -> None:
    zarr.create_group(str(place))
    (place / "notes.txt").write_text("mine")


FOREIGN = [
    put_file,
    put_files,
    put_array,
    put_old_array,
    put_group,
    put_group_with_array,
    put_group_with_files,
]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


@pytest.mark.parametrize("put", FOREIGN)
@pytest.mark.parametrize(
    "place",
    [
        "information/exact",
        "details/exact",
        *(
            pytest.param(place, marks=pytest.mark.slow)
            for place in ("information", "details", "details/exact/classes")
        ),
    ],
)
def test_analyze_store__leaves_what_is_somebody_elses(example_store: Path, put, place: str):
    put(example_store / place)
    before = contents(example_store)
    command = ["analyze", str(example_store)]
    if place.startswith("details"):
        command = ["details", str(example_store), "classes"]
    result = CliRunner().invoke(cli, [*command, "--quiet"])
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit), result.exception
    first = place.partition("/")[0]
    assert f"{example_store}/{first}: something that is not of ibtools is there" in result.output
    assert result.output.count("\n") == 1
    assert contents(example_store) == before


@pytest.mark.parametrize("put", FOREIGN)
def test_analyze_store__leaves_what_is_somebody_elses_among_results(example_store: Path, put):
    ibtools.analyze_store(example_store, estimator="kde", quiet=True)
    put(example_store / "information" / "exact")
    before = contents(example_store)
    with pytest.raises(StoreExistsError, match="information/exact: something that is not of"):
        ibtools.analyze_store(example_store, quiet=True)
    assert contents(example_store) == before
    assert ibtools.analyze_store(example_store, estimator="kde", quiet=True).skipped == 8


@pytest.mark.parametrize("put", FOREIGN)
def test_analyze_store__leaves_an_output_that_is_somebody_elses(
    example_store: Path, tmp_path: Path, put
):
    output = tmp_path / "output"
    put(output)
    before = contents(tmp_path)
    for store in (ibtools.analyze_store, lambda *a, **k: ibtools.details_store(*a, "units", **k)):
        with pytest.raises(StoreExistsError, match="holds no results is there"):
            store(example_store, output=output, quiet=True)
    assert contents(tmp_path) == before


def test_analyze_store__an_output_inside_of_results_is_none(example_store: Path):
    ibtools.analyze_store(example_store, quiet=True)
    before = contents(example_store)
    for inside in ("information", "information/exact"):
        with pytest.raises(StoreExistsError, match="holds no results is there"):
            ibtools.analyze_store(example_store, output=example_store / inside, quiet=True)
    assert contents(example_store) == before


@pytest.mark.parametrize("created", [0, 3, 12, 17, 18])
def test_analyze_store__completes_what_was_half_created(
    example_store: Path, monkeypatch, created: int
):
    """Whatever array comes next when the creation is killed."""
    left = iter(range(created))

    def create(*arguments):
        if next(left, None) is None:
            raise KeyboardInterrupt
        create_variable(*arguments)

    with monkeypatch.context() as killed:
        killed.setattr(result_groups, "create_variable", create)
        for store in (
            ibtools.analyze_store,
            lambda *a, **k: ibtools.details_store(*a, "units", **k),
        ):
            left = iter(range(created))
            try:
                store(example_store, quiet=True)
            except KeyboardInterrupt:
                continue
    report = ibtools.analyze_store(example_store, quiet=True)
    assert report.computed + report.skipped == 8
    (report,) = ibtools.details_store(example_store, "units", quiet=True)
    assert report.computed + report.skipped == 8


def without_mark(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "ibtools_results"}


def without_marks(path: Path) -> None:
    """Make results what an earlier version wrote: their groups say nothing of whose they are."""
    for file in path.rglob("zarr.json"):
        unmarked = json.loads(file.read_text(), object_hook=without_mark)
        file.write_text(json.dumps(unmarked))
    for folder in path.rglob("checksum"):
        shutil.rmtree(folder)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_analyze_store__goes_on_with_results_of_an_earlier_version(
    example_store: Path, tmp_path: Path, elsewhere: bool
):
    output = tmp_path / "output.zarr" if elsewhere else example_store
    for estimator in ("exact", "kde"):
        ibtools.analyze_store(example_store, estimator=estimator, output=output, quiet=True)
    ibtools.details_store(example_store, ["units", "layers"], output=output, quiet=True)
    before = ibtools.open_results(output, estimator=None).load()
    without_marks(output)
    assert "ibtools_results" not in zarr.open_group(output)["information/exact"].attrs
    assert ibtools.open_results(output, estimator=None).load().equals(before)
    assert ibtools.analyze_store(example_store, output=output, quiet=True).skipped == 8
    (report,) = ibtools.details_store(example_store, "units", output=output, quiet=True)
    assert report.skipped == 8
    assert zarr.open_group(output, use_consolidated=False)["information/exact/checksum"][:].all()


def test_details_store__does_not_delete_what_somebody_put_among_them(example_store: Path):
    """Details that have no place for the classes of the store are replaced, but only they."""
    ibtools.details_store(example_store, "classes", quiet=True)
    place = example_store / "details" / "exact" / "classes"
    (place / "notes.txt").write_text("mine")
    zarr.open_group(example_store, mode="r+")["label"][:] = np.arange(64) % 2
    before = contents(place)
    with pytest.raises(StoreExistsError, match=r"'notes.txt' in them is not of ibtools"):
        ibtools.details_store(example_store, "classes", quiet=True)
    assert contents(place) == before
    (place / "notes.txt").unlink()
    assert ibtools.details_store(example_store, "classes", quiet=True)[0].computed == 8
