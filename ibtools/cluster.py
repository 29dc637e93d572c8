"""A Dask cluster to compute on: connect to its scheduler, or say what is missing.

`distributed` is optional and imported only here and where a client is at hand.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ibtools.errors import InputError

if TYPE_CHECKING:
    from distributed import Client


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
    with _open(address) as client, client.as_current():
        yield client


def _open(address: str) -> "Client":
    try:
        from distributed import Client
    except ModuleNotFoundError as err:
        raise InputError(
            f"computing on a cluster needs {err.name}, which is not installed; install it with: "
            "pip install 'ibtools-nn[cluster]'"
        ) from err
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
