"""A cluster of processes, and what belongs to it."""

import dask
import pytest
from distributed import LocalCluster


@pytest.fixture(scope="session")
def cluster():
    """Two worker processes of one thread each, as `dask worker` starts them."""
    with (
        dask.config.set({"distributed.worker.memory.terminate": False}),
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
    ):
        yield cluster
