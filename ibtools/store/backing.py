"""The zarr store behind a path: durable here, persistent elsewhere, and guarded in any case."""

from ibtools.store.durable import DurableStore
from ibtools.store.guarded import GuardedStore
from ibtools.store.remote import remote_store
from ibtools.store.storage import StorePath, is_local, place_of


def backing_store(path: StorePath, *, read_only: bool) -> GuardedStore:
    """Return what reads and writes the files of a store, or of results kept elsewhere."""
    if is_local(path):
        return GuardedStore(DurableStore(place_of(path), read_only=read_only))
    store = remote_store(path)
    return GuardedStore(store.with_read_only(read_only) if read_only else store)
