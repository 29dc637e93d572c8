"""`analyze` on a real cluster of two worker processes on this machine."""

import os
import signal
from pathlib import Path

import dask
import distributed
import pytest
import xarray as xr

import ibtools
from ibtools.analysis.passes import writing
from ibtools.analysis.passes.results import analyze_store, open_results
from ibtools.errors import ClusterError, InputError
from ibtools.tasks import workers as workers_module
from tests.analysis.slow_estimator import DeadlyExact, SlowExact
from tests.analysis.wide_layers import LITTLE, record_wide
from tests.remote.conftest import start_cluster


def assert_complete_and_identical(path: Path) -> None:
    expected = ibtools.analyze(ibtools.open_store(path)).compute(scheduler="synchronous")
    found = open_results(path).compute(scheduler="synchronous")
    xr.testing.assert_identical(found.drop_attrs(), expected.drop_attrs())


def test_analyze_store__on_the_cluster_at_an_address(example_store: Path, cluster, monkeypatch):
    """A relative path is the same store for workers in other folders."""
    monkeypatch.chdir(example_store.parent)
    address = cluster.scheduler_address
    report = analyze_store(Path(example_store.name), scheduler=address, quiet=True)
    assert report.computed == 8
    assert_complete_and_identical(example_store)


def test_analyze_store__in_parts_on_the_cluster(tmp_path: Path, cluster):
    record_wide(tmp_path / "wide.zarr")
    address = cluster.scheduler_address
    report = analyze_store(tmp_path / "wide.zarr", memory=LITTLE, scheduler=address, quiet=True)
    assert report.digested == ("wide", "free", "output")
    assert_complete_and_identical(tmp_path / "wide.zarr")


def test_analyze_store__uses_a_client_that_is_there(example_store: Path, cluster, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("ran on this machine")

    monkeypatch.setattr(workers_module, "_local", refuse)
    with distributed.Client(cluster):
        assert analyze_store(example_store, quiet=True).computed == 8
    assert_complete_and_identical(example_store)


def test_analyze_store__a_worker_is_killed_in_the_middle(example_store: Path, cluster, monkeypatch):
    monkeypatch.setattr("ibtools.analysis.passes.plan.WINDOW_BYTES", 1)
    monkeypatch.setattr("ibtools.analysis.passes.cost.BLOCK_BYTES", 1)
    original, killed = writing.write_window, []

    def kill_once(*arguments):
        original(*arguments)
        if not killed:
            with distributed.Client(cluster, set_as_default=False) as client:
                killed.append(min(client.run(os.getpid).values()))
            os.kill(killed[0], signal.SIGKILL)

    monkeypatch.setattr(writing, "write_window", kill_once)
    address = cluster.scheduler_address
    report = analyze_store(example_store, estimator=SlowExact(), scheduler=address, quiet=True)
    assert killed
    assert report.computed == 8
    assert_complete_and_identical(example_store)


def test_analyze_store__workers_die_of_the_same_task(example_store: Path):
    """As they do when a block needs more memory than a worker may have."""
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        start_cluster(n_workers=1) as cluster,
        pytest.raises(ClusterError, match=r"died of the same task, one after another.*--memory"),
    ):
        analyze_store(
            example_store,
            estimator=DeadlyExact(),
            scheduler=cluster.scheduler_address,
            quiet=True,
        )
    assert analyze_store(example_store, quiet=True).computed == 8
    assert_complete_and_identical(example_store)


def test_analyze_store__no_cluster_answers(example_store: Path):
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "0.2s"}),
        pytest.raises(
            InputError, match=r"no Dask scheduler answers at tcp://127.0.0.1:1.*dask sched"
        ),
    ):
        analyze_store(example_store, scheduler="tcp://127.0.0.1:1", quiet=True)


def test_analyze_store__a_cluster_without_workers(example_store: Path):
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=":0") as empty,
        pytest.raises(InputError, match="has no workers; start some with: dask worker"),
    ):
        analyze_store(example_store, scheduler=empty.scheduler_address, quiet=True)
