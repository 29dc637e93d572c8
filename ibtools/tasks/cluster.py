"""A Dask cluster to compute on: connect to its scheduler, or say what is missing.

`distributed` is optional and imported only here and where a client is at hand.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from ibtools.errors import ClusterError, InputError
from ibtools.extras import lacking

if TYPE_CHECKING:
    from distributed import Client

WITHOUT_WORKERS_SECONDS = 120.0
"""How long to wait for workers when none is left that takes work."""

_GO_ON = "what is complete is kept: run the same command again to go on (record: with --resume)"
_LOGGERS = ("distributed.client", "distributed.core", "distributed.batched")


def current_client() -> "Client | None":
    """Return the `distributed.Client` that this process works with, or None if it has none.

    A process that never imported `distributed` has none; asking does not import it.
    """
    if "distributed" not in sys.modules:
        return None
    from distributed import Client

    try:
        return Client.current()
    except ValueError:  # there is none
        return None


@contextmanager
def connect(address: str | None = None) -> "Iterator[Client]":
    """Connect to a cluster for as long as the context lasts.

    Parameters
    ----------
    address : str, optional
        Of the scheduler, such as ``tcp://10.0.0.1:8786``. Without one, the client that this process
        has already is used, and stays open.

    Yields
    ------
    distributed.Client
        Inside the context it is also the one that Dask computes with.

    Raises
    ------
    InputError
        If `distributed` is not installed, no scheduler answers at the address, or there is neither
        an address nor a client.
    """
    if address is None:
        client = current_client()
        if client is None:
            raise InputError(
                "there must be a cluster to compute on, but no address of a scheduler was given "
                "and this process has no distributed.Client; give --scheduler tcp://host:port "
                "(scheduler=), or create a Client first"
            )
        yield client
        return
    with _quiet_when_lost(), _open(address) as client, client.as_current():
        yield client


def connection_lost(err: BaseException) -> ClusterError:
    """Return the error that says that the scheduler is gone."""
    why = f" ({err})" if str(err) else ""
    return ClusterError(f"the connection to the scheduler is lost{why}; {_GO_ON}")


class WorkerWatch:
    """Waits for workers that take work, but not for ever.

    Parameters
    ----------
    client : distributed.Client
        Of the cluster.
    """

    def __init__(self, client: "Client") -> None:
        self._client = client
        self._since: float | None = None

    def look(self) -> None:
        """Look whether there are any.

        Raises
        ------
        ClusterError
            If there have been none for `WITHOUT_WORKERS_SECONDS`, or the scheduler is gone.
        """
        try:
            states = [one["status"] for one in _describe(self._client)["workers"].values()]
        except (OSError, ValueError) as err:
            raise connection_lost(err) from err
        now = time.monotonic()
        if "running" in states:
            self._since = None
        elif self._since is None:
            self._since = now
        elif now - self._since > WITHOUT_WORKERS_SECONDS:
            paused = states.count("paused")
            found = f"{paused} are paused for lack of memory" if paused else "all are gone"
            raise ClusterError(
                f"the cluster has had no worker that takes work for {now - self._since:.0f} s: "
                f"{found}; start some with more memory, or give less with --memory; {_GO_ON}"
            )


def _describe(client: "Client") -> Any:
    """Return what the scheduler knows of itself and all of its workers."""
    try:
        return client.scheduler_info(n_workers=-1)
    except TypeError:  # distributed before 2025.4 tells of all of them
        return client.scheduler_info()


class _WithoutLosses(logging.Filter):
    """Drops what distributed says of a connection that is lost: it is raised too."""

    def filter(self, record: logging.LogRecord) -> bool:
        err = record.exc_info[1] if record.exc_info else None
        return not isinstance(err, OSError | asyncio.CancelledError)


@contextmanager
def _quiet_when_lost() -> Iterator[None]:
    """Say nothing twice of a client that is ours alone."""
    dropping = _WithoutLosses()
    with ExitStack() as stack:
        for name in _LOGGERS:
            logger = logging.getLogger(name)
            logger.addFilter(dropping)
            stack.callback(logger.removeFilter, dropping)
        yield


def _open(address: str) -> "Client":
    try:
        from distributed import Client
    except ModuleNotFoundError as err:
        raise InputError(lacking("computing on a cluster", [err.name], "cluster")) from err
    if "://" not in address:
        raise InputError(
            f"a scheduler's address must be like tcp://host:port, found {address!r}; "
            "`dask scheduler` prints it"
        )
    try:
        return Client(address, set_as_default=False, name="ibtools")
    except (OSError, ValueError) as err:
        raise InputError(
            f"no Dask scheduler answers at {address} ({err}); check the address, or start one with "
            "`dask scheduler`, and workers with `dask worker ADDRESS`"
        ) from err
