"""`details` and `check` on a real cluster of two worker processes on this machine."""

from pathlib import Path

import distributed
import pytest
import xarray as xr

import ibtools
from ibtools.tasks import workers as workers_module
from tests.analysis.wide_layers import LITTLE

DETAILS = ["classes", "layers", "prediction", "splits", "units"]


@pytest.fixture
def only_the_cluster(monkeypatch):
    """A machine on which no task may run."""

    def refuse(*_, **__):
        raise AssertionError("ran on this machine")

    monkeypatch.setattr(workers_module, "_local", refuse)


@pytest.mark.parametrize("estimator", ["exact", "binned-uniform-3-global-layers-hidden_1-output"])
def test_details_store__on_the_cluster(example_store: Path, cluster, only_the_cluster, estimator):
    dataset = ibtools.open_store(example_store)
    expected = ibtools.details(dataset, DETAILS, estimator=estimator)
    reports = ibtools.details_store(
        example_store,
        DETAILS,
        estimator=estimator,
        scheduler=cluster.scheduler_address,
        quiet=True,
    )
    assert [one.computed for one in reports] == [8] * len(DETAILS)
    for name, one in expected.items():
        found = ibtools.open_details(example_store, name, estimator=estimator)
        xr.testing.assert_equal(
            found.compute(scheduler="synchronous"), one.compute(scheduler="synchronous")
        )


def test_details_store__portions_of_units_on_the_cluster(wide_store: Path, cluster):
    expected = ibtools.details(ibtools.open_store(wide_store), "classes")
    address = cluster.scheduler_address
    ibtools.details_store(wide_store, "classes", memory=LITTLE, scheduler=address, quiet=True)
    found = ibtools.open_details(wide_store, "classes").compute(scheduler="synchronous")
    xr.testing.assert_equal(found, expected.compute(scheduler="synchronous"))


def test_check__on_the_cluster(wide_store: Path, cluster, monkeypatch):
    """A store with results, of which some break a law: the same lines as from this machine."""
    ibtools.analyze_store(wide_store, estimator=["exact", "binned"], quiet=True)
    expected = ibtools.check(wide_store, scheduler="synchronous", quiet=True)
    monkeypatch.setattr(workers_module, "_local", None)
    address = cluster.scheduler_address
    for memory in (LITTLE, "1GiB"):
        found = ibtools.check(wide_store, memory=memory, scheduler=address, quiet=True)
        assert found.to_dict() == expected.to_dict()


def test_lazy_details__on_the_cluster(example_store: Path, cluster):
    """What dask sends to workers is the header of the store without the store."""
    found = ibtools.details(ibtools.open_store(example_store), ["classes", "splits"])
    expected = {name: one.compute(scheduler="synchronous") for name, one in found.items()}
    with distributed.Client(cluster):
        for name, one in found.items():
            xr.testing.assert_identical(one.compute(), expected[name])
