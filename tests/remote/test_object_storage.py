"""Stores behind a server that speaks S3: recorded, killed, resumed, analysed, drawn, exported."""

import os
import subprocess
import sys
from pathlib import Path

import fsspec
import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from zarr.storage import FsspecStore

import ibtools
from ibtools.analysis.passes import writing
from ibtools.cli.main import cli
from ibtools.errors import InputError, StoreError, StoreExistsError
from ibtools.recorders import engines
from ibtools.recorders.record import record as record_experiment
from ibtools.store.info import store_info
from ibtools.store.opened import open_group
from ibtools.store.storage import list_names
from tests.conftest import LABEL, example_snapshots
from tests.recorders.loops import train
from tests.remote.engines import met, plan_accident
from tests.remote.s3_server import S3Server
from tests.remote.stores import contents, record_small


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr("ibtools.recorders.training.claim.CONFIRM_SECONDS", 0.0)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """The small recording on the local disk."""
    path = tmp_path_factory.mktemp("whole") / "whole.zarr"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ibtools.store.layout.MAX_BLOCK_EPOCHS", 2)
        patch.setitem(engines.ENGINES.builtin, "mortal", "tests.remote.engines:MortalEngine")
        record_small(path)
    return path


@pytest.fixture
def remote_example(bucket: str, recorded_example: Path) -> str:
    """The example store of the other tests, copied to a bucket."""
    path = f"{bucket}/runs/example.zarr"
    system, place = fsspec.url_to_fs(path)
    system.put(str(recorded_example), place, recursive=True)
    return path


@pytest.fixture(scope="module")
def recorded_there(s3_server: S3Server) -> str:
    """The same store, recorded in a bucket; leave it as it is."""
    path = f"{s3_server.create_bucket()}/example.zarr"
    ibtools.record_arrays(
        path,
        example_snapshots(),
        label=LABEL,
        repeats=range(2),
        epochs=(0, 1, 5, 10),
        activation_functions={"hidden_1": "tanh", "output": "softmax"},
    )
    return path


def test_record__to_a_bucket_has_the_bytes_of_the_local_store(bucket: str, whole: Path):
    record_small(f"{bucket}/s.zarr")
    assert contents(f"{bucket}/s.zarr") == contents(whole)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("write", [60, 90, 120])
def test_record__killed_and_resumed_in_a_bucket(bucket: str, whole: Path, monkeypatch, write: int):
    class KilledError(RuntimeError):
        """Stands for a kill -9: nothing catches it."""

    original, count = FsspecStore.set, 0

    async def killing(self, key, value, *arguments, **options):
        nonlocal count
        count += 1
        if count >= write:
            raise KilledError
        await original(self, key, value, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(FsspecStore, "set", killing)
        with pytest.raises(KilledError):
            record_small(f"{bucket}/s.zarr")
    with pytest.raises(StoreExistsError, match="is there already; choose another path"):
        record_small(f"{bucket}/s.zarr")
    record_small(f"{bucket}/s.zarr", resume=True)
    assert contents(f"{bucket}/s.zarr") == contents(whole)


def test_record__from_processes_into_a_bucket(bucket: str, whole: Path):
    record_small(f"{bucket}/s.zarr", jobs=2)
    assert contents(f"{bucket}/s.zarr") == contents(whole)


def test_record__overwrites_a_store_but_nothing_else(bucket: str, s3_server):
    record_small(f"{bucket}/s.zarr", repeats=1)
    record_small(f"{bucket}/s.zarr", repeats=2, overwrite=True)
    assert ibtools.open_store(f"{bucket}/s.zarr").sizes["repeat"] == 2
    before = contents(bucket)
    for taken in (bucket, f"{bucket}/s.zarr/code"):
        with pytest.raises(StoreExistsError, match="never overwritten"):
            record_small(taken, overwrite=True)
    assert contents(bucket) == before


def test_record_arrays__and_open_store_in_a_bucket(recorded_there: str, example_store: Path):
    found, expected = ibtools.open_store(recorded_there), ibtools.open_store(example_store)
    assert found["activation"].chunks is not None
    xr.testing.assert_identical(found.drop_attrs().load(), expected.drop_attrs().load())


def test_open_store__in_a_bucket_is_lazy(recorded_there: str, forbid_computing):
    with forbid_computing:
        ibtools.open_store(recorded_there)["activation"].mean("sample")


def test_open_zarr__plain_xarray_reads_a_bucket(recorded_there: str):
    dataset = xr.open_zarr(recorded_there)
    assert dataset["complete"].all()
    assert dataset["code"].sel(layer="output", repeat=1, epoch=5).max() > 0


def test_analyze_store__in_a_bucket(remote_example: str, example_store: Path, tmp_path: Path):
    """Results in the store, in another bucket place, and on the local disk: all the same."""
    report = ibtools.analyze_store(remote_example, quiet=True)
    assert (report.computed, report.skipped) == (8, 0)
    assert ibtools.analyze_store(remote_example, quiet=True).skipped == 8
    beside, local = f"{remote_example}-results", tmp_path / "results.zarr"
    for output in (beside, local):
        ibtools.analyze_store(remote_example, output=output, quiet=True)
    ibtools.analyze_store(example_store, quiet=True)
    expected = ibtools.open_results(example_store).load()
    for path in (remote_example, beside, local):
        xr.testing.assert_equal(ibtools.open_results(path).load(), expected)


def test_analyze_store__results_of_another_process_are_seen_at_once(remote_example: str):
    """Listings are not cached: what another machine writes is there when it is asked for again."""
    with pytest.raises(StoreError, match="it has no results yet"):
        ibtools.open_results(remote_example)
    program = f"import ibtools; ibtools.analyze_store({remote_example!r}, quiet=True)"
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)
    assert ibtools.open_results(remote_example)["mi_xt"].notnull().all()
    assert store_info(remote_example).results == {"exact": 8}


