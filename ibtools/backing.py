"""The zarr store behind a path: durable on this machine, and guarded wherever it is."""

from zarr.storage import FsspecStore

from ibtools.durable import DurableStore
from ibtools.guarded import GuardedStore
from ibtools.storage import StorePath, is_local, place_of, storage_options


def backing_store(path: StorePath, *, read_only: bool) -> GuardedStore:
    """Return what reads and writes the files of a store.

    Parameters
    ----------
    path : path or URL
        The store, or where results are kept.
    read_only : bool
        Whether it is an error to write.
    """
    place = place_of(path)
    if is_local(path):
        return GuardedStore(DurableStore(place, read_only=read_only))
    options = storage_options(path)
    return GuardedStore(FsspecStore.from_url(place, storage_options=options, read_only=read_only))
