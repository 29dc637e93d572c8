"""Creating a store: all its arrays, from the declarations in `ibtools.store.schema`."""

import uuid
from collections.abc import Mapping
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec, TransposeCodec, ZstdCodec
from zarr.core.sync import sync  # there is no public way to delete a folder of any store

from ibtools.errors import StoreExistsError
from ibtools.provenance import provenance
from ibtools.store.backing import backing_store
from ibtools.store.checksums import create_checksums
from ibtools.store.configuration import how_to_finish
from ibtools.store.groups import (
    CREATING,
    consolidate,
    find_group,
    get_array,
    is_taken,
    is_unfinished,
)
from ibtools.store.growing import EPOCH_AXES, GROWING
from ibtools.store.layout import (
    Chunking,
    StoreSpec,
    choose_chunking,
    choose_grid_chunking,
    choose_partition_chunking,
)
from ibtools.store.opened import open_group
from ibtools.store.schema import (
    CUBE,
    FORMAT_NAME,
    FORMAT_VERSION,
    RECORDED,
    SCALARS,
    STORE_COORDINATES,
    UNIT_GRIDS,
    Variable,
)
from ibtools.store.storage import StorePath, list_names, reaching
from ibtools.tasks.processes import validate_main

_FIRST_BLOCKS = 16


def create_store(path: StorePath, spec: StoreSpec, *, overwrite: bool = False) -> zarr.Group:
    """Create an empty store: all arrays, all coordinates that are known, nothing recorded.

    Parameters
    ----------
    path : path or URL
        Where to; nothing may be there.
    spec : StoreSpec
        What the store will hold.
    overwrite : bool, optional
        Delete the ibtools store that is at `path`. Anything else is never deleted.

    Returns
    -------
    zarr.Group
        Open for writing; give it to `ibtools.store.writer.RepeatWriter`.

    Raises
    ------
    StoreExistsError
        If something is at `path` that may not be overwritten.
    StoreError
        If `path` can't be written to.
    IbtoolsError
        If a worker process runs the script that starts it.
    """
    validate_main()
    _validate_free(path, overwrite=overwrite)
    with reaching(path, "the store can't be created"):
        group = _create_root(path)
        for variable in spec.variables:
            _create_array(group, variable, spec)
        for name, values in spec.coordinates().items():
            get_array(group, name)[...] = values
        create_checksums(group, _rooms(group, spec) if spec.growing else ())
        group.attrs.put(_attributes(spec))
        consolidate(path)
    return open_group(path, "r+")


def _create_root(path: StorePath) -> zarr.Group:
    """Create the root of a store, or empty that of ours which is there; marked as not finished.

    The mark comes first, so that whatever interrupts this leaves a store that is begun anew.
    """
    store = backing_store(path, read_only=False)
    unfinished: dict[str, Any] = {"format": FORMAT_NAME, CREATING: True}
    there = list_names(path)
    if "zarr.json" in there:
        group = zarr.open_group(store, mode="r+", zarr_format=3, use_consolidated=False)
        group.attrs.put(unfinished)
    else:
        group = zarr.create_group(store, attributes=unfinished)
    for name in sorted(there - {"zarr.json"}):
        sync(store.delete_dir(name))
    return group


def create_variable(
    group: zarr.Group,
    variable: Variable,
    sizes: dict[str, int],
    *,
    chunk_sizes: Mapping[str, int] | None = None,
    dtype: str | None = None,
    chunking: Chunking | None = None,
) -> None:
    """Create one declared array, filled with its missing value.

    Without `chunking`, one chunk holds everything, or everything of one repeat, so that repeats can
    be written side by side. `chunk_sizes` says of what length everything is, where it grows.
    """
    lengths = chunk_sizes or sizes
    whole = tuple(1 if dim == "repeat" else max(1, lengths[dim]) for dim in variable.dims)
    dtype = dtype or variable.dtypes[0]
    group.create_array(
        variable.name,
        shape=tuple(sizes[dim] for dim in variable.dims),
        chunks=chunking.chunks if chunking else whole,
        shards=chunking.shards if chunking else None,
        dtype=str if dtype == "str" else dtype,
        fill_value=variable.fill,
        dimension_names=variable.dims,
        attributes=variable.attributes(),
        **_codecs(variable.dims, dtype),
    )