def test_analyze_store__an_interrupted_analysis_in_a_bucket_goes_on(
    remote_example: str, monkeypatch
):
    """Killed before the results of the second repeat are written."""
    original, count = writing.write_window, 0

    def killing(*arguments):
        nonlocal count
        count += 1
        if count == 2:
            raise KeyboardInterrupt
        original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(writing, "write_window", killing)
        with pytest.raises(KeyboardInterrupt):
            ibtools.analyze_store(remote_example, quiet=True)
    report = ibtools.analyze_store(remote_example, quiet=True)
    assert (report.computed, report.skipped) == (4, 4)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_cli__a_store_in_a_bucket(remote_example: str, tmp_path: Path):
    assert "8 snapshots analysed" in run("analyze", remote_example, "--quiet")
    assert "exact (8 snapshots)" in run("info", remote_example)
    run("plot", remote_example, "information-plane", "--output", tmp_path / "plane.png")
    assert (tmp_path / "plane.png").stat().st_size > 1000
    run("export", remote_example, "--output", tmp_path / "tables")
    assert len((tmp_path / "tables" / "information.csv").read_text().splitlines()) == 1 + 8 * 3


def test_export_results__to_a_bucket_is_refused(example_store: Path, tmp_path: Path, monkeypatch):
    """Nothing is written below a local folder that is called s3:."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="give a local folder, and copy it"):
        ibtools.export_results(example_store, "s3://bucket/tables")
    with pytest.raises(InputError, match="only stores are written to s3://"):
        ibtools.reproduce("quantize", "s3://bucket/results", tell=print)
    assert [path.name for path in tmp_path.iterdir()] == ["example.zarr"]


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own; warnings are errors there too."""
    return subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-m", "ibtools", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )


def test_cli__leaves_no_connection_open(recorded_there: str):
    done = command("info", recorded_there)
    assert done.returncode == 0
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "nothing is there; check the path"),
        (
            {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
            "can't be opened: Unable to locate credentials; give AWS_ACCESS_KEY_ID",
        ),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "check the network, and AWS_ENDPOINT_URL"),
    ],
    ids=["no such bucket", "no credentials", "no server"],
)
def test_cli__what_is_wrong_with_a_bucket_is_one_line(s3_server, environment: dict, message: str):
    done = command("info", "s3://no-such-bucket/s.zarr", **environment)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.startswith("Error: s3://no-such-bucket/s.zarr: ")
    assert done.stderr.count("\n") == 1


