"""Files of chunks, before they are opened: a pipe has no end, nor has a link to a device."""

import os
import stat
from pathlib import Path

from zarr.abc.store import Store
from zarr.storage import LocalStore, WrapperStore


def local_root(store: Store) -> Path | None:
    """Return the folder that a store is in, however it is wrapped; None if it is elsewhere."""
    while isinstance(store, WrapperStore):
        store = store._store
    return Path(store.root) if isinstance(store, LocalStore) else None


def why_unreadable(file: Path, most: int) -> str:
    """Say why a file can't be read as a whole; empty if it can, or if there is none.

    Parameters
    ----------
    file : Path
        The file.
    most : int
        Bytes that it may have.
    """
    try:
        found = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return "it is a link that leads nowhere" if file.is_symlink() else ""
    except OSError as err:
        return f"it can't be read ({os.strerror(err.errno or 0)})"
    if stat.S_ISDIR(found.st_mode):
        return "it is a folder"
    if not stat.S_ISREG(found.st_mode):
        return "it is no file but something without an end"
    if found.st_size > most:
        return f"it has {found.st_size} bytes, and may have {most}"
    return ""
