"""What is in a store, wherever it is, and a small recording to fill one."""

import fsspec

from ibtools.recorders.record import RecordReport, record
from ibtools.store.storage import storage_options

SETTINGS = {"epochs": 9, "repeats": 3, "schedule": "every:2", "quiet": True}
"""Three blocks per repeat, with `ibtools.store.layout.MAX_BLOCK_EPOCHS` at 2: a checkpoint after
epoch 2 and 6, and when it is finished."""


def record_small(path, *, engine: str = "mortal", **changes) -> RecordReport:
    return record("SYN-Tanh", path, engine=engine, **(SETTINGS | changes))


def contents(path) -> dict[str, bytes]:
    """Return all objects but the root's metadata, which holds the time of creation."""
    system, root = fsspec.url_to_fs(str(path), **(storage_options(path) or {}))
    found = system.cat(system.find(root))
    root = root.rstrip("/") + "/"
    return {
        name.removeprefix(root): data for name, data in found.items() if name != f"{root}zarr.json"
    }
