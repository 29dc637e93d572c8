import sys

import dask
import dask.array as da
import pytest
from distributed import Client

from ibtools.errors import InputError
from ibtools.tasks.cluster import connect, current_client


def test_connect__to_an_address(cluster):
    with connect(cluster.scheduler_address) as client:
        assert current_client() is client
        assert client.submit(sum, [1, 2]).result() == 3
        assert da.ones(4, chunks=2).sum().compute() == 4
    assert client.status == "closed"
    assert current_client() is None


def test_connect__to_the_client_that_is_there(cluster):
    with Client(cluster) as client:
        with connect() as found:
            assert found is client
        assert client.status == "running"
    assert current_client() is None


def test_connect__without_address_or_client():
    with pytest.raises(InputError, match="give --scheduler tcp://host:port"), connect():
        pass


def assert_refused(address: str, match: str):
    with pytest.raises(InputError, match=match), connect(address):
        pass


def test_connect__address_without_protocol():
    assert_refused("threads", r"must be like tcp://host:port, found 'threads'")


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://127.0.0.1:1"])
def test_connect__nobody_answers(address: str):
    with dask.config.set({"distributed.comm.timeouts.connect": "0.5s"}):
        assert_refused(address, "no Dask scheduler answers at")


def test_connect__without_distributed(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert_refused("tcp://127.0.0.1:1", r"pip install .*\[cluster\]")