def _codecs(dims: tuple[str, ...], dtype: str) -> dict[str, Any]:
    """Choose how a chunk is encoded; docs/store.md shows what was measured.

    The values that one unit has for one sample lie side by side, epoch after epoch: they change
    little. A partition has new numbers in every epoch, and stays in its order. Each chunk ends in
    its checksum.
    """
    if dims[:4] != CUBE[:4]:
        return {"compressors": (ZstdCodec(level=0), Crc32cCodec())}
    if dims != CUBE:
        blosc = BloscCodec(cname="zstd", clevel=3, shuffle="shuffle", typesize=4)
        return {"compressors": (blosc, Crc32cCodec())}
    itemsize = np.dtype(dtype).itemsize
    order = tuple(CUBE.index(dim) for dim in ("repeat", "layer", "unit", "sample", "epoch"))
    return {
        "filters": TransposeCodec(order=order),
        "compressors": (
            ZstdCodec(level=3)
            if itemsize == 1
            else BloscCodec(
                cname="zstd", clevel=1, shuffle="bitshuffle", typesize=itemsize, blocksize=2**19
            ),
            Crc32cCodec(),
        ),
    }


def _create_array(group: zarr.Group, variable: Variable, spec: StoreSpec) -> None:
    sizes = spec.sizes()
    if variable.name in UNIT_GRIDS:
        itemsize = np.dtype(spec.code_dtype).itemsize
        chunking = choose_grid_chunking(spec.chunk_sizes(), itemsize)
        create_variable(group, variable, sizes, chunking=chunking)
        return
    if variable.dims[:4] != CUBE[:4]:
        create_variable(group, variable, sizes, chunk_sizes=spec.chunk_sizes())
        return
    dtype = spec.code_dtype if variable.name == "code" else variable.dtypes[0]
    choose = choose_chunking if variable.dims == CUBE else choose_partition_chunking
    chunking = choose(spec.chunk_sizes(), np.dtype(dtype).itemsize)
    create_variable(group, variable, sizes, dtype=dtype, chunking=chunking)


def _rooms(group: zarr.Group, spec: StoreSpec) -> tuple[int, ...]:
    """Return for how many epochs the table of checksums has room first: some blocks of them."""
    sizes = spec.sizes()
    recorded = next(name for name in RECORDED if name in group)
    room = _FIRST_BLOCKS * int(get_array(group, recorded).chunks[1])
    while room < max(sizes[axis] for axis in EPOCH_AXES):
        room *= 2
    return (room,)


def _attributes(spec: StoreSpec) -> dict[str, Any]:
    return {
        "format": FORMAT_NAME,
        "format_version": FORMAT_VERSION,
        **provenance(),
        **spec.attributes,
        **_meaning(spec),
        "store_id": uuid.uuid4().hex,
        "configuration": spec.configuration_json(),
        # xarray makes these variables coordinates
        "coordinates": " ".join(STORE_COORDINATES),
        **({} if spec.classes is None else {"classes": list(spec.classes)}),
        **({GROWING: True, SCALARS: list(spec.scalars)} if spec.growing else {}),
    }


def _meaning(spec: StoreSpec) -> dict[str, str]:
    """Return what is known of inputs and layers, and no array tells."""
    known: dict[str, str] = {} if spec.inputs is None else {"inputs": spec.inputs}
    if spec.is_chain is not None:
        known["layers"] = "chain" if spec.is_chain else "graph"
    return known


def _validate_free(path: StorePath, *, overwrite: bool) -> None:
    if not is_taken(path):
        return
    group = find_group(path, "r")
    if group is None or group.attrs.get("format") != FORMAT_NAME:
        raise StoreExistsError(
            f"{path}: what is there is not an ibtools store, so it is never overwritten; "
            "choose another path"
        )
    if not overwrite and not is_unfinished(group):
        raise StoreExistsError(
            f"{path}: a store is there already; choose another path, or replace it with "
            f"--overwrite (overwrite=True); if it was interrupted: {how_to_finish(group.attrs)}"
        )
