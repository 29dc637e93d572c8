"""Arrays that are read whole: what is stored of them is looked at before it is decoded."""

from itertools import product
from math import ceil
from pathlib import Path
from typing import Any

import zarr
from zarr.storage import LocalStore

from ibtools.errors import StoreError
from ibtools.validation.chunks import chunk_layout, validate_file
from ibtools.validation.nodes import read_bounded


def validate_stored(array: "zarr.Array[Any]", where: str) -> None:
    """Check all chunks of an array in a folder of this machine, of those that are stored.

    Raises
    ------
    StoreError
        If a chunk is no file, longer than it can be, or announces other than it must hold.
    """
    if not isinstance(array.store, LocalStore):
        return
    folder = Path(array.store.root) / array.path
    layout = chunk_layout(array.metadata.to_dict())
    grid = zip(array.shape, array.shards or array.chunks, strict=True)
    for at in product(*(range(ceil(size / chunk)) for size, chunk in grid)):
        key = array.metadata.encode_chunk_key(at)
        raw = read_bounded(folder / key, layout.most_in_file, where)
        if raw is not None:
            if len(raw) > layout.most_in_file:
                raise StoreError(
                    f"{where}: the file {key} must have at most {layout.most_in_file} bytes, found "
                    "more; it is damaged: restore it from a copy of the store"
                )
            validate_file(raw, layout, where)