def test_record__to_a_bucket_that_is_not_there(s3_server):
    with pytest.raises(StoreError, match="can't be created: The specified bucket does not exist"):
        record_small("s3://no-such-bucket/s.zarr")


def test_open_store__truncated_in_a_bucket(remote_example: str):
    system, place = fsspec.url_to_fs(f"{remote_example}/complete")
    system.rm(place, recursive=True)
    with pytest.raises(StoreError, match="truncated or foreign: variable complete is missing"):
        ibtools.open_store(remote_example)


def test_list_names__in_a_bucket(bucket: str, remote_example: str):
    assert list_names(bucket) == {"runs"}
    assert list_names(f"{bucket}/runs/") == {"example.zarr"}
    assert list_names(f"{bucket}/runs/example.zarr/zarr.json") == {"zarr.json"}
    assert list_names(f"{bucket}/run") == set()


def test_record__on_a_cluster_into_a_bucket(cluster_with_s3, bucket: str, whole: Path):
    """Workers write to the bucket, one is killed; then they analyse what they wrote."""
    address = cluster_with_s3.scheduler_address
    plan_accident(repeat=1, epoch=5, signal_name="SIGKILL")
    record_small(f"{bucket}/s.zarr", scheduler=address)
    assert len(met()) == 1
    assert contents(f"{bucket}/s.zarr") == contents(whole)
    ibtools.analyze_store(f"{bucket}/s.zarr", scheduler=address, quiet=True)
    ibtools.analyze_store(whole, quiet=True)
    found, expected = (ibtools.open_results(path).load() for path in (f"{bucket}/s.zarr", whole))
    xr.testing.assert_equal(found, expected)


@pytest.mark.slow
def test_record__tensorflow_into_a_bucket(bucket: str, tmp_path: Path):
    settings = {"epochs": 4, "repeats": 1, "schedule": "every:2", "quiet": True, "engine": "fit"}
    for path in (f"{bucket}/s.zarr", tmp_path / "s.zarr"):
        record_experiment("SYN-Tanh", path, **settings)
    assert contents(f"{bucket}/s.zarr") == contents(tmp_path / "s.zarr")


def test_requests__are_bounded(bucket: str, s3_server, monkeypatch):
    """What each block of snapshots adds, and what opening costs, once."""
    monkeypatch.setattr("ibtools.recorders.training.claim.CONFIRM_SECONDS", 1000.0)
    counted = {}
    for blocks in (2, 6):
        s3_server.take_requests()
        record_small(f"{bucket}/{blocks}", repeats=1, epochs=4 * blocks - 2)
        counted[blocks] = s3_server.take_requests().total()
    assert (counted[6] - counted[2]) / 4 <= 15
    open_group(f"{bucket}/6")
    opening = s3_server.take_requests()  # metadata at once, then every coordinate, to be judged
    assert opening.keys() == {"GET", "LIST"}
    assert opening["LIST"] == 1
    assert opening["GET"] <= 18
    np.asarray(ibtools.open_store(f"{bucket}/6")["label"])
    assert s3_server.take_requests().total() <= 40


def test_recorder__grows_a_store_in_a_bucket(bucket: str, tmp_path: Path):
    """Ended in the middle and gone on with, repeat after repeat, read by plain xarray."""
    path, local = f"{bucket}/grown.zarr", tmp_path / "local.zarr"
    for place in (path, local):
        train(place, 4)
        train(place, 2, repeat=1)
        train(place, 6, resume=True)
    found, expected = (xr.open_zarr(place).load() for place in (path, local))
    xr.testing.assert_equal(found, expected)
    assert found["complete"].sum("epoch").values.tolist() == [7, 3]
    assert ibtools.check(path, quiet=True).ok
    ibtools.analyze_store(path, quiet=True)
    results, alone = (ibtools.analyze(ibtools.open_store(one)) for one in (path, local))
    np.testing.assert_array_equal(results["mi_ty"], alone["mi_ty"])
    np.testing.assert_array_equal(ibtools.open_results(path)["mi_ty"], alone["mi_ty"])
